import { freshDatabase } from "@signalbox/testing/database.ts";
import pg from "pg";
import { expect, test } from "vitest";
import { newTask } from "../store.fixture.ts";
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
  await insertPlainTasks(client, [newTask({ type: "other" })]);
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
