import { expect, test } from "vitest";
import { formatAge, formatClockMs, formatDuration, formatMoment, parseSpan, toInstant } from "./time.ts";

const now = Date.parse("2026-11-21T12:00:00.000Z");

test.for([
  [0, "0 ms"],
  [340, "340 ms"],
  [1_949, "1.9 s"],
  [59_999, "59 s"],
  [124_000, "2 min 4 s"],
  [120_000, "2 min"],
  [3 * 3_600_000 + 240_000, "3 h 4 min"],
  [76 * 3_600_000, "3 d 4 h"],
  [-5, "0 ms"],
] as const)("%d ms is %s", ([ms, words]) => {
  expect(formatDuration(ms)).toBe(words);
});

test.for([
  [0, "now"],
  [4_000, "4 s"],
  [12 * 60_000, "12 min"],
  [50 * 3_600_000, "2 d"],
] as const)("an age of %d ms is %s", ([ms, words]) => {
  expect(formatAge(ms)).toBe(words);
});

test("spans are read, other words are not", () => {
  expect(["15m", "1h", "7d", "90s"].map(parseSpan)).toEqual([900_000, 3_600_000, 604_800_000, 90_000]);
  expect(["", "1", "h", "1y", "-1h"].map(parseSpan)).toEqual([null, null, null, null, null]);
});

test("a bound is a span before now or an instant, always in UTC", () => {
  expect(toInstant("1h", now)).toBe("2026-11-21T11:00:00.000Z");
  expect(toInstant("2026-11-21T10:00:00+02:00", now)).toBe("2026-11-21T08:00:00.000Z");
  expect(toInstant("17", now)).toBeNull();
});

test("another day is said", () => {
  expect(formatMoment("2026-11-21T09:00:00.000Z", now, "utc")).toBe("09:00:00");
  expect(formatMoment("2026-11-20T09:00:00.000Z", now, "utc")).toBe("2026-11-20 09:00:00");
  expect(formatClockMs("2026-11-21T09:00:00.007Z", "utc")).toBe("09:00:00.007");
});
