import { expect, test } from "vitest";
import { allFaults } from "./faults.ts";
import { parseOptions, planRounds, UsageError } from "./plan.ts";

function labels(seed: number, count: number, lap = 1): string[] {
  const found: string[] = [];
  for (const { label } of planRounds(seed, allFaults, lap)) {
    if (found.length === count) break;
    found.push(label);
  }
  return found;
}

test("a seed always plans the same rounds, and each lap has every fault once, in another order", () => {
  const two = labels(7, 2 * allFaults.length);
  expect(labels(7, 2 * allFaults.length)).toEqual(two);
  expect(labels(8, 2 * allFaults.length)).not.toEqual(two);
  const [first, second] = [two.slice(0, allFaults.length), two.slice(allFaults.length)];
  expect(first.toSorted()).toEqual(allFaults.map(({ name }) => `${name}.1`).toSorted());
  expect(second.map((label) => label.replace(".2", ".1"))).not.toEqual(first);
  expect(labels(7, allFaults.length, 2)).toEqual(second);
});

test("faults have names of their own", () => {
  expect(new Set(allFaults.map(({ name }) => name)).size).toBe(allFaults.length);
});

test("options are read, with a seed that was drawn when none is given", () => {
  const options = { seed: 5, orchestrators: 3, minutes: 0, only: null, lap: 1, isShort: false };
  expect(parseOptions([], 5)).toEqual(options);
  const args = [
    "--",
    "--seed",
    "9",
    "--orchestrators",
    "10",
    "--minutes",
    "30",
    "--only",
    "deploy",
    "--lap",
    "2",
    "--short",
  ];
  const all = { seed: 9, orchestrators: 10, minutes: 30, only: "deploy", lap: 2, isShort: true };
  expect(parseOptions(args, 5)).toEqual(all);
});

test.each([[["--seed"]], [["--seed", "x"]], [["--minutes", "-1"]], [["--orchestrators", "0"]], [["--nothing", "1"]]])(
  "%j is refused",
  (args) => {
    expect(() => parseOptions(args, 5)).toThrow(UsageError);
  },
);
