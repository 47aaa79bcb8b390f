import fc from "fast-check";
import { expect, test } from "vitest";
import { parseRetryAfter, retryDelayMs } from "./backoff.ts";

const attempts = fc.integer({ min: 1, max: 10_000 });
const draws = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });

test("a delay is a whole number of ms between none and five minutes", () => {
  fc.assert(
    fc.property(attempts, draws, (attempt, random) => {
      const delay = retryDelayMs(attempt, random, 0);
      expect(Number.isInteger(delay) && delay >= 0 && delay <= 300_000).toBe(true);
    }),
  );
});

test("the same draw never waits less after a later attempt", () => {
  fc.assert(
    fc.property(attempts, draws, (attempt, random) => {
      expect(retryDelayMs(attempt + 1, random, 0)).toBeGreaterThanOrEqual(retryDelayMs(attempt, random, 0));
    }),
  );
});

test("an agent's wish is the least delay, up to an hour", () => {
  fc.assert(
    fc.property(attempts, draws, fc.nat(10_000_000), (attempt, random, asked) => {
      const delay = retryDelayMs(attempt, random, asked);
      expect(delay).toBeGreaterThanOrEqual(Math.min(asked, 3_600_000));
      expect(delay).toBeLessThanOrEqual(3_600_000);
    }),
  );
});

test("the ceiling doubles from one second", () => {
  expect([1, 2, 3, 4, 9, 10, 25].map((attempt) => retryDelayMs(attempt, 0.5, 0) * 2)).toEqual([
    1_000, 2_000, 4_000, 8_000, 256_000, 300_000, 300_000,
  ]);
});

test.each([0, -1, Number.NEGATIVE_INFINITY])("attempt %d is a caller's bug", (attempt) => {
  expect(() => retryDelayMs(attempt, 0, 0)).toThrow(RangeError);
});

const now = Date.parse("2026-01-31T08:00:00Z");

test.each<[string | undefined, number]>([
  [undefined, 0],
  ["", 0],
  ["0", 0],
  ["120", 120_000],
  [" 7 ", 7_000],
  ["Sat, 31 Jan 2026 08:00:30 GMT", 30_000],
  ["Sat, 31 Jan 2026 07:00:00 GMT", 0],
  ["soon", 0],
  ["-5", 0],
  ["1e9", 0],
  ["9999999999", 0],
])("Retry-After: %s is %d ms", (header, ms) => {
  expect(parseRetryAfter(header, now)).toBe(ms);
});

test("no header makes a delay that is not a number", () => {
  fc.assert(fc.property(fc.string(), (header) => parseRetryAfter(header, now) >= 0));
});
