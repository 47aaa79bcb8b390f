/*
 * DBOS. It keeps the row of a workflow with its times, input and output, which is the record of the task; the events are a table
 * beside it. One is queued by `dbos.enqueue_workflow`, the SQL function that it offers for that, with its event in the same
 * statement: one round trip, where the client in JavaScript needs four. The work is one step, which writes two events at its end.
 */
import { DBOS } from "@dbos-inc/dbos-sdk";
import pg from "pg";
import { answerAs, type Contestant, type Payload, type Work } from "../contestant.ts";
import { recordSchema } from "../record.ts";

const connectionString = process.env.DATABASE_URL ?? "";
const connections = 20;
const queue = "bench";
/** A poll takes what is free; the default of one a second would take 100 tasks a second. */
const settings = { workerConcurrency: 100, minPollingIntervalMs: 10 };

const queueOne = `dbos.enqueue_workflow('echo', '${queue}', array[$1::json])`;
const enqueue = `
  with queued as materialized (select ${queueOne} as id)
  insert into record.task_events (task_id, kind, data) select id::uuid, 'created', '{"type":"echo"}' from queued`;
const enqueueBare = `select ${queueOne} as id`;
const load = `
  with queued as materialized (
    select dbos.enqueue_workflow('echo', '${queue}', array[json_build_object('hello', 'world', 'number', n)]) as id
      from generate_series(1, $1::int) n
  ) insert into record.task_events (task_id, kind, data) select id::uuid, 'created', '{"type":"echo"}' from queued`;
const noteEnd = `
  insert into record.task_events (task_id, kind, data, at)
  select $1, kind, '{"attempt":1}', at from (values ('started', $2::timestamptz), ('completed', clock_timestamp())) v (kind, at)`;
const ended = "status not in ('ENQUEUED', 'PENDING', 'DELAYED')";

function buildDbos(): Contestant {
  const pool = new pg.Pool({ connectionString, max: connections });
  let work: Work = () => Promise.reject(new Error("nobody works yet"));
  let seenUntil = Date.now();

  async function runStep(payload: Payload): Promise<unknown> {
    const startedAt = new Date();
    const id = DBOS.workflowID ?? "";
    const result = await work({ id, payload });
    await pool.query({ name: "end", text: noteEnd, values: [id, startedAt] });
    return result;
  }

  function configure(): void {
    const quiet = () => undefined;
    const complain = (text: unknown) => void process.stderr.write(`DBOS: ${text}\n`);
    DBOS.setConfig({
      name: "bench",
      systemDatabaseUrl: connectionString,
      systemDatabasePoolSize: connections,
      applicationVersion: "1",
      logger: { info: quiet, debug: quiet, warn: complain, error: complain },
    });
    DBOS.registerWorkflow((payload: Payload) => DBOS.runStep(() => runStep(payload), { name: "work" }), {
      name: "echo",
    });
  }

  return {
    async prepare() {
      configure();
      await DBOS.launch();
      await DBOS.registerQueue(queue, settings);
      await DBOS.shutdown();
      await pool.query(recordSchema);
    },
    enqueue: (payload) => pool.query({ name: "enqueue", text: enqueue, values: [JSON.stringify(payload)] }),
    enqueueBare: (payload) => pool.query({ name: "bare", text: enqueueBare, values: [JSON.stringify(payload)] }),
    async load(count) {
      await pool.query(load, [count]);
    },
    async start(own) {
      work = own;
      await DBOS.launch();
      return { stop: () => DBOS.shutdown() };
    },
    async isIdle() {
      const { rows } = await pool.query(
        "select not exists (select from dbos.workflow_status where status in ('ENQUEUED', 'PENDING')) as idle",
      );
      return rows[0].idle;
    },
    async takeLatencies() {
      const { rows } = await pool.query(
        `select updated_at - created_at as ms from dbos.workflow_status where updated_at > $1 and ${ended}`,
        [seenUntil],
      );
      seenUntil = Date.now();
      return rows.map((row) => Number(row.ms));
    },
    async close() {
      await pool.end();
    },
  };
}

answerAs(buildDbos());
