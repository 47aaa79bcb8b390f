import { expect, test } from "vitest";
import { compare, formatShare, successOf } from "./stats.ts";

test("success counts ended tasks only", () => {
  expect(successOf({ byStatus: { completed: 3, failed: 1, queued: 40 } })).toBe(0.75);
  expect(successOf({ byStatus: { queued: 4 } })).toBeNull();
});

test("a share is never rounded up to a hundred that it is not", () => {
  expect([1, 0.9999, 0.992, null].map(formatShare)).toEqual(["100 %", "99.9 %", "99.2 %", "–"]);
});

test("less waiting is better, less success is worse", () => {
  expect(compare(50, 100, false)).toEqual({ words: "−50 % to before", verdict: "better" });
  expect(compare(0.5, 1, true).verdict).toBe("worse");
  expect(compare(3, 0, true)).toEqual({ words: "none before", verdict: "better" });
  expect(compare(null, 3, true).verdict).toBe("unknown");
});
