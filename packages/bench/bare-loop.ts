import { randomUUID } from "node:crypto";
import { newTrace, toTraceparent } from "@signalbox/common/trace.ts";
import { uuidv7 } from "@signalbox/common/uuid.ts";
import pg from "pg";
import { Pool as HttpPool } from "undici";
import { type Fleet, serviceOf } from "./fleet-process.ts";
import { runAtOnce } from "./run-at-once.ts";

/*
 * The least that a program could do for a task: insert a row and its event, call the agent, update the row and insert
 * the event of its end, as many at once as it is told. No queue, no lease, no retry, no HTTP of its own, no live stream;
 * if it dies the task is lost. Same database server and settings (each statement is a commit that is on disk), same
 * echo-agent process, same request to it. Its tables have what such a program needs: a key each, and an index to find
 * the events of a task.
 */

export type BareLoop = {
  /** Runs so many tasks; resolves with how many seconds that took. */
  run(count: number, atOnce: number): Promise<number>;
  close(): Promise<void>;
};

const schema = `
  create schema bench;
  create table bench.tasks (
    id uuid primary key,
    type text not null,
    status text not null,
    version integer not null default 1,
    payload jsonb not null,
    result jsonb,
    trace_id text not null,
    created_at timestamptz not null default now(),
    finished_at timestamptz
  );
  create table bench.task_events (
    seq bigint generated always as identity primary key,
    task_id uuid not null,
    kind text not null,
    version integer not null,
    at timestamptz not null default now()
  );
  create index on bench.task_events (task_id);
`;

const insertTask = `
  with made as (
    insert into bench.tasks (id, type, status, payload, trace_id) values ($1, 'echo', 'running', $2, $3) returning id, version
  )
  insert into bench.task_events (task_id, kind, version) select id, 'created', version from made`;

const endTask = `
  with ended as (
    update bench.tasks set status = 'completed', result = $2, version = version + 1, finished_at = now()
     where id = $1 and status = 'running'
    returning id, version
  )
  insert into bench.task_events (task_id, kind, version) select id, 'completed', version from ended`;

export async function openBareLoop(fleet: Fleet, connections: number): Promise<BareLoop> {
  const database = new pg.Pool({ connectionString: fleet.databaseUrl, max: connections });
  // Heard where its statement fails.
  database.on("error", () => undefined);
  const agent = new HttpPool(serviceOf(fleet, "echo-agent").url, { connections, pipelining: 1 });
  await database.query(schema);

  async function runOne(number: number): Promise<void> {
    const id = uuidv7();
    const trace = newTrace();
    const payload = { hello: "world", number };
    const made = await database.query(insertTask, [id, JSON.stringify(payload), trace.traceId]);
    const { statusCode, body } = await agent.request({
      method: "POST",
      path: "/echo",
      headers: {
        "content-type": "application/json",
        "x-internal-key": fleet.home.internalKey,
        "x-task-id": id,
        "x-task-attempt": "1",
        "x-task-lease": randomUUID(),
        traceparent: toTraceparent(trace),
      },
      body: JSON.stringify({
        taskId: id,
        type: "echo",
        payload,
        attempt: 1,
        traceId: trace.traceId,
        correlationId: null,
        deadline: new Date(Date.now() + 30_000).toISOString(),
      }),
    });
    const { result } = (await body.json()) as { result?: { echo?: { number?: number } } };
    if (statusCode !== 200 || result?.echo?.number !== number) throw new Error(`the agent answered ${statusCode}`);
    const ended = await database.query(endTask, [id, JSON.stringify(result)]);
    if (made.rowCount !== 1 || ended.rowCount !== 1) throw new Error(`task ${id} of the bare loop was not written`);
  }

  return {
    async run(count, atOnce) {
      const startedAt = performance.now();
      await runAtOnce(count, atOnce, runOne);
      return (performance.now() - startedAt) / 1_000;
    },
    async close() {
      await Promise.all([database.end(), agent.close()]);
    },
  };
}
