import type { EventKind } from "@signalbox/common/contracts/event.ts";
import type { Task } from "@signalbox/common/contracts/task.ts";
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
import type { Next, RetryTerms } from "../patch.ts";
import { toTask } from "./rows.ts";

/** What a rule decided about a task that it was shown locked. */
export type Decision<R> =
  | { kind: "refuse"; because: R }
  | { kind: "keep" }
  | { kind: "change"; next: Next; event: { kind: EventKind; data: Record<string, unknown> } };

export type Changed<R> =
  | { kind: "missing" }
  | { kind: "refused"; because: R; task: Task }
  | { kind: "kept" | "changed"; task: Task };

/** A task under lock, with what a rule may need beyond what people see. */
export type Locked = RetryTerms & {
  task: Task;
  /** What it waits for has expired. */
  isLate: boolean;
};

/**
 * Changes one task by a pure rule: its key is locked, then its row, then the rule sees it, then row, event and line are written,
 * all in one transaction. The order (keys before rows) is everybody's, so two changes cannot deadlock.
 */
export async function changeTask<R>(
  pool: Pool,
  id: string,
  actor: string,
  decide: (locked: Locked) => Decision<R>,
): Promise<Changed<R>> {
  // Whoever comes too late already is told without waiting in line for the row.
  const early = await maybeOne(pool, toLocked, sql`select *, ${late} from tasks where id = ${id}`);
  if (early === null) return { kind: "missing" };
  const verdict = decide({ ...early, isApproved: false });
  if (verdict.kind === "refuse" && early.task.finishedAt === null) {
    return { kind: "refused", because: verdict.because, task: early.task };
  }
  return transaction(pool, (db) => changeLocked(db, id, actor, decide), patienceMs);
}

/** Less than a statement may take, so that who waits too long is told so by the lock. */
const patienceMs = 4_500;

async function changeLocked<R>(
  db: Queryable,
  id: string,
  actor: string,
  decide: (locked: Locked) => Decision<R>,
): Promise<Changed<R>> {
  await exec(db, sql`select key_lock(array(select concurrency_key from tasks where id = ${id}))`);
  const locked = await maybeOne(db, toLocked, sql`select *, ${late} from tasks where id = ${id} for update`);
  if (locked === null) return { kind: "missing" };
  const { task: before } = locked;
  const isApproved = before.approval !== null && (await wasApproved(db, id));
  const decision = decide({ ...locked, isApproved });
  if (decision.kind === "refuse") return { kind: "refused", because: decision.because, task: before };
  if (decision.kind === "keep") return { kind: "kept", task: before };
  const task = await writeChange(db, before, actor, decision);
  const key = task.concurrencyKey;
  // In its place by creation if it comes (back) into its line, then whoever is first where nobody stands in front.
  if (key !== null) await exec(db, sql`select join_lines(array[${id}]::uuid[]), promote_next(array[${key}]::text[])`);
  return { kind: "changed", task };
}

/** By the clock, because the transaction may have waited for the row. */
const late = rawSql("coalesce(waits_until < clock_timestamp(), false) as is_late");

function toLocked(row: Row): Omit<Locked, "isApproved"> {
  return { task: toTask(row), attemptBudget: row.attempt_budget as number, isLate: row.is_late as boolean };
}

/** A statement of its own, after the row's lock, so that it sees a decision that was waited for. */
async function wasApproved(db: Queryable, id: string): Promise<boolean> {
  const last = await maybeOne(
    db,
    (row) => row.kind as EventKind,
    sql`select kind from task_events where task_id = ${id} and kind in ('approved', 'rejected') order by seq desc limit 1`,
  );
  return last === "approved";
}

function writeChange(
  db: Queryable,
  task: Task,
  actor: string,
  { next, event }: { next: Next; event: { kind: EventKind; data: Record<string, unknown> } },
): Promise<Task> {
  const ended = next.status === "completed" || next.status === "failed" || next.status === "canceled";
  const running = next.status === "running";
  const isDecision = event.kind === "approved" || event.kind === "rejected";
  const keepInput = next.input === undefined;
  return one(
    db,
    toTask,
    sql`
    with due as (select coalesce(${next.runAt}::timestamptz, now()) as at),
    changed as (
      update tasks
         set status = ${next.status}, version = version + 1, waiting_for = ${next.waitingFor}::text,
             payload = ${JSON.stringify(next.payload ?? null)}::jsonb,
             result = ${next.result === null || next.result === undefined ? null : JSON.stringify(next.result)}::jsonb,
             error = ${next.error === null ? null : JSON.stringify(next.error)}::jsonb,
             correlation_id = ${next.correlationId}::text, priority = ${next.priority}::smallint, run_at = due.at,
             max_attempts = ${next.maxAttempts}::int,
             approval = ${next.approval === null ? null : JSON.stringify(next.approval)}::jsonb
                     || case when ${isDecision} then jsonb_build_object('decidedAt', to_char(now() at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'))
                             else '{}'::jsonb end,
             waits_until = ${next.waitingFor === "approval" ? (next.approval?.expiresAt ?? null) : null}::timestamptz,
             progress = ${next.progress === null ? null : JSON.stringify(next.progress)}::jsonb,
             input = case when ${keepInput} then input else ${JSON.stringify(next.input ?? null)}::jsonb end,
             lease_id = case when ${running} then lease_id end, lease_owner = case when ${running} then lease_owner end,
             lease_until = case when ${running} then lease_until end,
             line = case when ${ended} or ${next.status === "queued"} and attempt = 0 and due.at > now() then null else line end,
             ready = ${next.status === "queued"} and due.at <= now() and (concurrency_key is null or line is not distinct from 1),
             updated_at = now(),
             finished_at = case when ${ended} then coalesce(finished_at, now()) end
        from due
       where id = ${task.id}
      returning tasks.*, task_state(tasks) as state
    ), noted as (
      insert into task_events (task_id, kind, actor, version, data, state)
      select id, ${event.kind}, ${actor}, version,
             ${JSON.stringify(event.data)}::jsonb || case when ${event.kind} in ('completed', 'failed')
               then jsonb_build_object('durationMs', round(extract(epoch from finished_at - started_at) * 1000)) else '{}'::jsonb end,
             state
        from changed
    ) select * from changed`,
  );
}

type CancelBy = { actor: string; reason: string | null };
type CanceledTree = { task: Task; canceled: string[] };

/** Whoever goes on making children below a canceled task has to be stopped otherwise. */
const maxRounds = 10;

/**
 * Cancels a task and everything below it that has not ended. Null: no such task.
 * The answer names those that were open; empty when the task has completed or failed, and then nothing was canceled below.
 *
 * A child whose making holds its parent's row is not seen before it commits, and whoever cancels waits for it. So it is looked
 * for again, in a transaction of its own: its key must be locked before any row.
 */
export async function cancelTree(pool: Pool, id: string, by: CancelBy): Promise<CanceledTree | null> {
  const done = await cancelSeen(pool, id, { ...by, isAgain: false });
  if (done?.task.status !== "canceled") return done;
  return { ...done, canceled: [...done.canceled, ...(await cancelBelow(pool, id, by))] };
}

/** Cancels everything open below a task that is canceled already; the answer names it. */
export async function cancelBelow(pool: Pool, id: string, by: CancelBy): Promise<string[]> {
  const canceled: string[] = [];
  for (let round = 1; round < maxRounds && (await hasOpenBelow(pool, id)); round++) {
    const late = await cancelSeen(pool, id, { ...by, isAgain: true });
    canceled.push(...(late?.canceled ?? []));
  }
  return canceled;
}

function hasOpenBelow(db: Queryable, id: string): Promise<boolean> {
  return one(
    db,
    (row) => row.found as boolean,
    sql`
    with recursive tree as (
      select id, status from tasks where id = ${id}
      union all
      select c.id, c.status from tasks c join tree on c.parent_id = tree.id
    ) cycle id set again using path
    select exists (select 1 from tree where status in ('queued', 'running', 'waiting') and id <> ${id}) as found`,
  );
}

/** @param by `isAgain`: only while the task is still canceled, because it may have been retried since */
function cancelSeen(pool: Pool, id: string, by: CancelBy & { isAgain: boolean }): Promise<CanceledTree | null> {
  return transaction(pool, async (db) => {
    const tree = await many(
      db,
      (row) => ({ id: row.id as string, key: row.concurrency_key as string | null }),
      sql`
      with recursive tree as (
        select id, concurrency_key, status from tasks where id = ${id}
        union all
        select c.id, c.concurrency_key, c.status from tasks c join tree on c.parent_id = tree.id
      ) cycle id set again using path
      select id, concurrency_key from tree where not again`,
    );
    if (tree.length === 0) return null;
    const ids = tree.map((row) => row.id);
    const keys = [...new Set(tree.flatMap((row) => row.key ?? []))];
    await exec(db, sql`select key_lock(${keys}::text[])`);
    // Locked before they are judged: one that was waited for may have ended, and the next statement sees that.
    await exec(
      db,
      sql`
      select 1 from tasks where id = any (${ids}::uuid[]) and status in ('queued', 'running', 'waiting') order by id for update`,
    );
    const message = by.reason ?? `canceled by ${by.actor}`;
    const canceled = await many(
      db,
      (row) => row.id as string,
      sql`
      with open as materialized (
        select id from tasks
         where id = any (${ids}::uuid[]) and status in ('queued', 'running', 'waiting')
           and not exists (select 1 from tasks root where root.id = ${id}
             and (root.status in ('completed', 'failed') or ${by.isAgain} and root.status <> 'canceled'))
         order by id for update
      ), canceled as (
        update tasks
           set status = 'canceled', version = version + 1, waiting_for = null, line = null, ready = false,
               error = jsonb_build_object('code', 'canceled', 'message', ${message}::text),
               lease_id = null, lease_owner = null, lease_until = null, waits_until = null, updated_at = now(), finished_at = now()
         where id = any (array(select id from open))
        returning *, task_state(tasks) as state
      ), noted as (
        insert into task_events (task_id, kind, actor, version, data, state)
        select id, 'canceled', ${by.actor}, version,
               jsonb_strip_nulls(jsonb_build_object('reason', ${by.reason}::text, 'with', case when id <> ${id}::uuid then ${id}::text end)), state
          from canceled
      ) select id from canceled`,
    );
    if (keys.length > 0) await exec(db, sql`select promote_next(${keys}::text[])`);
    return { task: await one(db, toTask, sql`select * from tasks where id = ${id}`), canceled };
  });
}
