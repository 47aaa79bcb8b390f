import { many, maybeOne, type Queryable, type Row, sql } from "@signalbox/common/sql.ts";
import type { Lease } from "./rows.ts";

export type Renewal = {
  renewed: Set<string>;
  /**
   * Still held, but their rows were locked by somebody just now: one locked row must not cost all others their leases. Or deferred
   * just now: they have their agent's time, and no owner.
   */
  skipped: Set<string>;
};

/** Renews the leases of one orchestrator in one statement. A lease that is in neither answer has been lost. */
export async function renewLeases(db: Queryable, held: readonly Lease[], ms: number): Promise<Renewal> {
  const ids = held.map((lease) => lease.taskId);
  const leaseIds = held.map((lease) => lease.leaseId);
  const rows = await many(
    db,
    (row) => ({ leaseId: row.lease_id as string, isRenewed: row.is_renewed as boolean }),
    sql`
    with held as materialized (
      select id, lease_id from tasks
       where id = any (${ids}::uuid[]) and status = 'running' and lease_id = any (${leaseIds}::uuid[])
    ), free as materialized (
      select id from tasks where id = any (array(select id from held)) and status = 'running' and lease_id = any (${leaseIds}::uuid[])
         and lease_owner is not null
       order by id for update skip locked
    ), renewed as (
      update tasks set lease_until = now() + ${ms} * interval '1 ms' where id = any (array(select id from free)) returning lease_id
    )
    select lease_id, lease_id in (select lease_id from renewed) as is_renewed from held`,
  );
  const [renewed, skipped] = [true, false].map(
    (isRenewed) => new Set(rows.filter((row) => row.isRenewed === isRenewed).map((row) => row.leaseId)),
  );
  return { renewed: renewed ?? new Set(), skipped: skipped ?? new Set() };
}

/** A running attempt whose lease has run out. */
export type Expired = {
  lease: Lease;
  concurrencyKey: string | null;
  maxAttempts: number;
  agent: string;
  deferred: boolean;
};

/** Attempts whose lease has run out, oldest first, at most `limit`. Takes no locks: whoever acts on one checks again. */
export function listExpired(db: Queryable, limit: number): Promise<Expired[]> {
  return many(
    db,
    toExpired,
    sql`
    select id, attempt, lease_id, concurrency_key, max_attempts, agent, lease_owner from tasks
     where status = 'running' and lease_until < now() order by lease_until limit ${limit}`,
  );
}

function toExpired(row: Row): Expired {
  return {
    lease: { taskId: row.id as string, attempt: row.attempt as number, leaseId: row.lease_id as string },
    concurrencyKey: row.concurrency_key as string | null,
    maxAttempts: row.max_attempts as number,
    agent: row.agent as string,
    deferred: row.lease_owner === null,
  };
}

export type ProgressNote = { message: string; percent: number | null; agentName: string | null };

/**
 * Stores an agent's progress, renews its lease and writes the event. Null: that attempt does not run (any more).
 *
 * @param leaseId the agent's copy of the fence, when it sent one back
 */
export function reportProgress(
  db: Queryable,
  run: { taskId: string; attempt: number; leaseId: string | null },
  note: ProgressNote,
  leaseMs: number,
): Promise<{ version: number; leaseUntil: string } | null> {
  const toRenewed = (row: Row) => ({
    version: row.version as number,
    leaseUntil: (row.lease_until as Date).toISOString(),
  });
  return maybeOne(
    db,
    toRenewed,
    sql`
    with renewed as (
      update tasks
         set version = version + 1, updated_at = now(),
             progress = ${JSON.stringify(note)}::jsonb
                     || jsonb_build_object('at', to_char(now() at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')),
             lease_until = now() + interval '1 ms' * case when lease_owner is null then timeout_ms else ${leaseMs} end
       where id = ${run.taskId} and attempt = ${run.attempt} and status = 'running'
         and (${run.leaseId}::uuid is null or lease_id = ${run.leaseId}::uuid)
      returning *, task_state(tasks) as state
    ), noted as (
      insert into task_events (task_id, kind, actor, version, data, state)
      select id, 'progress', 'agent:' || agent, version, jsonb_strip_nulls(progress - 'at') || jsonb_build_object('attempt', attempt), state
        from renewed
    ) select version, lease_until from renewed`,
  );
}

/** Adds an agent's own event (what it did outside, or a note). False: that attempt does not run. */
export async function noteAgentEvent(
  db: Queryable,
  run: { taskId: string; attempt: number },
  note: { kind: "side_effect" | "note"; data: Record<string, unknown> },
): Promise<boolean> {
  const rows = await many(
    db,
    () => true,
    sql`
    insert into task_events (task_id, kind, actor, version, data, state)
    select t.id, ${note.kind}, 'agent:' || t.agent, t.version, ${JSON.stringify({ ...note.data })}::jsonb || jsonb_build_object('attempt', t.attempt),
           task_state(t)
      from tasks t where t.id = ${run.taskId} and t.attempt = ${run.attempt} and t.status = 'running'
       for share
    returning 1`,
  );
  return rows.length === 1;
}

/** Appends what a service did outside because of a task that it does not run, whatever the task's status; false: there is no such task. */
export async function noteFromOutside(
  db: Queryable,
  taskId: string,
  note: { kind: "side_effect" | "note"; data: Record<string, unknown>; actor: string },
): Promise<boolean> {
  const rows = await many(
    db,
    () => true,
    sql`
    insert into task_events (task_id, kind, actor, version, data, state)
    select t.id, ${note.kind}, ${note.actor}, t.version, ${JSON.stringify({ ...note.data })}::jsonb, task_state(t)
      from tasks t where t.id = ${taskId}
       for share
    returning 1`,
  );
  return rows.length === 1;
}

/** Writes down an agent's late call; the task stays as it is, and its row is locked for the order of the ledger. */
export async function noteLateCall(
  db: Queryable,
  taskId: string,
  late: { attempt: number; what: string; actor: string },
): Promise<void> {
  await many(
    db,
    () => null,
    sql`
    insert into task_events (task_id, kind, actor, version, data, state)
    select t.id, 'result_discarded', ${late.actor}, t.version,
           jsonb_build_object('attempt', ${late.attempt}::int, 'outcome', ${late.what}::text, 'reason', 'that attempt does not run'), task_state(t)
      from tasks t where t.id = ${taskId}
       for share`,
  );
}
