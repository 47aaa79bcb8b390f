import { exec, type Pool, prepared, type Sql, sql, transaction } from "@signalbox/common/sql.ts";
import { sqlState, sqlStates } from "@signalbox/common/sql-state.ts";
import type { NewLog } from "../record.ts";
import { copyIn } from "./copy-in.ts";
import { toArrays } from "./row-arrays.ts";

const columnNames = "id, at, level, service, message, trace_id, correlation_id, task_id, data";
const copyText = `copy logs (${columnNames}) from stdin (format binary)`;
const columns = sql`(id, at, level, service, message, trace_id, correlation_id, task_id, data)`;
const insertInto = sql`insert into logs ${columns}`;

/** Below it the insert, which every connection keeps prepared, is faster than a COPY with its one round trip more. */
const defaultCopyRowsMin = 200;
/** Where one record came again, others will: senders that had no answer send all of it once more. */
const carefulMs = 5_000;

/**
 * Stores records in one statement; a record whose (id, at) is known already is left as it is. How many were new.
 *
 * COPY of many takes a fifth less of PostgreSQL's time, but all of it is refused when one record is known. So it is what is tried as long as
 * records come once, and for some seconds after one that came again each statement looks for known ones itself.
 */
export function buildInsertLogs(pool: Pool, copyRowsMin = defaultCopyRowsMin) {
  let carefulUntil = 0;
  const insert = (rows: readonly NewLog[]) => {
    const statement = sql`${insertInto} select * from ${toTable(rows)} as new ${columns} on conflict do nothing`;
    return exec(pool, prepared("logs_insert", statement));
  };
  return async (rows: readonly NewLog[]): Promise<number> => {
    if (rows.length < copyRowsMin || performance.now() < carefulUntil) return insert(rows);
    try {
      return await copyIn(
        pool,
        copyText,
        rows.map(({ row }) => row),
      );
    } catch (error) {
      if (sqlState(error) !== sqlStates.uniqueViolation) throw error;
      carefulUntil = performance.now() + carefulMs;
      return insert(rows);
    }
  };
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

function toTable(rows: readonly NewLog[]): Sql {
  const [ids, times, levels, services, messages, traces, correlations, tasks, data] = toArrays(
    rows.map(({ row }) => row),
  );
  return sql`unnest(${ids}::uuid[], ${times}::timestamptz[], ${levels}::smallint[], ${services}::text[], ${messages}::text[],
    ${traces}::text[], ${correlations}::text[], ${tasks}::uuid[], ${data}::jsonb[])`;
}
