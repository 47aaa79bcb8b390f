import { expect, test } from "vitest";
import { isExpired, type Partition, planDrops } from "./retention.ts";

const nowMs = Date.parse("2026-06-15T12:00:00.000Z");
const partition = (day: string, sizeBytes: number, state: Partition["state"] = "attached"): Partition => ({
  name: `logs_${day.replaceAll("-", "")}`,
  day,
  state,
  rowsEstimate: 1,
  sizeBytes,
});

function plan(partitions: Partition[], maxBytes: number) {
  const { drops, bytesLeft } = planDrops(partitions, { nowMs, retentionDays: 30, maxBytes });
  return { drops: drops.map(({ partition: { day }, reason }) => [day, reason]), bytesLeft };
}

test("a day is too old when its last moment is", () => {
  expect(isExpired("2026-05-16", nowMs, 30)).toBe(false);
  expect(isExpired("2026-05-15", nowMs, 30)).toBe(true);
});

test("old days go whatever they weigh, then the oldest until the rest has room", () => {
  const days = [
    partition("2026-06-14", 40),
    partition("2026-05-01", 10),
    partition("2026-06-13", 30),
    partition("2026-06-12", 20),
  ];
  expect(plan(days, 100)).toEqual({ drops: [["2026-05-01", "age"]], bytesLeft: 90 });
  expect(plan(days, 89)).toEqual({
    drops: [
      ["2026-05-01", "age"],
      ["2026-06-12", "size"],
    ],
    bytesLeft: 70,
  });
  expect(plan(days, 40)).toEqual({
    drops: [
      ["2026-05-01", "age"],
      ["2026-06-12", "size"],
      ["2026-06-13", "size"],
    ],
    bytesLeft: 40,
  });
});

test("the present day and those ahead stay, whatever they weigh", () => {
  const days = [partition("2026-06-14", 1), partition("2026-06-15", 500), partition("2026-06-16", 0)];
  expect(plan(days, 100)).toEqual({ drops: [["2026-06-14", "size"]], bytesLeft: 500 });
});

test("a drop that died half-way is finished, though there would be room by now", () => {
  const days = [
    partition("2026-06-12", 1, "detached"),
    partition("2026-06-13", 1, "detaching"),
    partition("2026-06-14", 1),
  ];
  expect(plan(days, 100).drops.map(([day]) => day)).toEqual(["2026-06-12", "2026-06-13"]);
});
