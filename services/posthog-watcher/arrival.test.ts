import { expect, test } from "vitest";
import { findMissing, heldForMs, planHolding, type Share } from "./arrival.ts";

const shares = (at: number, ratios: number[], expected = 100): Share[] =>
  ratios.map((ratio) => ({ at, value: ratio * expected, expected }));

test("when nearly all series are low at once, data is missing", () => {
  expect(findMissing(shares(7, [0.3, 0.25, 0.3, 0.28]))).toEqual([{ at: 7, share: 0.3 }]);
  expect(findMissing(shares(7, [0.8, 0.82, 0.81, 0.79, 1.01]))).toMatchObject([{ at: 7 }]);
});

test.each([
  ["one series is down", [0, 1, 1.02, 0.98]],
  ["some are down, most are not", [0, 0.1, 1, 0.97, 1]],
  ["all are a little low", [0.89, 0.88, 0.87, 0.89]],
  ["there are too few series", [0, 0]],
])("when %s, it is the product", (_what, ratios) => {
  expect(findMissing(shares(7, ratios))).toEqual([]);
});

test("series with few events prove nothing", () => {
  expect(findMissing(shares(7, [0, 0, 0, 0], 10))).toEqual([]);
});

test("missing buckets are waited for, and left out in the end", () => {
  const now = 100 * 3_600_000;
  const [old, young] = [now - heldForMs - 1, now - 3_600_000];
  const missing = [old, young].map((at) => ({ at, share: 0.1 }));
  expect(planHolding(missing, now)).toEqual({ until: young, leftOut: [old] });
  expect(planHolding([], now)).toEqual({ until: null, leftOut: [] });
});
