import type { MissedPolicy, Schedule, ScheduledTask } from "@signalbox/common/contracts/schedule.ts";
import { decodeCursor, encodeCursor } from "@signalbox/common/cursor.ts";
import {
  exec,
  many,
  maybeOne,
  one,
  type Pool,
  type Queryable,
  type Row,
  rawSql,
  sql,
  transaction,
} from "@signalbox/common/sql.ts";
import type { NewTask } from "../new-task.ts";
import { type FirePlan, type ScheduleFields, type Timing, toTiming } from "../schedule.ts";
import { insertTask } from "./create-task.ts";

function toInstant(value: unknown): string | null {
  return value === null ? null : (value as Date).toISOString();
}

function toSchedule(row: Row): Schedule {
  return {
    id: row.id as string,
    name: row.name as string,
    cron: row.cron as string | null,
    everySeconds: row.every_seconds as number | null,
    at: toInstant(row.once_at),
    timezone: row.timezone as string,
    task: row.task as ScheduledTask,
    missed: row.missed as MissedPolicy,
    enabled: row.enabled as boolean,
    nextAt: row.enabled ? toInstant(row.next_at) : null,
    lastFiredAt: toInstant(row.last_fired_at),
    lastTaskId: row.last_task_id as string | null,
    lastError: row.last_error as string | null,
    createdAt: toInstant(row.created_at) ?? "",
    updatedAt: toInstant(row.updated_at) ?? "",
  };
}

export function insertSchedule(
  db: Queryable,
  id: string,
  fields: ScheduleFields,
  made: { by: string; nextMs: number | null; nowMs: number },
): Promise<Schedule> {
  return one(
    db,
    toSchedule,
    sql`
    insert into schedules (id, name, cron, every_seconds, once_at, timezone, task, missed, enabled, anchor_at, next_at, created_by)
    values (${id}, ${fields.name}, ${fields.cron}, ${fields.everySeconds}, ${fields.at}, ${fields.timezone}, ${JSON.stringify(fields.task)}::jsonb,
            ${fields.missed}, ${fields.enabled}, ${new Date(made.nowMs)}, ${toDate(made.nextMs)}, ${made.by})
    returning *`,
  );
}

function toDate(ms: number | null): Date | null {
  return ms === null ? null : new Date(ms);
}

/** The database's clock in ms; schedules are planned by it, never by a process's own. */
export function readClock(db: Queryable): Promise<number> {
  return one(db, (row) => Number(row.now), sql`select round(extract(epoch from clock_timestamp()) * 1000) as now`);
}

export function findSchedule(db: Queryable, id: string): Promise<Schedule | null> {
  return maybeOne(db, toSchedule, sql`select * from schedules where id = ${id}`);
}

export async function listSchedules(
  db: Queryable,
  page: { limit: number; cursor: string | undefined },
): Promise<{ items: Schedule[]; nextCursor: string | null }> {
  const [createdAt, id] = page.cursor === undefined ? [null, null] : decodeCursor(page.cursor, ["instant", "uuid"]);
  const after =
    createdAt === null ? rawSql("") : sql`where (created_at, id) < (${createdAt}::timestamptz, ${id}::uuid)`;
  const items = await many(
    db,
    toSchedule,
    sql`select * from schedules ${after} order by created_at desc, id desc limit ${page.limit + 1}`,
  );
  const isMore = items.length > page.limit;
  const last = items.slice(0, page.limit).at(-1);
  return {
    items: items.slice(0, page.limit),
    nextCursor: isMore && last ? encodeCursor([last.createdAt, last.id]) : null,
  };
}

/** Null: there is none of that id. `plan` sees the row locked and says what it shall be. */
export function changeSchedule(
  pool: Pool,
  id: string,
  plan: (current: Schedule, nowMs: number) => { fields: ScheduleFields; nextMs: number | null },
): Promise<Schedule | null> {
  return transaction(pool, async (db) => {
    const current = await maybeOne(db, toSchedule, sql`select * from schedules where id = ${id} for update`);
    if (current === null) return null;
    const nowMs = await readClock(db);
    const { fields, nextMs } = plan(current, nowMs);
    return one(
      db,
      toSchedule,
      sql`
      update schedules
         set name = ${fields.name}, cron = ${fields.cron}, every_seconds = ${fields.everySeconds}, once_at = ${fields.at},
             timezone = ${fields.timezone}, task = ${JSON.stringify(fields.task)}::jsonb, missed = ${fields.missed},
             anchor_at = case when every_seconds is distinct from ${fields.everySeconds}::int or not enabled then ${new Date(nowMs)} else anchor_at end,
             enabled = ${fields.enabled}, next_at = ${toDate(nextMs)}, updated_at = now(), last_error = null
       where id = ${id} returning *`,
    );
  });
}

export async function deleteSchedule(db: Queryable, id: string): Promise<boolean> {
  return (await exec(db, sql`delete from schedules where id = ${id}`)) === 1;
}

export type Due = { schedule: Schedule; timing: Timing; dueMs: number; nowMs: number };
export type Fired = { scheduleId: string; tasks: number; failed: string | null };

/**
 * Fires what is due, one schedule a transaction: its row is locked (others skip it), its tasks are made, each fire is noted under
 * a unique key, and `next_at` moves on. Whatever dies in between rolls back the whole of it. Null: nothing is due. What became due
 * last goes first: one that has much to make up for, or fails again and again, must not make all others late.
 *
 * @param passOver schedules that are not looked at
 * @param plan decides the fires by the database's clock
 * @param toTask makes the task of one fire, or says why it cannot be made
 */
export function fireNext(
  pool: Pool,
  passOver: ReadonlySet<string>,
  plan: (due: Due) => FirePlan,
  toTask: (due: Due, fireMs: number) => Promise<NewTask | { failed: string }>,
): Promise<Fired | null> {
  return transaction(pool, async (db) => {
    const due = await maybeOne(
      db,
      toDue,
      sql`
      select *, round(extract(epoch from clock_timestamp()) * 1000) as now_ms from schedules
       where enabled and next_at <= now() and id <> all (${[...passOver]}::uuid[])
       order by next_at desc limit 1 for update skip locked`,
    );
    if (due === null) return null;
    const { fires, nextMs } = plan(due);
    const made = await makeFires(db, due.schedule.id, fires, (fireMs) => toTask(due, fireMs));
    await exec(
      db,
      sql`
      update schedules
         set next_at = ${toDate(nextMs)}, last_error = ${made.failed}, last_task_id = coalesce(${made.lastId}::uuid, last_task_id),
             last_fired_at = coalesce(${toDate(made.lastMs)}::timestamptz, last_fired_at)
       where id = ${due.schedule.id}`,
    );
    return { scheduleId: due.schedule.id, tasks: made.count, failed: made.failed };
  });
}

function toDue(row: Row): Due {
  const schedule = toSchedule(row);
  return {
    schedule,
    timing: toTiming(schedule, (row.anchor_at as Date).getTime()),
    dueMs: (row.next_at as Date).getTime(),
    nowMs: Number(row.now_ms),
  };
}

type Made = { count: number; lastId: string | null; lastMs: number | null; failed: string | null };

async function makeFires(
  db: Queryable,
  scheduleId: string,
  fires: readonly number[],
  toTask: (fireMs: number) => Promise<NewTask | { failed: string }>,
): Promise<Made> {
  const made: Made = { count: 0, lastId: null, lastMs: null, failed: null };
  for (const fireMs of fires) {
    const task = await toTask(fireMs);
    if ("failed" in task) made.failed = task.failed;
    else if (await makeFire(db, scheduleId, fireMs, task)) {
      made.count++;
      made.lastId = task.id;
      made.lastMs = fireMs;
    }
  }
  return made;
}

/** False: this fire was made before. */
async function makeFire(db: Queryable, scheduleId: string, fireMs: number, task: NewTask): Promise<boolean> {
  const noted = await exec(
    db,
    sql`
    insert into schedule_fires (schedule_id, fire_at, task_id) values (${scheduleId}, ${new Date(fireMs)}, ${task.id})
    on conflict do nothing`,
  );
  if (noted === 0) return false;
  await insertTask(db, task);
  return true;
}

/** Records a fire by hand: it moves nothing but what was fired last. */
export async function noteManualFire(db: Queryable, id: string, taskId: string): Promise<void> {
  await exec(db, sql`update schedules set last_fired_at = now(), last_task_id = ${taskId} where id = ${id}`);
}

/** Milliseconds until the next fire by the database's clock; null when nothing is scheduled. */
export function nextFireInMs(db: Queryable): Promise<number | null> {
  return one(
    db,
    (row) => (row.ms === null ? null : Math.max(0, Number(row.ms))),
    sql`
    select extract(epoch from min(next_at) - now()) * 1000 as ms from schedules where enabled and next_at is not null`,
  );
}

/** Forgets fires older than thirty days: `next_at` has long moved past them. */
export function forgetFires(db: Queryable, limit: number): Promise<number> {
  return exec(
    db,
    sql`
    delete from schedule_fires where (schedule_id, fire_at) in (
      select schedule_id, fire_at from schedule_fires where fired_at < now() - interval '30 days' limit ${limit})`,
  );
}
