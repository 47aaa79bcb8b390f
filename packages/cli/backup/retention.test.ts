import { expect, test } from "vitest";
import { planForgetting, timeOfBackup, toBackupName } from "./retention.ts";

const hourMs = 3_600_000;
const now = Date.parse("2026-03-01T12:00:00Z");

test("a name says when and how, and is read again", () => {
  expect(toBackupName(now, "logical")).toBe("signalbox-2026-03-01T120000Z.jsonl.gz");
  expect(timeOfBackup(toBackupName(now, "pg"))).toBe(now);
  for (const name of ["notes.txt", "signalbox-2026-03-01.dump", "signalbox-2026-03-01T120000Z.dump.7.part"])
    expect(timeOfBackup(name)).toBeNull();
});

test("a year of four a day leaves all of two days, fourteen days and eight weeks", () => {
  const names = Array.from({ length: 365 * 4 }, (_, index) => toBackupName(now - index * 6 * hourMs, "logical"));
  const gone = new Set(planForgetting([...names, "notes.txt"], now));
  const left = names.filter((name) => !gone.has(name)).map((name) => (now - (timeOfBackup(name) ?? 0)) / (24 * hourMs));
  expect(left.filter((days) => days < 2)).toHaveLength(8);
  expect(left.filter((days) => days >= 2 && days < 16).length).toBeGreaterThanOrEqual(14);
  expect(left.filter((days) => days >= 2 && days < 16).length).toBeLessThanOrEqual(15);
  expect(left.filter((days) => days >= 16).length).toBeGreaterThanOrEqual(8);
  expect(left.length).toBeLessThanOrEqual(33);
  expect(Math.max(...left)).toBeLessThan(70);
  expect(gone.has("notes.txt")).toBe(false);
  // Once thinned out, nothing more goes.
  expect(
    planForgetting(
      names.filter((name) => !gone.has(name)),
      now,
    ),
  ).toEqual([]);
});

test("the newest stays, however old it is", () => {
  const old = [400, 500].map((days) => toBackupName(now - days * 24 * hourMs, "pg"));
  expect(planForgetting(old, now)).toEqual([old[1]]);
});

test("what a killed backup left behind goes after a day", () => {
  const [young, old] = [1, 25].map((hours) => `${toBackupName(now - hours * hourMs, "logical")}.4711.part`);
  expect(planForgetting([young ?? "", old ?? "", toBackupName(now, "pg"), "signalbox.part"], now)).toEqual([old]);
});
