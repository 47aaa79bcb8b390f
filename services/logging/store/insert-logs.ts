import { exec, type Pool, prepared, type Queryable, type Sql, sql, transaction } from "@signalbox/common/sql.ts";
import type { NewLog } from "../record.ts";
import { toJsonbs, toSmallints, toTexts, toTimes, toUuids } from "./array-params.ts";

/** Stores records in one statement; a record whose (id, at) is known already is left as it is. How many were new. */
export function insertLogs(db: Queryable, rows: readonly NewLog[]): Promise<number> {
  const statement = sql`${insertInto} select * from ${toTable(rows)} as new ${columns} on conflict do nothing`;
  return exec(db, prepared("logs_insert", statement));
}

/**
 * The same for records whose id does not say where they would be. Two senders of one id would both find it missing, so
 * they take turns: the locks come in an earlier statement, because a statement sees what was committed before it began.
 */
export function insertLogsAnywhere(pool: Pool, rows: readonly NewLog[]): Promise<number> {
  return transaction(pool, async (db) => {
    await exec(
      db,
      sql`select pg_advisory_xact_lock(hash) from (
            select distinct hashtextextended(id::text, 7526) as hash from unnest(${rows.map(({ id }) => id)}::uuid[]) id order by 1
          ) in_one_order_for_all`,
    );
    return exec(
      db,
      sql`${insertInto} select * from ${toTable(rows)} as new ${columns}
           where not exists (select 1 from logs known where known.id = new.id) on conflict do nothing`,
    );
  });
}

const columns = sql`(id, at, level, service, message, trace_id, correlation_id, task_id, data)`;
const insertInto = sql`insert into logs ${columns}`;

function toTable(rows: readonly NewLog[]): Sql {
  return sql`unnest(
    ${toUuids(rows.map(({ id }) => id))}::uuid[],
    ${toTimes(rows.map(({ atMs }) => atMs))}::timestamptz[],
    ${toSmallints(rows.map(({ level }) => level))}::smallint[],
    ${toTexts(rows.map(({ service }) => service))}::text[],
    ${toTexts(rows.map(({ message }) => message))}::text[],
    ${toTexts(rows.map(({ traceId }) => traceId))}::text[],
    ${toTexts(rows.map(({ correlationId }) => correlationId))}::text[],
    ${toUuids(rows.map(({ taskId }) => taskId))}::uuid[],
    ${toJsonbs(rows.map(({ data }) => data))}::jsonb[])`;
}
