import { expect, test } from "vitest";
import { normalise, probationOf, profiles, tallySeries, weigh, worthOf } from "./score.ts";

const rows = 1_000;
const windows = [{ first: 400, last: 499 }];
const score = (detections: number[], profile: (typeof profiles)[keyof typeof profiles] = profiles.standard) =>
  normalise([weigh(tallySeries(detections, windows, rows), profile)], profile);

test("who never speaks gets 0, who speaks once at the left edge gets 100", () => {
  expect(score([])).toBe(0);
  expect(score([400])).toBe(100);
});

test("a late hit is worth less, and one at the right edge next to nothing but the avoided miss", () => {
  expect(score([450])).toBeCloseTo((100 * (worthOf(-0.5) / worthOf(-1) + 1)) / 2, 10);
  expect(score([499])).toBeCloseTo(50 + (50 * worthOf(-0.01)) / worthOf(-1), 10);
});

test("further detections in a window bring nothing and cost nothing", () => {
  expect(score([420, 430, 431, 432])).toBe(score([420]));
});

test("a false alarm far away costs 0.11, one before the first window too, and twice that when false alarms are weighed double", () => {
  expect(score([400, 900])).toBeCloseTo(100 - (100 * 0.11) / 2, 10);
  expect(score([200, 400])).toBeCloseTo(100 - (100 * 0.11) / 2, 10);
  expect(score([400, 900], profiles.lowFalsePositives)).toBeCloseTo(100 - (100 * 0.22) / 2, 10);
});

test("a false alarm right behind a window costs next to nothing", () => {
  expect(score([400, 500])).toBeGreaterThan(99.8);
});

test("each false row counts, in a burst too", () => {
  expect(score([400, 900, 901, 902])).toBeCloseTo(100 - (3 * 100 * 0.11) / 2, 10);
});

test("the rows of probation count neither way: 15 %, and 750 at most", () => {
  expect([probationOf(rows), probationOf(100_000)]).toEqual([150, 750]);
  expect(score([10, 149, 400])).toBe(100);
  expect(score([150, 400])).toBeLessThan(100);
});

test("a miss costs twice as much where misses are weighed double", () => {
  const two = [...windows, { first: 800, last: 899 }];
  const half = (profile: (typeof profiles)[keyof typeof profiles]) =>
    normalise([weigh(tallySeries([400], two, rows), profile)], profile);
  expect(half(profiles.standard)).toBe(50);
  expect(half(profiles.lowMisses)).toBeCloseTo((100 * (1 - 2 + 4)) / 6, 10);
});

test("nothing labelled is no score", () => {
  expect(() => normalise([], profiles.standard)).toThrow("no window is labelled");
});
