import { freshDatabase } from "@signalbox/testing/database.ts";
import { expect, test } from "vitest";
import { crashLogging, services } from "./crash.ts";

/** `node tests/log-crash/main.ts` does the same with 100,000 records. */
const records = 15_000;

test("logging is killed under three processes that log: what was accepted is there once, what was spooled comes after", async () => {
  await using database = await freshDatabase();
  const verdict = await crashLogging({ database, records, kills: 2, say: () => undefined });
  const each = records / services.length;
  expect(verdict.stored).toEqual(
    services.map((service) => ({ service, rows: each, different: each, isInOrder: true })),
  );
  expect(verdict).toMatchObject({ dropped: 0, leftOnDisk: [] });
  // It was as it should be: something was accepted before each kill, and something was on disk after it.
  for (const { accepted, spooled } of verdict.kills) expect(Math.min(accepted, spooled)).toBeGreaterThan(0);
}, 240_000);
