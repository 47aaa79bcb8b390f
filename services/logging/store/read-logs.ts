import { type Log, type LogFilter, logLevels } from "@signalbox/common/contracts/log.ts";
import { lastDrawn } from "@signalbox/common/sequence.ts";
import {
  joinSql,
  many,
  maybeOne,
  one,
  prepared,
  type Queryable,
  type Row,
  type Sql,
  sql,
} from "@signalbox/common/sql.ts";
import { uuidTime } from "@signalbox/common/uuid.ts";

/** A record's place in the order of the log. */
export type Place = { at: string; id: string };

/** Newest first, below the given place. */
export type LogPage = { filter: LogFilter; limit: number; below: Place | null };

/** `after < seq <= upTo`, oldest first. */
export type SeqRange = { after: number; upTo: number; limit: number };

export type StoredLog = { seq: number; log: Log };

/** A forged UUIDv7 may carry a year that no answer can show. */
const lastInstantMs = Date.parse("9999-12-31T23:59:59.999Z");

const columns = sql`seq, id, at, level, service, message, trace_id, correlation_id, task_id, data`;

function toLog(row: Row): Log {
  return {
    id: row.id as string,
    at: (row.at as Date).toISOString(),
    level: logLevels[row.level as number] ?? "info",
    service: row.service as string,
    message: row.message as string,
    traceId: row.trace_id as string | null,
    correlationId: row.correlation_id as string | null,
    taskId: row.task_id as string | null,
    data: row.data as Record<string, unknown>,
  };
}

function toStoredLog(row: Row): StoredLog {
  return { seq: Number(row.seq), log: toLog(row) };
}

export type FoundLogs = { items: Log[]; hasMore: boolean };

/** A page is bounded by bytes too: a thousand records of a megabyte would be a gigabyte. At least one row comes, whatever its size. */
const listBytes = 8_388_608;
/** What a stream's client has not read is bounded by this and as much again. */
const streamBytes = 1_048_576;
const size = sql`(octet_length(message) + pg_column_size(data))`;

/** @param downTo the last place that is looked at; null: as far as the filter says */
export async function listLogs(
  db: Queryable,
  { filter, limit, below }: LogPage,
  downTo: Place | null = null,
): Promise<FoundLogs> {
  const conditions = [...toConditions(filter), ...toSpan(below, downTo)];
  const rows = await many(
    db,
    (row) => ({ log: toLog(row), sizeUpTo: Number(row.size_up_to) }),
    sql`${findNewest(filter, conditions)},
        sized as (select *, sum(${size}) over (order by at desc, id desc rows unbounded preceding) as size_up_to from newest limit ${limit + 1})
        select ${columns}, size_up_to from sized where size_up_to - ${size} < ${listBytes} order by at desc, id desc`,
  );
  const items = rows.slice(0, limit).map(({ log }) => log);
  return { items, hasMore: rows.length > limit || (rows.at(-1)?.sizeUpTo ?? 0) >= listBytes };
}

/** Below the one place, down to the other. Each second bound says it all, but only the first one of each prunes partitions. */
export function toSpan(below: Place | null, downTo: Place | null): Sql[] {
  const bounds: Sql[] = [];
  if (below) {
    bounds.push(sql`at <= ${below.at}::timestamptz`, sql`(at, id) < (${below.at}::timestamptz, ${below.id}::uuid)`);
  }
  if (downTo) {
    bounds.push(sql`at >= ${downTo.at}::timestamptz`, sql`(at, id) >= (${downTo.at}::timestamptz, ${downTo.id}::uuid)`);
  }
  return bounds;
}

/** Every row that fits, newest first, as the table expression `newest`; whoever reads it stops when it has enough. */
function findNewest({ traceId, correlationId, taskId }: LogFilter, conditions: readonly Sql[]): Sql {
  const found = sql`select ${columns} from logs where ${and(conditions)}`;
  if (traceId === undefined && correlationId === undefined && taskId === undefined) {
    return sql`with newest as (${found} order by at desc, id desc)`;
  }
  // What one id ties together is little: found by its index, then sorted. Without the fence the planner may walk the whole
  // log in order of time instead, hoping to meet enough of it early.
  return sql`with found as materialized (${found}), newest as (select * from found order by at desc, id desc)`;
}

/** A UUIDv7 says when it was made, and so in which partition it is, unless its sender gave it another time. Null: unknown. */
export async function findLog(db: Queryable, id: string): Promise<Log | null> {
  const ms = uuidTime(id);
  if (ms !== null && ms <= lastInstantMs) {
    const at = new Date(ms).toISOString();
    const log = await maybeOne(
      db,
      toLog,
      sql`select ${columns} from logs where id = ${id} and at = ${at}::timestamptz`,
    );
    if (log) return log;
  }
  return maybeOne(db, toLog, sql`select ${columns} from logs where id = ${id} limit 1`);
}

/** For those who follow the log: in the order of `seq`, as much as fits into a page; none means that there are none. */
export function readAfter(db: Queryable, range: SeqRange, filter: LogFilter): Promise<StoredLog[]> {
  return many(db, toStoredLog, selectAfter(range, toConditions(filter)));
}

/** The same without a filter, for the tail, which asks all the time. */
export function readTail(db: Queryable, range: SeqRange): Promise<StoredLog[]> {
  return many(db, toStoredLog, prepared("logs_read_tail", selectAfter(range, [])));
}

function selectAfter({ after, upTo, limit }: SeqRange, conditions: readonly Sql[]): Sql {
  const all = [sql`seq > ${after}`, sql`seq <= ${upTo}`, ...conditions];
  return sql`
    with next as (
      select ${columns}, sum(${size}) over (order by seq rows unbounded preceding) as size_up_to
        from logs where ${and(all)} order by seq limit ${limit}
    )
    select ${columns} from next where size_up_to - ${size} < ${streamBytes} order by seq`;
}

/** The highest stored number that is not above the given one; 0 when there is none. */
export function latestSeq(db: Queryable, upTo: number): Promise<number> {
  const statement = sql`select coalesce(max(seq), 0) as seq from logs where seq <= ${upTo}`;
  return one(db, (row) => Number(row.seq), prepared("logs_latest_seq", statement));
}

/** The highest number that was ever drawn: a cursor above it is none of ours. */
export function lastDrawnSeq(db: Queryable): Promise<number> {
  return one(db, (row) => Number(row.seq), sql`select ${lastDrawn("logs_seq")} as seq`);
}

export function and(conditions: readonly Sql[]): Sql {
  return conditions.length === 0 ? sql`true` : joinSql(conditions, " and ");
}

/** Every filter of the contract as a condition. */
export function toConditions(filter: LogFilter): Sql[] {
  const { service, level, traceId, correlationId, taskId, q, since, until } = filter;
  const conditions: Sql[] = [];
  if (service !== undefined) conditions.push(sql`service = ${service}`);
  if (level !== undefined && level !== "trace") conditions.push(sql`level >= ${logLevels.indexOf(level)}`);
  if (traceId !== undefined) conditions.push(sql`trace_id = ${traceId}`);
  if (correlationId !== undefined) conditions.push(sql`correlation_id = ${correlationId}`);
  if (taskId !== undefined) conditions.push(sql`task_id = ${taskId}`);
  if (since !== undefined) conditions.push(sql`at >= ${since}::timestamptz`);
  if (until !== undefined) conditions.push(sql`at <= ${until}::timestamptz`);
  if (q !== undefined) conditions.push(sql`(message ilike ${toPattern(q)} or data::text ilike ${toPattern(q)})`);
  return conditions;
}

/** The text anywhere, its own wildcards as plain characters. */
function toPattern(q: string): string {
  return `%${q.replace(/[\\%_]/g, "\\$&")}%`;
}
