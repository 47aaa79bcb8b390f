import fc from "fast-check";
import { expect, test } from "vitest";
import { SortedWindow } from "./sorted-window.ts";

test("it holds the last values in order of their size, whatever came before", () => {
  const values = fc.array(fc.integer({ min: -20, max: 20 }), { maxLength: 60 });
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 12 }), values, (size, pushed) => {
      const window = new SortedWindow(size);
      for (const value of pushed) window.push(value);
      const expected = pushed.slice(-size).sort((a, b) => a - b);
      expect(Array.from({ length: window.count }, (_, rank) => window.at(rank))).toEqual(expected);
      for (const bound of [-21, 0, 7, 21]) {
        expect(window.countBelow(bound)).toBe(expected.filter((value) => value < bound).length);
        expect(window.countUpTo(bound)).toBe(expected.filter((value) => value <= bound).length);
      }
    }),
  );
});

test("a quantile between two values lies in proportion", () => {
  const window = new SortedWindow(4);
  for (const value of [40, 10, 20, 30]) window.push(value);
  expect([0, 0.25, 0.5, 0.9, 1].map((share) => window.quantile(share))).toEqual([10, 17.5, 25, 37, 40]);
});

test("an empty window has no quantile", () => {
  expect(new SortedWindow(3).quantile(0.5)).toBeNaN();
});
