import { setTimeout as delay } from "node:timers/promises";
import pg from "pg";
import { Pool as HttpPool } from "undici";
import { type Fleet, serviceOf } from "./fleet-process.ts";
import { runAtOnce } from "./run-at-once.ts";
import { basicOf } from "./task-client.ts";

/*
 * Echo tasks posted to the fleet as fast as it takes them, so many requests at once, until the last of them is completed. The
 * end is read from the database, a few times a second over an index of open tasks only, because asking the fleet would load what
 * is measured. Afterwards every task must be completed with its three events, or the round does not count.
 */

export type FleetLoad = {
  /** Posts so many tasks and waits for the end of all; seconds for the posts alone and for all of it. */
  run(count: number, atOnce: number): Promise<{ postedSeconds: number; seconds: number }>;
  close(): Promise<void>;
};

const endTimeoutMs = 120_000;
const lookEveryMs = 10;

export async function openFleetLoad(fleet: Fleet, connections: number): Promise<FleetLoad> {
  const database = new pg.Pool({ connectionString: fleet.databaseUrl, max: 1 });
  database.on("error", () => undefined);
  const orchestrator = new HttpPool(serviceOf(fleet, "orchestrator").url, { connections, pipelining: 1 });
  const headers = { "content-type": "application/json", authorization: basicOf(fleet.home) };
  let round = 0;

  async function post(number: number, correlationId: string): Promise<void> {
    const body = JSON.stringify({ type: "echo", payload: { hello: "world", number }, correlationId });
    const answer = await orchestrator.request({ method: "POST", path: "/task", headers, body });
    await answer.body.dump();
    if (answer.statusCode !== 201) throw new Error(`task ${number} was answered with ${answer.statusCode}`);
  }

  async function allEnded(): Promise<void> {
    const giveUpAt = performance.now() + endTimeoutMs;
    while (await isAnyOpen(database)) {
      if (performance.now() > giveUpAt)
        throw new Error(`tasks were still open ${endTimeoutMs / 1_000} s after the last post`);
      await delay(lookEveryMs);
    }
  }

  return {
    async run(count, atOnce) {
      const correlationId = `bench-${process.pid}-${round++}`;
      const startedAt = performance.now();
      await runAtOnce(count, atOnce, (number) => post(number, correlationId));
      const postedSeconds = (performance.now() - startedAt) / 1_000;
      await allEnded();
      const seconds = (performance.now() - startedAt) / 1_000;
      await checkRound(database, correlationId, count);
      return { postedSeconds, seconds };
    },
    async close() {
      await Promise.all([database.end(), orchestrator.close()]);
    },
  };
}

async function isAnyOpen(database: pg.Pool): Promise<boolean> {
  const { rows } = await database.query<{ open: boolean }>(
    "select exists (select from tasks where status in ('queued', 'running', 'waiting')) as open",
  );
  return rows[0]?.open === true;
}

async function checkRound(database: pg.Pool, correlationId: string, count: number): Promise<void> {
  const { rows } = await database.query<{ completed: number; events: number }>(
    `select count(distinct t.id) filter (where t.status = 'completed')::int as completed, count(*)::int as events
       from tasks t join task_events e on e.task_id = t.id where t.correlation_id = $1`,
    [correlationId],
  );
  const { completed = 0, events = 0 } = rows[0] ?? {};
  if (completed === count && events === 3 * count) return;
  throw new Error(`of ${count} tasks ${completed} are completed, with ${events} events instead of ${3 * count}`);
}
