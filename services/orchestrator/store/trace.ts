import type { TaskEvent } from "@signalbox/common/contracts/event.ts";
import type { Task } from "@signalbox/common/contracts/task.ts";
import { many, type Queryable, type Row, rawSql, type Sql, sql } from "@signalbox/common/sql.ts";
import { dataBytes, taskBytes, toEvent, toTask } from "./rows.ts";

/** The oldest of what was asked for; `isCut`: there is more. */
export type Cut<T> = { items: T[]; isCut: boolean };

/** A thousand tasks of a megabyte would be an answer of a gigabyte. The first one comes, whatever its size. */
const maxBytes = 33_554_432;

/** Tasks of a trace, oldest first. */
export function listTraceTasks(db: Queryable, traceId: string, limit: number): Promise<Cut<Task>> {
  const found = sql`select * from tasks where trace_id = ${traceId} order by created_at, id limit ${limit + 1}`;
  return readCut(db, toTask, { found, bytes: taskBytes, order: rawSql("created_at, id"), limit });
}

/** Events of these tasks, in order. */
export function listEventsOf(db: Queryable, taskIds: readonly string[], limit: number): Promise<Cut<TaskEvent>> {
  const found = sql`
    select seq, task_id, kind, actor, at, version, data from task_events
     where task_id = any (${[...taskIds]}::uuid[]) order by seq limit ${limit + 1}`;
  return readCut(db, toEvent, { found, bytes: dataBytes("data"), order: rawSql("seq"), limit });
}

/** A task and everything below it, oldest first; empty when there is no such task. */
export function listTree(db: Queryable, id: string, limit: number): Promise<Cut<Task>> {
  const found = sql`
    with recursive tree as (
      select id from tasks where id = ${id}
      union
      select c.id from tasks c join tree on c.parent_id = tree.id
    )
    select * from tasks where id in (select id from tree limit ${limit + 1})`;
  return readCut(db, toTask, { found, bytes: taskBytes, order: rawSql("created_at, id"), limit });
}

type CutOptions = { found: Sql; bytes: Sql; order: Sql; limit: number };

/** @param options.found at most one row more than the limit */
async function readCut<T>(db: Queryable, toItem: (row: Row) => T, { found, bytes, order, limit }: CutOptions) {
  const rows = await many(
    db,
    (row) => ({ item: toItem(row), found: Number(row.found) }),
    sql`
    select * from (
      select *, count(*) over () as found, row_number() over oldest as place, sum(${bytes}) over oldest as weight
        from (${found}) found
      window oldest as (order by ${order})
    ) weighed
     where place <= ${limit} and (weight <= ${maxBytes} or place = 1)
     order by ${order}`,
  );
  return { items: rows.map(({ item }) => item), isCut: (rows[0]?.found ?? 0) > rows.length };
}
