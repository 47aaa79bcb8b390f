/*
 * pg-boss. It keeps the row of a job with its times and output, which is the record of the task; the events are a table
 * beside it. One is queued with its event in one transaction, by the library's `db` option. A batch's two events each are one
 * statement, and the library completes the batch with one more, outputs included (`perJobResults`).
 */
import pg from "pg";
import { PgBoss, type WorkOptions } from "pg-boss";
import { answerAs, type Contestant, type Payload, type Purpose, type Work } from "../contestant.ts";
import { recordSchema } from "../record.ts";

const connectionString = process.env.DATABASE_URL ?? "";
const connections = 20;
/** Without NOTIFY a queue takes more, with it a lone job begins sooner. */
const queueOf: Record<Purpose, string> = { throughput: "echo", latency: "echo-soon" };
/** Job by job a worker rests half a second after each; batches are what its documentation has for throughput. */
const worker: Record<Purpose, WorkOptions> = {
  throughput: { batchSize: 200, localConcurrency: 4, burstWhenBatchFull: true, pollingIntervalSeconds: 0.5 },
  latency: { batchSize: 1, localConcurrency: 4, pollingIntervalSeconds: 0.5 },
};
const noteCreated = `insert into record.task_events (task_id, kind, data) values ($1, 'created', '{"type":"echo"}')`;
const noteEnds = `
  insert into record.task_events (task_id, kind, data, at)
  select id, kind, '{"attempt":1}', at
    from unnest($1::uuid[], $2::timestamptz[]) v (id, started_at),
         lateral (values ('started', started_at), ('completed', clock_timestamp())) e (kind, at)`;
const load = `
  with made as (
    insert into record.task_events (task_id, kind, data)
    select gen_random_uuid(), 'created', '{"type":"echo"}' from generate_series(1, $1::int) returning task_id
  ) select task_id as id, row_number() over () as number from made`;

type Job = { id: string; data: Payload };

function buildPgBoss(): Contestant {
  const pool = new pg.Pool({ connectionString, max: connections });
  const boss = new PgBoss({ connectionString, max: connections, useListenNotify: true, schedule: false });
  boss.on("error", (error) => process.stderr.write(`pg-boss: ${error}\n`));
  let queue = queueOf.throughput;
  let seenUntil = new Date();

  async function enqueue(payload: Payload): Promise<void> {
    const client = await pool.connect();
    const db = { executeSql: (text: string, values?: unknown[]) => client.query(text, values) };
    try {
      await client.query("begin");
      const id = await boss.send(queue, payload, { db });
      await client.query({ name: "created", text: noteCreated, values: [id] });
      await client.query("commit");
    } finally {
      client.release();
    }
  }

  async function runBatch(work: Work, jobs: readonly Job[]) {
    const startedAt = jobs.map(() => new Date());
    const outputs = await Promise.all(jobs.map(({ id, data }) => work({ id, payload: data })));
    await pool.query({ name: "ends", text: noteEnds, values: [jobs.map(({ id }) => id), startedAt] });
    return jobs.map(({ id }, at) => ({ id, status: "completed" as const, output: outputs[at] as object }));
  }

  return {
    async prepare() {
      await boss.start();
      await boss.createQueue(queueOf.throughput);
      await boss.createQueue(queueOf.latency, { notify: true });
      await pool.query(recordSchema);
    },
    enqueue,
    enqueueBare: (payload) => boss.send(queue, payload),
    async load(count) {
      const { rows } = await pool.query<{ id: string; number: string }>(load, [count]);
      const toJob = ({ id, number }: { id: string; number: string }) => ({
        id,
        data: { hello: "world", number: Number(number) },
      });
      await boss.insert(queueOf.throughput, rows.map(toJob));
    },
    async start(work, purpose) {
      queue = queueOf[purpose];
      const options = { ...worker[purpose], perJobResults: true } as const;
      const id = await boss.work<Payload, object, typeof options>(queue, options, (jobs) => runBatch(work, jobs));
      return { stop: () => boss.offWork(queue, { id }) };
    },
    async isIdle() {
      const { rows } = await pool.query("select not exists (select from pgboss.job where state < 'completed') as idle");
      return rows[0].idle;
    },
    async takeLatencies() {
      const { rows } = await pool.query(
        "select extract(epoch from completed_on - created_on) * 1000 as ms from pgboss.job where completed_on > $1",
        [seenUntil],
      );
      seenUntil = new Date();
      return rows.map((row) => Number(row.ms));
    },
    async close() {
      await boss.stop({ graceful: false });
      await pool.end();
    },
  };
}

answerAs(buildPgBoss());
