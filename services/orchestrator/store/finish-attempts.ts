import type { Approval, TaskError, WaitReason } from "@signalbox/common/contracts/task.ts";
import { exec, one, prepared, type Queryable, sql } from "@signalbox/common/sql.ts";
import type { Lease } from "./rows.ts";

/** How one attempt ends, or is put aside. */
export type Outcome =
  | { kind: "complete"; result: unknown }
  | { kind: "fail"; error: TaskError }
  | { kind: "retry"; error: TaskError; delayMs: number }
  | { kind: "park"; for: WaitReason; prompt: string | null }
  /** Handed back by a stopping orchestrator: claimable at once, and no attempt is spent. */
  | { kind: "release" }
  /** The agent answered "later": it renews by progress and ends the run itself. */
  | { kind: "defer" };

export type Finish = {
  lease: Lease;
  outcome: Outcome;
  actor: string;
  concurrencyKey: string | null;
  /** Only if its lease has run out meanwhile: the reaper's verdict on somebody else's run. */
  expired: boolean;
};

/**
 * Ends a batch of attempts in one statement with their events, and gives the keys that became free to the next in line.
 * Rows are locked in the order of their ids, after the keys' locks, so that two batches never wait for each other.
 *
 * Each row is looked up by its id (`lateral`): the plan is kept (see `prepared`), and one that was made while the table was
 * small must still be right when it is large. The condition that always holds makes the kept plan look as cheap to
 * PostgreSQL as it is: it assumes ten elements in an array that it does not know.
 *
 * @returns ids of the attempts that ended; one that is missing had lost its lease, and nothing changed for it
 */
export async function finishAttempts(
  db: Queryable,
  batch: readonly Finish[],
): Promise<{ ended: Set<string>; promoted: number }> {
  const c = toColumns(batch);
  return one(
    db,
    toEnded,
    prepared(
      "finish_attempts",
      sql`
    with locked as materialized (
      select key_lock(${c.keys}::text[]) where cardinality(${c.keys}::text[]) > 0
    ), v as materialized (
      select v.* from (select count(*) from locked) first cross join unnest(
        ${c.ids}::uuid[], ${c.attempts}::int[], ${c.leaseIds}::uuid[], ${c.outcomes}::text[], ${c.results}::text[], ${c.errors}::text[],
        ${c.delays}::float8[], ${c.waits}::text[], ${c.approvals}::text[], ${c.actors}::text[], ${c.expired}::boolean[])
      as v (id, attempt, lease_id, outcome, result, error, delay_ms, waiting_for, approval, actor, expired)
       where v.attempt > 0
       order by v.id
    ), held as materialized (
      select v.*
        from v
       cross join lateral (select lease_id, attempt, lease_until from tasks where id = v.id for update) t
       where t.lease_id = v.lease_id and t.attempt = v.attempt and (not v.expired or t.lease_until < now())
    ), ended as (
      update tasks t
         set status = case v.outcome when 'complete' then 'completed' when 'fail' then 'failed' when 'park' then 'waiting'
                                     when 'defer' then 'running' else 'queued' end,
             version = t.version + (v.outcome <> 'defer')::int,
             result = case v.outcome when 'complete' then v.result::jsonb else t.result end,
             error = case when v.outcome = 'complete' then null when v.error is null then t.error else v.error::jsonb end,
             run_at = case v.outcome when 'retry' then now() + v.delay_ms * interval '1 ms' else t.run_at end,
             ready = v.outcome = 'release' or (v.outcome = 'retry' and v.delay_ms = 0),
             max_attempts = t.max_attempts + (v.outcome in ('release', 'park'))::int,
             waiting_for = v.waiting_for,
             approval = coalesce(v.approval::jsonb, t.approval),
             input = case when v.outcome in ('complete', 'fail') then null else t.input end,
             line = case when v.outcome in ('complete', 'fail') then null else t.line end,
             lease_id = case v.outcome when 'defer' then t.lease_id end,
             lease_owner = null,
             lease_until = case v.outcome when 'defer' then now() + t.timeout_ms * interval '1 ms' end,
             updated_at = now(),
             finished_at = case when v.outcome in ('complete', 'fail') then now() end
        from held v
       where t.id = v.id
      returning t.*, task_state(t) as state, v.outcome, v.actor, v.delay_ms, v.expired
    ), noted as (
      insert into task_events (task_id, kind, actor, version, data, state)
      select id, n.kind, actor, version, n.data, state
        from ended cross join lateral (
          select 1 as place, 'lease_expired' as kind, jsonb_build_object('attempt', attempt) as data where expired
          union all
          select 2, case outcome when 'complete' then 'completed' when 'fail' then 'failed' when 'park' then waiting_for || '_requested'
                                 else 'retry_scheduled' end,
                 jsonb_build_object('attempt', attempt) || case outcome
                   when 'complete' then jsonb_build_object('durationMs', round(extract(epoch from finished_at - started_at) * 1000))
                   when 'fail' then jsonb_build_object('error', error, 'durationMs', round(extract(epoch from finished_at - started_at) * 1000))
                   when 'retry' then jsonb_build_object('error', error, 'delayMs', delay_ms,
                        'runAt', to_char(run_at at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'))
                   when 'release' then jsonb_build_object('reason', 'released', 'delayMs', 0)
                   else jsonb_strip_nulls(jsonb_build_object('prompt', approval->'prompt')) end
           where outcome <> 'defer') n
       order by ended.seq, n.place
    )
    select array_agg(id) as ids, case when count(concurrency_key) > 0
             then promote_next(array_agg(concurrency_key) filter (where line is null)) else 0 end as promoted from ended`,
    ),
  );
}

function toEnded(row: Record<string, unknown>): { ended: Set<string>; promoted: number } {
  return { ended: new Set((row.ids as string[] | null) ?? []), promoted: row.promoted as number };
}

/** A batch as the arrays that the statement takes. */
function toColumns(batch: readonly Finish[]) {
  return {
    keys: batch.flatMap((item) => item.concurrencyKey ?? []),
    ids: batch.map((item) => item.lease.taskId),
    attempts: batch.map((item) => item.lease.attempt),
    leaseIds: batch.map((item) => item.lease.leaseId),
    outcomes: batch.map((item) => item.outcome.kind),
    results: batch.map(toResultText),
    errors: batch.map(toErrorText),
    delays: batch.map(toDelayMs),
    waits: batch.map(toWaitReason),
    approvals: batch.map(toApprovalText),
    actors: batch.map((item) => item.actor),
    expired: batch.map((item) => item.expired),
  };
}

/**
 * Writes down answers that came too late: the task stays as it is. Its row is locked, so that no newer version gets a lower
 * number in the ledger than this event of an older one.
 */
export function noteDiscarded(db: Queryable, late: readonly Finish[]): Promise<number> {
  return exec(
    db,
    sql`
    insert into task_events (task_id, kind, actor, version, data, state)
    select t.id, 'result_discarded', v.actor, t.version,
           jsonb_build_object('attempt', v.attempt, 'outcome', v.outcome, 'reason', 'the lease was lost'), task_state(t)
      from unnest(${late.map((item) => item.lease.taskId)}::uuid[], ${late.map((item) => item.lease.attempt)}::int[],
                  ${late.map((item) => item.outcome.kind)}::text[], ${late.map((item) => item.actor)}::text[])
           v (id, attempt, outcome, actor)
      join tasks t on t.id = v.id
       for share of t`,
  );
}

function toResultText({ outcome }: Finish): string | null {
  return outcome.kind === "complete" ? JSON.stringify(outcome.result ?? null) : null;
}

function toErrorText({ outcome }: Finish): string | null {
  return outcome.kind === "fail" || outcome.kind === "retry" ? JSON.stringify(outcome.error) : null;
}

function toDelayMs({ outcome }: Finish): number {
  return outcome.kind === "retry" ? outcome.delayMs : 0;
}

function toWaitReason({ outcome }: Finish): string | null {
  return outcome.kind === "park" ? outcome.for : null;
}

/** What a parked task shows to the person who must answer; kept for input too, so that the prompt is on the task. */
function toApprovalText({ outcome, actor }: Finish): string | null {
  if (outcome.kind !== "park") return null;
  const approval: Approval = {
    reason: null,
    prompt: outcome.prompt,
    requestedBy: actor,
    expiresAt: null,
    decidedBy: null,
    decidedAt: null,
  };
  return JSON.stringify(approval);
}
