import fc from "fast-check";
import { expect, test } from "vitest";
import { indexOfTold, learn, limitsOf, newBucket, parseTold, shut, take, waitOf } from "./render-limits.ts";

const limit = { name: "x", capacity: 10, windowMs: 60_000 };

test("a full bucket gives nine at once, and the last tenth as fast as it comes back", () => {
  let bucket = newBucket(limit, 0);
  for (let at = 0; at < 9; at++) {
    expect(waitOf(bucket, 0)).toBe(0);
    bucket = take(bucket, 0);
  }
  expect(waitOf(bucket, 0)).toBe(6_000);
  expect(waitOf(bucket, 6_000)).toBe(0);
});

test("whatever the rhythm, no window gets more than its limit and what comes back in it", () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 20_000 }), { maxLength: 100 }), (pauses) => {
      let [bucket, now] = [newBucket(limit, 0), 0];
      const taken: number[] = [];
      for (const pause of pauses) {
        now += pause;
        if (waitOf(bucket, now) > 0) continue;
        bucket = take(bucket, now);
        taken.push(now);
      }
      for (const from of taken) {
        expect(taken.filter((at) => at >= from && at < from + limit.windowMs).length).toBeLessThanOrEqual(20);
      }
    }),
  );
});

test("headers correct what was assumed: more than documented, less left, nothing left", () => {
  const bucket = newBucket(limit, 0);
  expect(learn(bucket, { limit: 100, remaining: 99, resetMs: 60_000 }, 0)).toMatchObject({ capacity: 100, tokens: 99 });
  expect(learn(bucket, { limit: 10, remaining: 3, resetMs: 60_000 }, 0).tokens).toBe(3);
  expect(waitOf(learn(bucket, { limit: 10, remaining: 0, resetMs: 30_000 }, 0), 0)).toBe(30_000);
  expect(waitOf(shut(bucket, 5_000, 0), 1_000)).toBe(4_000);
});

test.each([
  [
    { limit: "100", remaining: "42", reset: "30" },
    { limit: 100, remaining: 42, resetMs: 30_000 },
  ],
  [
    { limit: "100", remaining: "42", reset: "1800000030" },
    { limit: 100, remaining: 42, resetMs: 30_000 },
  ],
  [
    { limit: "100, 100;w=60", remaining: "7" },
    { limit: 100, remaining: 7, resetMs: 60_000 },
  ],
  [{ limit: "many", remaining: "7" }, null],
  [{}, null],
])("headers %j say %j", (headers: Record<string, string>, told) => {
  expect(parseTold((name) => headers[name.replace("ratelimit-", "")], 1_800_000_000)).toEqual(told);
});

test("a call counts against every limit that is about it, and the headers speak of the one of that size", () => {
  expect(limitsOf("create-deploy", "POST", "srv-1").map(({ name }) => name)).toEqual(["writes", "service srv-1"]);
  expect(limitsOf("list-logs", "GET", undefined).map(({ name }) => name)).toEqual(["reads", "logs"]);
  expect(limitsOf("create-service", "POST", undefined).at(-1)).toMatchObject({ capacity: 20, windowMs: 3_600_000 });
  expect(indexOfTold([30, 10], { limit: 10, remaining: 1, resetMs: 1 })).toBe(1);
  expect(indexOfTold([30, 10], { limit: 100, remaining: 1, resetMs: 1 })).toBe(0);
});
