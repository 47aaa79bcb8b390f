import type { EventKind, TaskEvent } from "@signalbox/common/contracts/event.ts";
import type { Task, TaskQuery } from "@signalbox/common/contracts/task.ts";
import { decodeCursor, encodeCursor } from "@signalbox/common/cursor.ts";
import { lastDrawn } from "@signalbox/common/sequence.ts";
import {
  joinSql,
  many,
  maybeOne,
  one,
  prepared,
  type Queryable,
  type Row,
  rawSql,
  type Sql,
  sql,
} from "@signalbox/common/sql.ts";
import type { WaitFacts } from "../why.ts";
import {
  dataBytes,
  type LedgerEntry,
  smallTaskColumns,
  taskBytes,
  taskColumns,
  toEvent,
  toLedgerEntry,
  toTask,
} from "./rows.ts";

/**
 * What one page holds of payloads, results and event data at the most, in bytes; its first row comes
 * anyway. Without it, some hundred events of tasks of a megabyte would be read at once: more than fits into the memory of one
 * process, or through the connection before the statement's time is over.
 */
const maxPageBytes = 4_194_304;

/** One task; null when there is none of that id. */
export function findTask(db: Queryable, id: string): Promise<Task | null> {
  return maybeOne(db, toTask, sql`select * from tasks where id = ${id}`);
}

/**
 * One task with its events, oldest first, read by one statement so that the last event is the one that made the task what it is;
 * of very many or very large events only the first page. Null when there is none of that id.
 */
export function findTaskWithEvents(
  db: Queryable,
  id: string,
  maxEvents: number,
): Promise<{ task: Task; events: TaskEvent[] } | null> {
  const toBoth = (row: Row) => ({
    task: toTask(row),
    events: (row.events as Row[]).map((event) => toEvent({ ...event, task_id: id, at: new Date(event.at as string) })),
  });
  return maybeOne(
    db,
    toBoth,
    sql`
    select t.*, (
        select coalesce(jsonb_agg(to_jsonb(e) order by e.seq), '[]'::jsonb)
          from (${pageOfEvents({ taskId: id, after: 0, limit: maxEvents })}) e
      ) as events
      from tasks t where t.id = ${id}`,
  );
}

/** A task's whole timeline, oldest first, in pages of at most `limit`; `more` says that there is a next one. */
export async function listEvents(
  db: Queryable,
  taskId: string,
  page: { after: number; limit: number },
): Promise<{ rows: { seq: number; event: TaskEvent }[]; more: boolean }> {
  const toRow = (row: Row) => ({ seq: Number(row.seq), event: toEvent({ ...row, task_id: taskId }), found: row.found });
  const rows = await many(db, toRow, pageOfEvents({ taskId, ...page }));
  return { rows, more: Number(rows.at(-1)?.found ?? 0) > rows.length };
}

/** `found` counts one more than the page when there are more. */
function pageOfEvents({ taskId, after, limit }: { taskId: string; after: number; limit: number }): Sql {
  return sql`
    select seq, kind, actor, at, version, data, found
      from (select *, count(*) over () as found, row_number() over (order by seq) as place,
                   sum(${dataBytes("data")}) over (order by seq) as weight
              from (select seq, kind, actor, at, version, data from task_events
                     where task_id = ${taskId} and seq > ${after} order by seq limit ${limit + 1}) newest) weighed
     where place <= ${limit} and (weight <= ${maxPageBytes} or place = 1)
     order by seq`;
}

/**
 * Events of the ledger in a range of numbers (`after` excluded), each with its task as it then was: at most `limit`, fewer when
 * they are large, none only when there is none.
 */
export function readLedger(
  db: Queryable,
  range: {
    after: number;
    upTo: number;
    limit: number;
    taskId?: string;
    familyOf?: string;
    kinds?: readonly EventKind[];
  },
): Promise<LedgerEntry[]> {
  const { taskId, familyOf, kinds } = range;
  const ofKinds = kinds === undefined ? rawSql("") : sql`and kind = any (${kinds}::text[])`;
  const ofTask = taskId === undefined ? rawSql("") : sql`and task_id = ${taskId}`;
  const ofFamily = familyOf === undefined ? rawSql("") : sql`and task_id = any (array(${familyIds(familyOf)}))`;
  const statement = sql`
    with page as (
      select e.*, row_number() over (partition by e_task_id order by e_seq) as nth
        from (select seq as e_seq, task_id as e_task_id, at as e_at, kind as e_kind, actor as e_actor, version as e_version,
                     data as e_data, state as e_state
                from task_events
               where seq > ${range.after} and seq <= ${range.upTo} ${ofTask} ${ofFamily} ${ofKinds}
               order by seq limit ${range.limit}) e
    ), weighed as (
      select page.*, ${taskColumns}, row_number() over (order by e_seq) as place,
             sum(${dataBytes("e_data")} + case when nth = 1 then ${taskBytes} else 0 end) over (order by e_seq) as weight
        from page join tasks on id = e_task_id
    )
    select ${smallTaskColumns}, case when nth = 1 then payload end as payload, case when nth = 1 then result end as result,
           e_seq, e_at, e_kind, e_actor, e_version, e_data, case when e_version = version then null else e_state end as e_state
      from weighed where weight <= ${rawSql(String(maxPageBytes))} or place = 1
     order by e_seq`;
  return many(db, buildEntries(), (taskId ?? familyOf ?? kinds) ? statement : prepared("read_ledger", statement));
}

const mostOfFamily = 10_000;

function familyIds(root: string): Sql {
  return sql`
    with recursive family as (
      select id from tasks where id = ${root}
      union
      select c.id from tasks c join family f on c.parent_id = f.id
    )
    select id from family limit ${mostOfFamily}`;
}

/** A task with all that is below it, and the number of its first event; null when there is no such task. */
export function findFamily(db: Queryable, root: string): Promise<{ ids: string[]; firstSeq: number } | null> {
  return maybeOne(
    db,
    (row) => ({ ids: row.ids as string[], firstSeq: Number(row.first_seq) }),
    sql`
    select array(${familyIds(root)}) as ids, (select min(seq) from task_events where task_id = ${root}) as first_seq
     where exists (select 1 from tasks where id = ${root})`,
  );
}

/** The large members of a task come with its first event of the page and are shared by the others. */
function buildEntries(): (row: Row) => LedgerEntry {
  const large = new Map<unknown, Pick<Row, "payload" | "result">>();
  return (row) => {
    const { payload, result } = row;
    const shared = large.get(row.id) ?? { payload, result };
    large.set(row.id, shared);
    return toLedgerEntry({ ...row, ...shared });
  };
}

/** The highest number that was ever drawn for an event: a cursor above it is none of ours. */
export function lastDrawnEventSeq(db: Queryable): Promise<number> {
  return one(db, (row) => Number(row.seq), sql`select ${lastDrawn("task_events_seq")} as seq`);
}

/** The number of the newest event that is not above `upTo`; 0 in an empty ledger. */
export async function latestEventSeq(db: Queryable, upTo: number): Promise<number> {
  const rows = await many(
    db,
    (row) => Number(row.seq),
    sql`select seq from task_events where seq <= ${upTo} order by seq desc limit 1`,
  );
  return rows[0] ?? 0;
}

/**
 * One page of tasks, newest first: by creation, then id, so that pages stay put while rows are inserted. It is shorter than
 * `limit` when its tasks are large, and then has a next one.
 */
export async function listTasks(
  db: Queryable,
  query: TaskQuery,
): Promise<{ items: Task[]; nextCursor: string | null }> {
  const limit = query.limit ?? 50;
  const conditions = toConditions(query);
  const where = conditions.length === 0 ? rawSql("") : sql`where ${joinSql(conditions, " and ")}`;
  const rows = await many(
    db,
    (row) => ({ task: toTask(row), found: Number(row.found) }),
    sql`
    select * from (
      select *, count(*) over () as found, row_number() over newest as place, sum(${taskBytes}) over newest as weight
        from (select * from tasks ${where} order by created_at desc, id desc limit ${limit + 1}) page
      window newest as (order by created_at desc, id desc)
    ) weighed
     where place <= ${limit} and (weight <= ${maxPageBytes} or place = 1)
     order by created_at desc, id desc`,
  );
  const last = rows.at(-1);
  const more = last !== undefined && last.found > rows.length;
  const nextCursor = more ? encodeCursor([last.task.createdAt, last.task.id]) : null;
  return { items: rows.map(({ task }) => task), nextCursor };
}

const columns = {
  waitingFor: "waiting_for",
  type: "type",
  userKey: "user_key",
  source: "source",
  correlationId: "correlation_id",
  traceId: "trace_id",
  parentId: "parent_id",
  concurrencyKey: "concurrency_key",
} as const;

function toConditions(query: TaskQuery): Sql[] {
  const conditions: Sql[] = [];
  for (const [key, column] of Object.entries(columns) as [keyof typeof columns, string][]) {
    const value = query[key];
    if (value !== undefined) conditions.push(sql`${rawSql(column)} = ${value}`);
  }
  if (query.status !== undefined) conditions.push(toStatusCondition(query.status));
  // As UTC: PostgreSQL refuses offsets of 16 h and more, which are good RFC 3339.
  if (query.since !== undefined) conditions.push(sql`created_at >= ${new Date(query.since).toISOString()}`);
  if (query.until !== undefined) conditions.push(sql`created_at <= ${new Date(query.until).toISOString()}`);
  if (query.q !== undefined) conditions.push(toTextCondition(query.q));
  if (query.cursor !== undefined) {
    const [createdAt, id] = decodeCursor(query.cursor, ["instant", "uuid"]);
    conditions.push(sql`(created_at, id) < (${createdAt}::timestamptz, ${id}::uuid)`);
  }
  return conditions;
}

/** The words come from a fixed set (the contract's pattern) and stand in the text, so that partial indexes can match them. */
function toStatusCondition(status: string): Sql {
  return rawSql(`status in (${[...new Set(status.split(","))].map((word) => `'${word}'`).join(", ")})`);
}

/** JSON is searched as it is written and as a reader sees its texts, where a quote or a line break has no backslash. */
function toTextCondition(q: string): Sql {
  const plain = toPattern(q);
  const inJson = [...new Set([plain, toPattern(JSON.stringify(q).slice(1, -1))])];
  return sql`(type ilike ${plain} or source ilike ${plain} or payload::text ilike any (${inJson}::text[])
              or error::text ilike any (${inJson}::text[]))`;
}

function toPattern(text: string): string {
  return `%${text.replace(/[\\%_]/g, "\\$&")}%`;
}

/** Null: the task is not queued. */
export function explainWait(db: Queryable, id: string): Promise<WaitFacts | null> {
  const toFacts = (row: Record<string, unknown>): WaitFacts => ({
    due: row.due as boolean,
    runAt: (row.run_at as Date).toISOString(),
    ahead: row.ahead as string | null,
    ready: row.ready as boolean,
    running: row.running as Record<string, number>,
  });
  return maybeOne(
    db,
    toFacts,
    sql`
    select t.run_at, t.run_at <= now() as due, t.ready,
           case when t.line = 2 then (
             select a.id from tasks a where a.concurrency_key = t.concurrency_key and (a.line = 1 or (a.line = 2 and a.seq < t.seq))
              order by a.line desc, a.seq desc limit 1) end as ahead,
           (select coalesce(jsonb_object_agg(instance, runs), '{}') from (
             select r.agent_instance as instance, count(*) as runs from tasks r
              where r.status = 'running' and r.type = t.type and r.agent_instance is not null group by 1) r) as running
      from tasks t where t.id = ${id} and t.status = 'queued'`,
  );
}

/** Open tasks by status and type, for the gauges. */
export function countByStatus(
  db: Queryable,
): Promise<{ status: string; type: string; count: number; oldestSeconds: number }[]> {
  const toCount = (row: Record<string, unknown>) => ({
    status: row.status as string,
    type: row.type as string,
    count: row.count as number,
    oldestSeconds: Number(row.oldest_seconds),
  });
  return many(
    db,
    toCount,
    sql`
    select status, type, count(*)::int as count, extract(epoch from now() - min(created_at)) as oldest_seconds
      from tasks where status in ('queued', 'running', 'waiting') group by 1, 2 limit 1000`,
  );
}
