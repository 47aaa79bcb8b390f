import type { Outcome, OutcomeFilter, Signature } from "@signalbox/common/contracts/outcome.ts";
import { exec, many, maybeOne, type Queryable, type Row, type Sql, sql } from "@signalbox/common/sql.ts";
import { uuidOf } from "@signalbox/common/uuid.ts";
import {
  type NewOutcome,
  type Numbered,
  type Part,
  type TaskOutcomeFilter,
  taskSources,
  toTaskSignature,
} from "../outcome.ts";
import { and } from "./read-logs.ts";

/** Newest first: rows below the number. */
export type OutcomePage = { filter: OutcomeFilter; below: number; limit: number };

/** Events of tasks that one page looks at: few of them are ends, and of those few may fit the filter. */
const ledgerRows = 20_000;

/** Stores outcomes in one statement; one whose id is known already is left as it is. How many were new. */
export function insertOutcomes(db: Queryable, rows: readonly NewOutcome[]): Promise<number> {
  return exec(
    db,
    sql`insert into outcome_events
          (id, at, source, cycle_id, sig_hash, event_kind, ok, staffer_id, turns, duration_ms, extra)
        select * from unnest(
          ${rows.map(({ id }) => id)}::uuid[], ${rows.map(({ at }) => at)}::timestamptz[],
          ${rows.map(({ source }) => source)}::text[], ${rows.map((row) => row.cycle_id)}::text[],
          ${rows.map((row) => row.sig_hash)}::text[], ${rows.map((row) => row.event_kind)}::text[],
          ${rows.map(({ ok }) => ok)}::boolean[], ${rows.map((row) => row.staffer_id)}::text[],
          ${rows.map(({ turns }) => turns)}::integer[], ${rows.map((row) => row.duration_ms)}::bigint[],
          ${rows.map(({ extra }) => extra)}::jsonb[])
        on conflict do nothing`,
  );
}

export async function listOutcomes(db: Queryable, { filter, below, limit }: OutcomePage): Promise<Part> {
  const rows = await many(
    db,
    (row) => ({ seq: Number(row.seq), outcome: toOutcome(row) }),
    sql`select ${columns} from outcome_events o
         where ${and([sql`seq < ${below}`, ...toConditions(filter)])} order by seq desc limit ${limit}`,
  );
  return { rows, scannedTo: null };
}

/** Ends of tasks, read from the ledger. */
export async function listTaskOutcomes(
  db: Queryable,
  { filter, below, limit }: OutcomePage,
  { type, isScheduled }: TaskOutcomeFilter,
): Promise<Part> {
  const edge = await maybeOne(
    db,
    (row) => Number(row.seq),
    sql`select seq from task_events where seq < ${below} order by seq desc offset ${ledgerRows - 1} limit 1`,
  );
  const { event_kind: kind, ok, since, until } = filter;
  const conditions = [sql`e.seq < ${below}`, sql`e.seq >= ${edge ?? 0}`, sql`e.kind in ('completed', 'failed')`];
  if (kind !== undefined) conditions.push(sql`${eventKind} = ${kind}`);
  if (ok !== undefined) conditions.push(sql`e.kind = ${ok ? "completed" : "failed"}`);
  if (since !== undefined) conditions.push(sql`e.at >= ${since}::timestamptz`);
  if (until !== undefined) conditions.push(sql`e.at <= ${until}::timestamptz`);
  if (type !== undefined) conditions.push(sql`t.type = ${type}`);
  if (isScheduled !== undefined) conditions.push(sql`(t.source like 'schedule:%') = ${isScheduled}`);
  const rows = await many(
    db,
    toTaskOutcome,
    sql`select e.seq, e.task_id, e.at, e.kind, ${eventKind} as event_kind, t.type, t.source, t.agent, t.attempt,
               (e.data->>'durationMs')::numeric::bigint as duration_ms
          from task_events e join tasks t on t.id = e.task_id
         where ${and(conditions)} order by e.seq desc limit ${limit}`,
  );
  return { rows, scannedTo: rows.length === limit ? null : edge };
}

/** Signatures by their last outcome, the newest first; `below` is the number of that outcome. */
export async function listSignatures(
  db: Queryable,
  { filter, below, limit }: OutcomePage,
): Promise<{ seq: number; signature: Signature }[]> {
  return many(
    db,
    (row) => ({ seq: Number(row.seq), signature: toSignature(row) }),
    sql`with found as (
          select sig_hash, count(*) as count, count(*) filter (where ok) as good, min(at) as first_at, max(seq) as last_seq
            from outcome_events o where ${and(toConditions(filter))} group by sig_hash
        ), page as (select * from found where last_seq < ${below} order by last_seq desc limit ${limit})
        select ${columns}, page.count, page.good, page.first_at, recent.oks
          from page join outcome_events o on o.seq = page.last_seq
          cross join lateral (
            select array_agg(ok order by seq desc) as oks from (
              select ok, seq from outcome_events
               where ${and([sql`sig_hash = page.sig_hash`, ...toConditions(filter)])} order by seq desc limit 20
            ) newest
          ) recent
         order by o.seq desc`,
  );
}

const columns = sql`o.seq, o.id, o.at, o.source, o.cycle_id, o.sig_hash, o.event_kind, o.ok, o.staffer_id, o.turns, o.duration_ms, o.extra`;
/** A failed task's kind is its error's code. */
const eventKind = sql`case e.kind when 'completed' then 'completed' else coalesce(e.data->'error'->>'code', 'failed') end`;

function toConditions(filter: OutcomeFilter): Sql[] {
  const { source, sig_hash: signature, event_kind: kind, ok, since, until } = filter;
  const conditions: Sql[] = [];
  if (source !== undefined) conditions.push(sql`source = ${source}`);
  if (signature !== undefined) conditions.push(sql`sig_hash = ${signature}`);
  if (kind !== undefined) conditions.push(sql`event_kind = ${kind}`);
  if (ok !== undefined) conditions.push(sql`ok = ${ok}`);
  if (since !== undefined) conditions.push(sql`at >= ${since}::timestamptz`);
  if (until !== undefined) conditions.push(sql`at <= ${until}::timestamptz`);
  return conditions;
}

function toOutcome(row: Row): Outcome {
  return {
    id: row.id as string,
    at: (row.at as Date).toISOString(),
    source: row.source as string,
    cycle_id: row.cycle_id as string,
    sig_hash: row.sig_hash as string,
    event_kind: row.event_kind as string,
    ok: row.ok as boolean,
    staffer_id: row.staffer_id as string | null,
    turns: row.turns as number | null,
    duration_ms: toCount(row.duration_ms),
    extra: row.extra as Record<string, unknown>,
  };
}

function toTaskOutcome(row: Row): Numbered {
  const [seq, at] = [Number(row.seq), row.at as Date];
  const isScheduled = (row.source as string | null)?.startsWith("schedule:") === true;
  const outcome: Outcome = {
    id: uuidOf(at.getTime(), seq),
    at: at.toISOString(),
    source: isScheduled ? taskSources.schedule : taskSources.task,
    cycle_id: row.task_id as string,
    sig_hash: toTaskSignature(row.type as string),
    event_kind: row.event_kind as string,
    ok: row.kind === "completed",
    staffer_id: row.agent as string | null,
    turns: row.attempt as number,
    duration_ms: toCount(row.duration_ms),
    extra: {},
  };
  return { seq, outcome };
}

const recentCount = 10;

function toSignature(row: Row): Signature {
  const oks = row.oks as boolean[];
  const [recent, before] = [oks.slice(0, recentCount), oks.slice(recentCount)];
  return {
    sig_hash: row.sig_hash as string,
    count: Number(row.count),
    success_rate: Number(row.good) / Number(row.count),
    trend: before.length === 0 ? null : rateOf(recent) - rateOf(before),
    recent,
    first_at: (row.first_at as Date).toISOString(),
    last: toOutcome(row),
  };
}

function rateOf(oks: readonly boolean[]): number {
  return oks.filter(Boolean).length / oks.length;
}

function toCount(value: unknown): number | null {
  return value === null ? null : Number(value);
}
