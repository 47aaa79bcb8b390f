import type { TaskEvent } from "@signalbox/common/contracts/event.ts";
import type { Task } from "@signalbox/common/contracts/task.ts";
import { many, type Queryable, sql } from "@signalbox/common/sql.ts";
import { toEvent, toTask } from "./rows.ts";

/** Tasks of a trace, oldest first. */
export function listTraceTasks(db: Queryable, traceId: string, limit: number): Promise<Task[]> {
  return many(
    db,
    toTask,
    sql`
    select * from tasks where trace_id = ${traceId} order by created_at, id limit ${limit}`,
  );
}

/** Events of these tasks, in order. */
export function listEventsOf(db: Queryable, taskIds: readonly string[], limit: number): Promise<TaskEvent[]> {
  return many(
    db,
    toEvent,
    sql`
    select seq, task_id, kind, actor, at, version, data from task_events
     where task_id = any (${[...taskIds]}::uuid[]) order by seq limit ${limit}`,
  );
}

/** A task and everything below it, oldest first; empty when there is no such task. */
export function listTree(db: Queryable, id: string, limit: number): Promise<Task[]> {
  return many(
    db,
    toTask,
    sql`
    with recursive tree as (
      select id from tasks where id = ${id}
      union
      select c.id from tasks c join tree on c.parent_id = tree.id
    )
    select * from tasks where id in (select id from tree limit ${limit}) order by created_at, id`,
  );
}
