import { expect, test } from "vitest";
import { type Attempted, judgePosted, maxAttempts, retryDelaysMs, tally, type Verdict } from "./outbox-verdict.ts";

const answered = (status: number, retryAfterMs = 0) => ({ kind: "answered", status, retryAfterMs }) as const;
const half = 0.5;

test.each([200, 201, 202, 204, 299])("%i is a delivery", (status) => {
  expect(judgePosted(answered(status), 1, half)).toEqual({ kind: "delivered", status });
});

test.each([100, 301, 302, 304, 307, 308, 400, 401, 404, 408, 409, 413, 422, 429, 500, 502, 503, 504])(
  "%i is tried again",
  (status) => {
    expect(judgePosted(answered(status), 1, half)).toMatchObject({ kind: "retry", status, delayMs: 5_000 });
  },
);

test("410 ends all", () => {
  expect(judgePosted(answered(410), 1, half)).toMatchObject({ kind: "gone", error: "answered 410" });
});

test("eleven attempts are made in three to four days, each later by a plan that chance shifts a little", () => {
  expect(maxAttempts).toBe(11);
  const days = retryDelaysMs.reduce((sum, delay) => sum + delay, 0) / 86_400_000;
  expect(days).toBeGreaterThan(3);
  expect(days).toBeLessThan(4);
  for (const [index, planned] of retryDelaysMs.entries()) {
    expect(judgePosted(answered(500), index + 1, 0)).toMatchObject({ kind: "retry", delayMs: planned * 0.8 });
    expect(judgePosted(answered(500), index + 1, half)).toMatchObject({ kind: "retry", delayMs: planned });
  }
  expect(judgePosted(answered(500), maxAttempts, half)).toEqual({
    kind: "exhausted",
    status: 500,
    error: "answered 500",
  });
  expect(judgePosted({ kind: "failed", message: "no" }, maxAttempts, half)).toEqual({
    kind: "exhausted",
    status: null,
    error: "no",
  });
});

test.each([
  [429, 60_000, 60_000, 60_000],
  [503, 60_000, 60_000, 60_000],
  [503, 1_000, 5_000, 1_000],
  [429, 9_000_000_000, 86_400_000, 86_400_000],
  [500, 60_000, 5_000, 0],
  [404, 60_000, 5_000, 0],
])("Retry-After of a %i of %i ms: again after %i ms, peace for %i ms", (status, asked, delayMs, holdMs) => {
  expect(judgePosted(answered(status, asked), 1, half)).toMatchObject({ delayMs, holdMs });
});

const attempts = (...verdicts: (Verdict | { kind: "released" })[]): Attempted[] =>
  verdicts.map((verdict) => ({ messageId: "m", leaseId: "l", verdict }));
const delivered: Verdict = { kind: "delivered", status: 200 };
const retry = (holdMs = 0): Verdict => ({ kind: "retry", status: 503, error: "answered 503", delayMs: 5_000, holdMs });

test.each([
  ["nothing", [], { delivered: false, failures: 0, last: null }],
  ["attempts that were called off", [{ kind: "released" as const }], { delivered: false, failures: 0, last: null }],
  [
    "failures",
    [retry(), retry(7)],
    { delivered: false, failures: 2, holdMs: 7, last: { outcome: "failed", status: 503 } },
  ],
  [
    "a failure before a success",
    [retry(), delivered],
    { delivered: true, failures: 0, last: { outcome: "delivered", error: null } },
  ],
  ["a failure after a success", [delivered, retry()], { delivered: true, failures: 1, last: { outcome: "failed" } }],
  ["a goodbye", [{ kind: "gone" as const, status: 410, error: "answered 410" }], { gone: true, failures: 1 }],
])("%s make a sum", (_what, verdicts, sum) => {
  expect(tally(attempts(...(verdicts as Verdict[])))).toMatchObject(sum);
});
