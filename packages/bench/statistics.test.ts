import { expect, test } from "vitest";
import { median, quantile } from "./statistics.ts";

test("the median of an even number of values lies between the two in the middle", () => {
  expect(median([9, 1, 4, 2])).toBe(3);
  expect(median([5])).toBe(5);
});

test("a high quantile of few values is the worst of them", () => {
  expect(quantile([3, 1, 2], 0.99)).toBe(3);
  const hundred = Array.from({ length: 100 }, (_, index) => index + 1);
  expect(quantile(hundred, 0.99)).toBe(99);
  expect(quantile(hundred, 0.5)).toBe(50);
});

test("nothing measured is no figure", () => {
  expect(() => median([])).toThrow(RangeError);
  expect(() => quantile([], 0.5)).toThrow(RangeError);
});
