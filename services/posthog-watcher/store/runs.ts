import { exec, many, maybeOne, type Queryable, type Row, sql } from "@signalbox/common/sql.ts";
import { uuidv7 } from "@signalbox/common/uuid.ts";

export type Run = {
  id: string;
  /** null: all of them */
  monitor: string | null;
  reason: string;
  actor: string;
  state: "queued" | "done" | "failed";
  outcome: unknown;
  askedAt: string;
  endedAt: string | null;
};

function toRun(row: Row): Run {
  return {
    id: String(row.id),
    monitor: row.monitor === null ? null : String(row.monitor),
    reason: String(row.reason),
    actor: String(row.actor),
    state: row.state as Run["state"],
    outcome: row.outcome,
    askedAt: (row.asked_at as Date).toISOString(),
    endedAt: row.ended_at === null ? null : (row.ended_at as Date).toISOString(),
  };
}

/** Asks for a run. One of the same monitor that still waits is the same run: a webhook that comes ten times makes one. */
export async function askForRun(
  db: Queryable,
  { monitor, reason, actor }: Pick<Run, "monitor" | "reason" | "actor">,
): Promise<string> {
  const made = await maybeOne(
    db,
    (row) => String(row.id),
    sql`
    with waiting as (
      select id from watch_runs where state = 'queued' and monitor is not distinct from ${monitor} limit 1
    ), asked as (
      insert into watch_runs (id, monitor, reason, actor)
      select ${uuidv7()}, ${monitor}, ${reason}, ${actor} where not exists (select from waiting)
      returning id
    ) select id from waiting union all select id from asked`,
  );
  if (made === null) throw new Error("a run was neither waiting nor made");
  return made;
}

export function listQueuedRuns(db: Queryable): Promise<Run[]> {
  return many(db, toRun, sql`select * from watch_runs where state = 'queued' order by asked_at limit 100`);
}

export function endRuns(
  db: Queryable,
  ids: readonly string[],
  { state, outcome }: { state: "done" | "failed"; outcome: unknown },
): Promise<number> {
  return exec(
    db,
    sql`
    update watch_runs set state = ${state}, outcome = ${JSON.stringify(outcome)}::jsonb, ended_at = now()
     where id = any(${ids}::uuid[]) and state = 'queued'`,
  );
}

export function findRun(db: Queryable, id: string): Promise<Run | null> {
  return maybeOne(db, toRun, sql`select * from watch_runs where id = ${id}`);
}

/** Which wakeups have not fired for their moment yet; those that are answered have now. */
export function claimFires(
  db: Queryable,
  due: readonly { title: string; dueAt: number; isLate: boolean }[],
): Promise<{ title: string; dueAt: number; isLate: boolean }[]> {
  return many(
    db,
    (row) => ({ title: String(row.title), dueAt: (row.due_at as Date).getTime(), isLate: row.is_late === true }),
    sql`
    insert into watch_wakeup_fires (title, due_at, is_late)
    select * from unnest(${due.map(({ title }) => title)}::text[], ${due.map(({ dueAt }) => new Date(dueAt).toISOString())}::timestamptz[],
      ${due.map(({ isLate }) => isLate)}::boolean[])
    on conflict do nothing returning *`,
  );
}
