import { expect, test } from "vitest";
import { bucketsBetween, judgeableUntil, localDay, toLocal } from "./time-grid.ts";

const at = (text: string) => Date.parse(`2026-${text}Z`);
const hour = { bucketMs: 3_600_000, settleMs: 900_000 };

test("a bucket may be judged when it is over, has settled, and events from behind it have arrived", () => {
  expect(judgeableUntil(at("03-02T12:14:00"), hour, null)).toBe(at("03-02T11:00:00"));
  expect(judgeableUntil(at("03-02T12:15:00"), hour, null)).toBe(at("03-02T12:00:00"));
  expect(judgeableUntil(at("03-02T12:30:00"), hour, at("03-02T11:59:59"))).toBe(at("03-02T11:00:00"));
  expect(judgeableUntil(at("03-02T12:30:00"), hour, at("03-02T12:00:01"))).toBe(at("03-02T12:00:00"));
});

test("the buckets of a range begin inside it", () => {
  expect(bucketsBetween(at("03-02T10:30:00"), at("03-02T13:00:00"), hour.bucketMs)).toEqual([
    at("03-02T11:00:00"),
    at("03-02T12:00:00"),
  ]);
});

test("nine in the morning stays nine in the morning when the clocks change", () => {
  expect(toLocal(at("03-28T08:00:00"), "Europe/Berlin")).toBe(at("03-28T09:00:00"));
  expect(toLocal(at("03-30T07:00:00"), "Europe/Berlin")).toBe(at("03-30T09:00:00"));
  expect(toLocal(at("03-30T07:00:00"), "America/St_Johns")).toBe(at("03-30T04:30:00"));
  expect(localDay(at("12-24T23:30:00"), "Europe/Berlin")).toBe("2026-12-25");
});
