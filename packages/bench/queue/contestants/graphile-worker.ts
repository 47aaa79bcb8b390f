/*
 * graphile-worker. Its own row of a job is deleted when the job ends, so the record is a row of the task and its events
 * beside it, in the same statement that queues the job (`graphile_worker.add_job` in SQL is its documented way to do so).
 * The end of a task is one statement for the row and two events; the library then deletes its job.
 */
import { uuidv7 } from "@signalbox/common/uuid.ts";
import { type Runner as LibraryRunner, Logger, run, runMigrations } from "graphile-worker";
import pg from "pg";
import { answerAs, type Contestant, type Payload, type Purpose, type Work } from "../contestant.ts";
import { recordLatencies, recordSchema } from "../record.ts";

const connectionString = process.env.DATABASE_URL ?? "";
/** Its documentation's own settings for throughput ("Performance", "perfTest"). */
const concurrentJobs = 24;
const preset = (purpose: Purpose) => ({
  worker: {
    connectionString,
    concurrentJobs,
    maxPoolSize: concurrentJobs + 1,
    completeJobBatchDelay: 0,
    failJobBatchDelay: 0,
    ...(purpose === "throughput" && { localQueue: { size: 500, refetchDelay: { durationMs: 10 } } }),
  },
});

const enqueue = `
  with made as (insert into record.tasks (id, type, payload) values ($1, 'echo', $2) returning id),
       noted as (insert into record.task_events (task_id, kind, data) select id, 'created', '{"type":"echo"}' from made)
  select graphile_worker.add_job('echo', json_build_object('id', $1::uuid, 'payload', $2::json)) is not null as is_queued`;

const end = `
  with ended as (
    update record.tasks set status = 'completed', result = $2, started_at = $3, finished_at = clock_timestamp()
     where id = $1 returning id
  )
  insert into record.task_events (task_id, kind, data, at)
  select id, kind, '{"attempt":1}', at from ended, (values ('started', $3::timestamptz), ('completed', clock_timestamp())) v (kind, at)`;

const load = `
  with made as (
    insert into record.tasks (id, type, payload)
    select gen_random_uuid(), 'echo', jsonb_build_object('hello', 'world', 'number', n) from generate_series(1, $1::int) n
    returning id, payload
  ), noted as (
    insert into record.task_events (task_id, kind, data) select id, 'created', '{"type":"echo"}' from made
  )
  select count(graphile_worker.add_job('echo', json_build_object('id', id, 'payload', payload))) from made`;

function buildGraphileWorker(): Contestant {
  const pool = new pg.Pool({ connectionString, max: concurrentJobs + 1 });
  const logger = new Logger(() => () => undefined);
  let seenUntil = new Date();

  const toTask = (work: Work) => async (job: unknown) => {
    const startedAt = new Date();
    const { id, payload } = job as { id: string; payload: Payload };
    const result = await work({ id, payload });
    await pool.query({ name: "end", text: end, values: [id, JSON.stringify(result), startedAt] });
  };

  return {
    async prepare() {
      await runMigrations({ preset: preset("throughput"), logger });
      await pool.query(recordSchema);
    },
    enqueue: (payload) => pool.query({ name: "enqueue", text: enqueue, values: [uuidv7(), JSON.stringify(payload)] }),
    enqueueBare: (payload) =>
      pool.query({
        name: "bare",
        text: "select graphile_worker.add_job('none', $1::json) is not null as is_queued",
        values: [JSON.stringify(payload)],
      }),
    async load(count) {
      await pool.query(load, [count]);
    },
    async start(work, purpose) {
      const options = { preset: preset(purpose), taskList: { echo: toTask(work) }, noHandleSignals: true, logger };
      const runner: LibraryRunner = await run({ ...options, crontab: "" });
      return { stop: () => runner.stop() };
    },
    async isIdle() {
      const { rows } = await pool.query("select not exists (select from graphile_worker._private_jobs) as idle");
      return rows[0].idle;
    },
    async takeLatencies() {
      const { rows } = await pool.query(recordLatencies, [seenUntil]);
      seenUntil = new Date();
      return rows.map((row) => Number(row.ms));
    },
    close: () => pool.end(),
  };
}

answerAs(buildGraphileWorker());
