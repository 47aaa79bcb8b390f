import { freshDatabase } from "@signalbox/testing/database.ts";
import pg from "pg";
import { expect, test } from "vitest";
import { finishOf, lease, newTask, openStore } from "../store.fixture.ts";
import { claimTasks } from "./claim-tasks.ts";
import { insertTask } from "./create-task.ts";
import { finishAttempts } from "./finish-attempts.ts";
import { insertPlainTasks } from "./insert-plain.ts";
import { readLedger } from "./read-tasks.ts";

/** As often as PostgreSQL plans a prepared statement anew before it may keep one plan for good. */
const plannedAnew = 5;

test.concurrent("statements that a connection keeps still run after a migration has added columns", async () => {
  await using db = await freshDatabase();
  const client = new pg.Client({ connectionString: db.url });
  await client.connect();
  try {
    for (let time = 0; time <= plannedAnew; time++) await runOne(client);
    await db.pool.query("alter table tasks add column later text default 'x'");
    await db.pool.query("alter table task_events add column later text default 'x'");
    expect(await runOne(client)).toEqual(["created", "started", "completed"]);
  } finally {
    await client.end();
  }
});

/** Takes one task all the way over one connection; the kinds of its events. */
async function runOne(client: pg.Client): Promise<string[]> {
  await insertPlainTasks(client, [{ task: newTask({ type: "other" }), slot: null }], lease);
  const made = await insertTask(client, newTask({}));
  const slots = [{ type: "work", agent: "agent", instance: "agent-1" }];
  const [claimed] = await claimTasks(client, slots, { owner: "orchestrator-1", ms: 30_000 });
  if (!claimed) throw new Error("the task was not claimed");
  const outcome = { kind: "complete", result: null } as const;
  const finish = { lease: claimed.lease, outcome, actor: "agent:agent", concurrencyKey: null, expired: false };
  await finishAttempts(client, [finish]);
  const entries = await readLedger(client, { after: 0, upTo: Number.MAX_SAFE_INTEGER, limit: 1_000 });
  return entries.filter(({ event }) => event.taskId === made?.id).map(({ event }) => event.kind);
}

test.concurrent("plans that were kept while the tables were small read no large table as a whole", async () => {
  await using box = await openStore(undefined, 1);
  const work = async (count: number) => {
    const claimed = await box.claim(count);
    await box.store.finishAttempts(claimed.map((one) => finishOf(one)));
    return claimed.length;
  };
  for (let time = 0; time <= 2 * plannedAnew; time++) {
    await box.insert();
    await box.insert({ concurrencyKey: "small" });
    expect(await work(2)).toBe(2);
    // Of tables that are known to be of one page a scan is the best plan.
    if (time === 1) await box.pool.query("vacuum analyze tasks, task_events");
  }
  for (let at = 0; at < 40; at++)
    await insertPlainTasks(
      box.pool,
      Array.from({ length: 100 }, () => ({ task: newTask({}), slot: null })),
      lease,
    );
  for (let at = 0; at < 60; at++) await box.insert({ concurrencyKey: `key ${at % 3}` });
  const before = await rowsRead(box.pool);
  expect(await work(100)).toBe(100);
  expect((await rowsRead(box.pool)) - before).toBeLessThan(4_000);
});

test.concurrent("what runs all the time is planned once a connection", async () => {
  await using db = await freshDatabase();
  const client = new pg.Client({ connectionString: db.url });
  await client.connect();
  try {
    for (let time = 0; time <= 2 * plannedAnew; time++) await runOne(client);
    const { rows } = await client.query(
      "select name from pg_prepared_statements where custom_plans > $1 or generic_plans = 0 order by name",
      [plannedAnew],
    );
    expect(rows).toEqual([]);
  } finally {
    await client.end();
  }
});

/** Rows of tasks and events that scans of a whole table have read so far, in the view of the connection that read them. */
async function rowsRead(pool: pg.Pool): Promise<number> {
  await pool.query("select pg_stat_force_next_flush()");
  const { rows } = await pool.query(
    "select sum(seq_tup_read)::int as rows from pg_stat_user_tables where relname in ('tasks', 'task_events')",
  );
  return rows[0].rows;
}
