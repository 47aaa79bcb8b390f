import { uuidv7 } from "@signalbox/common/uuid.ts";
import { freshDatabase } from "@signalbox/testing/database.ts";
import { eventually } from "@signalbox/testing/eventually.ts";
import pg from "pg";
import { expect, test } from "vitest";
import { startLogging } from "./logging.fixture.ts";
import type { LogStats } from "./stats.ts";

const dayMs = 86_400_000;
const record = (message: string, daysAgo = 0) => {
  const id = uuidv7(Date.now() - daysAgo * dayMs);
  return { level: "info", service: "test", message, id };
};
const partitionOf = (daysAgo: number) =>
  `logs_${new Date(Date.now() - daysAgo * dayMs).toISOString().slice(0, 10).replaceAll("-", "")}`;

async function partitions(pool: pg.Pool): Promise<string[]> {
  const { rows } = await pool.query(
    "select inhrelid::regclass::text as name from pg_inherits where inhparent = 'logs'::regclass order by 1",
  );
  return rows.map(({ name }) => name);
}

test.concurrent("days ahead are made, days that are too old are dropped, and streams from before are told", async () => {
  await using database = await freshDatabase();
  {
    await using keeper = await startLogging({ database });
    await keeper.postLines([record("20 days", 20), record("10 days", 10), record("today")]);
  }
  const { rows: stored } = await database.pool.query("select seq from logs where message = '20 days'");
  await using logging = await startLogging({ database, env: { LOG_RETENTION_DAYS: "12" } });
  await eventually(async () => !(await partitions(database.pool)).includes(partitionOf(20)));
  const left = await partitions(database.pool);
  expect(left).toContain(partitionOf(10));
  for (const ahead of [0, -1, -2, -3]) expect(left).toContain(partitionOf(ahead));
  expect((await logging.list()).map(({ message }) => message)).toEqual(["today", "10 days"]);
  // Taken out of the log first, dropped a moment later.
  await eventually(
    async () => {
      const { rows } = await database.pool.query("select to_regclass($1) is null as gone", [partitionOf(20)]);
      return rows[0].gone;
    },
    { what: "the drop of the day" },
  );

  await using early = await logging.follow("", 0);
  await early.until(() => early.messages().length === 2);
  expect(early.blocks[0]).toMatchObject({ event: "gap" });
  await using late = await logging.follow("", Number(stored[0].seq));
  await late.until(() => late.messages().length === 2);
  expect(late.blocks.some(({ event }) => event === "gap")).toBe(false);
});

test.concurrent("when there is no room the oldest days go, today stays, and what was dropped is said", async () => {
  await using database = await freshDatabase();
  {
    await using keeper = await startLogging({ database });
    const filler = { data: { text: Array.from({ length: 2_000 }, () => uuidv7()).join(" ") } };
    for (const days of [3, 2, 1, 0]) {
      await keeper.postLines(Array.from({ length: 60 }, (_, n) => ({ ...record(`${days} ${n}`, days), ...filler })));
    }
  }
  await using logging = await startLogging({ database, env: { LOG_RETENTION_MB: "7" } });
  await eventually(async () => !(await partitions(database.pool)).includes(partitionOf(3)));
  await eventually(async () => (await logging.get<LogStats>("/logs/stats")).body.storage.bytes <= 7 * 1_048_576);
  const { storage } = (await logging.get<LogStats>("/logs/stats")).body;
  const left = await partitions(database.pool);
  expect(left).toContain(partitionOf(0));
  const dropped = storage.dropped.map(({ day }) => `logs_${day.replaceAll("-", "")}`);
  expect(dropped).toContain(partitionOf(3));
  expect(dropped).not.toContain(partitionOf(0));
  expect(storage).toMatchObject({ retentionDays: 30, maxBytes: 7 * 1_048_576, taskHistoryBytes: expect.any(Number) });
  expect(storage.dropped[0]?.sizeBytes).toBeGreaterThan(1_000_000);
  const metrics = await logging.metrics();
  expect(metrics).toMatch(/signalbox_log_dropped_days_total\{reason="size",service="logging"\} [1-9]/);
  expect(metrics).toMatch(/signalbox_log_stored_bytes\{service="logging"\} [1-9]/);
  expect(metrics).toMatch(/signalbox_task_history_bytes\{service="logging"\} [1-9]/);
});

test.concurrent("a drop that died half-way is finished", async () => {
  await using database = await freshDatabase();
  {
    await using keeper = await startLogging({ database });
    await keeper.postLines([record("20 days", 20), record("21 days", 21)]);
  }
  await database.pool.query(`alter table logs detach partition ${partitionOf(20)}`);
  await using _logging = await startLogging({ database, env: { LOG_RETENTION_DAYS: "12" } });
  await eventually(async () => {
    const { rows } = await database.pool.query("select to_regclass($1) as a, to_regclass($2) as b", [
      partitionOf(20),
      partitionOf(21),
    ]);
    return rows[0].a === null && rows[0].b === null;
  });
});

test.concurrent("dropping a day waits for its readers without holding up writers", async () => {
  await using database = await freshDatabase();
  {
    await using keeper = await startLogging({ database });
    await keeper.postLines([record("20 days", 20)]);
  }
  const reader = new pg.Client({ connectionString: database.url });
  await reader.connect();
  await reader.query("begin");
  await reader.query("select count(*) from logs");
  await using logging = await startLogging({ database, env: { LOG_RETENTION_DAYS: "12" } });
  await eventually(async () => {
    const { rows } = await database.pool.query(
      "select 1 from pg_stat_activity where datname = current_database() and query like 'alter table logs detach%' and wait_event_type = 'Lock'",
    );
    return rows.length > 0;
  });
  const from = performance.now();
  expect((await logging.post(record("now"))).status).toBe(202);
  expect(performance.now() - from).toBeLessThan(10_000);
  await reader.query("commit");
  await reader.end();
});
