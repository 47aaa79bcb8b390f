import { expect, test } from "vitest";
import { newReportLimit, takeReport } from "./report-limit.ts";

test("as many as may come in a minute at once, then one for each share of a minute", () => {
  const limit = newReportLimit(3, 0);
  expect([0, 0, 0, 0].map((at) => takeReport(limit, at))).toEqual([true, true, true, false]);
  expect([19_999, 20_001, 20_002].map((at) => takeReport(limit, at))).toEqual([false, true, false]);
  expect([600_000, 600_000, 600_000, 600_000].map((at) => takeReport(limit, at))).toEqual([true, true, true, false]);
});

test("a clock that is set back fills nothing", () => {
  const limit = newReportLimit(1, 1_000_000);
  expect(takeReport(limit, 1_000_000)).toBe(true);
  expect(takeReport(limit, 0)).toBe(false);
  expect(takeReport(limit, 59_000)).toBe(false);
  expect(takeReport(limit, 60_001)).toBe(true);
});
