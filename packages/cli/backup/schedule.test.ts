import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { pauseOf, scheduleBackups } from "./schedule.ts";

const hourMs = 3_600_000;
const now = Date.parse("2026-03-01T12:00:00Z");

test.each([
  ["there is none yet", null, 5 / 60],
  ["the last one is an hour old", now - hourMs, 5],
  ["the last one is older than it should be", now - 48 * hourMs, 5 / 60],
])("when %s, the next is due in %s", (_what, newest, hours) => {
  expect(pauseOf(newest, 6, now) / hourMs).toBeCloseTo(hours);
});

test("nothing is scheduled when it is turned off, and stopping leaves no timer behind", async () => {
  const home = await mkdtemp(join(tmpdir(), "signalbox-schedule-"));
  await mkdir(join(home, "backups"));
  await writeFile(join(home, "backups", "signalbox-2026-03-01T120000Z.dump"), "");
  const options = { home, program: "/nowhere.ts", env: {}, warn: () => expect.unreachable() };
  scheduleBackups({ ...options, everyHours: 0 })();
  scheduleBackups({ ...options, everyHours: 6 })();
  await rm(home, { recursive: true });
});
