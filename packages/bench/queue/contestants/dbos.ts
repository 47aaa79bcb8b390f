/*
 * DBOS. It keeps the row of a workflow with its times, input and output, and a row for each of its steps: together they are
 * the record of the task, so nothing is added. The work is one step. One is queued by `dbos.enqueue_workflow`, the SQL
 * function that it offers for that: one round trip, where the client in JavaScript needs four.
 */
import { DBOS } from "@dbos-inc/dbos-sdk";
import pg from "pg";
import { answerAs, type Contestant, type Payload, type Work } from "../contestant.ts";

const connectionString = process.env.DATABASE_URL ?? "";
const connections = 20;
const queue = "bench";
/** A poll takes what is free; the default of one a second would take 100 tasks a second. */
const settings = { workerConcurrency: 100, minPollingIntervalMs: 10 };

const enqueue = `select dbos.enqueue_workflow('echo', '${queue}', array[$1::json]) as id`;
const load = `
  select count(dbos.enqueue_workflow('echo', '${queue}', array[json_build_object('hello', 'world', 'number', n)]))
    from generate_series(1, $1::int) n`;
const ended = "status not in ('ENQUEUED', 'PENDING', 'DELAYED')";

function buildDbos(): Contestant {
  const pool = new pg.Pool({ connectionString, max: connections });
  let work: Work = () => Promise.reject(new Error("nobody works yet"));
  let seenUntil = Date.now();

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
    DBOS.registerWorkflow(
      (payload: Payload) => DBOS.runStep(() => work({ id: DBOS.workflowID ?? "", payload }), { name: "work" }),
      { name: "echo" },
    );
  }

  return {
    async prepare() {
      configure();
      await DBOS.launch();
      await DBOS.registerQueue(queue, settings);
      await DBOS.shutdown();
    },
    enqueue: (payload) => pool.query({ name: "enqueue", text: enqueue, values: [JSON.stringify(payload)] }),
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
