import { expect, test } from "vitest";
import { judgeFailure } from "./storage-failure.ts";

test.concurrent.each([
  ["40P01", undefined, true, "again"],
  ["40001", undefined, true, "again"],
  ["55P03", undefined, true, "again"],
  ["23514", undefined, false, "no_partition"],
  ["23514", "logs_level_check", false, "data"],
  ["22P05", undefined, false, "data"],
  ["54000", undefined, false, "data"],
  ["53100", undefined, false, "away"],
  ["57P01", undefined, true, "away"],
  ["57014", undefined, true, "away"],
  ["25006", undefined, false, "away"],
  [null, undefined, true, "away"],
  ["42P01", undefined, false, "bug"],
  [null, undefined, false, "bug"],
] as const)("SQLSTATE %s (constraint %s, transient %s) is %s", (state, constraint, isTransient, failure) => {
  expect(judgeFailure({ state, constraint, isTransient })).toBe(failure);
});
