import type { Task } from "@signalbox/common/contracts/task.ts";
import { many, prepared, type Queryable, type Row, rawSql, sql } from "@signalbox/common/sql.ts";
import type { NewTask } from "../new-task.ts";
import type { FreeSlot } from "../slots.ts";
import type { Claimed } from "./rows.ts";

/** A task that waits for nobody and nothing: no key, parent, approval, secret or time of its own. */
export function isPlain(task: NewTask): boolean {
  const { idempotency, concurrencyKey, parentId, approval, runAt, raw, secrets } = task;
  const special = [idempotency, concurrencyKey, parentId, approval, runAt, raw, secrets];
  return special.every((member) => member === null || member === undefined);
}

/** A plain task, and the slot of an agent that is kept free for it, so that it is claimed as it is made. */
export type PlainTask = { task: NewTask; slot: FreeSlot | null };
export type StoredPlain = { task: Task; claimed: Claimed | null };

/**
 * Stores plain tasks with their `created` events in one statement, which does only what such tasks need: a third less work for
 * PostgreSQL than the one that stores any task (`insertTask`). Of a stored task only what the database decides is read back.
 *
 * A task that comes with a slot is stored as claimed, with its `started` event: one commit and one change of its row less than
 * by `claimTasks`, and the fences are the same. Unless a task of its type is ready already: that one, or a better one, is first.
 *
 * The conditions that always hold make the kept plan look as cheap to PostgreSQL as it is: it assumes ten tasks in an array that it
 * does not know, and would plan anew each time, which takes longer than to store one.
 *
 * @returns by id, each task as it was made, whatever became of it at once
 */
export async function insertPlainTasks(
  db: Queryable,
  plain: readonly PlainTask[],
  lease: { owner: string; ms: number },
): Promise<Map<string, StoredPlain>> {
  const all = <T>(pick: (task: NewTask) => T) => plain.map(({ task }) => pick(task));
  const made = await many(
    db,
    toMade,
    prepared(
      "insert_plain_tasks",
      sql`
    with v as materialized (
      select v.*, case when v.agent is null then false
                       else not exists (select from tasks t where t.ready and t.type = v.type) end as starts
        from unnest(
        ${all((task) => task.id)}::uuid[], ${all((task) => task.type)}::text[], ${all((task) => task.source)}::text[],
        ${all((task) => JSON.stringify(task.payload))}::text[], ${all((task) => task.correlationId)}::text[],
        ${all((task) => task.traceId)}::text[], ${all((task) => task.priority)}::smallint[], ${all((task) => task.maxAttempts)}::int[],
        ${all((task) => task.timeoutMs)}::int[], ${all((task) => task.userKey)}::text[], ${all((task) => task.actor)}::text[],
        ${plain.map(({ slot }) => slot?.agent ?? null)}::text[], ${plain.map(({ slot }) => slot?.instance ?? null)}::text[])
      as v (id, type, source, payload, correlation_id, trace_id, priority, max_attempts, timeout_ms, user_key, actor, agent, instance)
       where v.max_attempts > 0 and v.type > ''
    ), made as (
      insert into tasks (id, type, source, status, payload, correlation_id, trace_id, priority, max_attempts, attempt_budget,
                         run_at, timeout_ms, user_key, ready, version, attempt, agent, agent_instance, started_at,
                         lease_id, lease_owner, lease_until)
      select id, type, source, case when starts then 'running' else 'queued' end, payload::jsonb, correlation_id, trace_id,
             priority, max_attempts, max_attempts, now(), timeout_ms, user_key, not starts, 1 + starts::int, starts::int,
             case when starts then agent end, case when starts then instance end, case when starts then now() end,
             case when starts then gen_random_uuid() end, case when starts then ${lease.owner} end,
             case when starts then now() + ${lease.ms} * interval '1 ms' end
        from v
      returning id, seq, type, source, created_at, run_at, lease_id, agent, agent_instance, lease_owner, task_state(tasks) as state
    ), noted as (
      insert into task_events (task_id, kind, actor, version, data, state)
      select made.id, k.kind, k.actor, k.version, k.data, k.state
        from made join v on v.id = made.id cross join lateral (
          select 'created' as kind, v.actor, 1 as version, jsonb_build_object('type', made.type, 'source', made.source) as data,
                 case when v.starts then ${stateBeforeStart} else made.state end as state
          union all
          select 'started', 'service:orchestrator', 2, jsonb_build_object('attempt', 1, 'agent', made.agent,
                 'instance', made.agent_instance, 'orchestrator', made.lease_owner), made.state
           where v.starts) k
       order by made.seq, k.version
    )
    select id, created_at, run_at, lease_id from made`,
    ),
  );
  const at = new Map(made.map((row) => [row.id, row]));
  return new Map(plain.flatMap((one) => toStored(one, at.get(one.task.id))));
}

/** Of `task_state`: status, attempt, agent and start, as they were for no longer than this statement. */
const stateBeforeStart = rawSql(
  `jsonb_set(jsonb_set(jsonb_set(jsonb_set(made.state, '{0}', '"queued"'), '{1}', '0'), '{5}', 'null'), '{11}', 'null')`,
);

type Made = { id: string; createdAt: string; runAt: string; leaseId: string | null };

function toMade(row: Row): Made {
  const { id, created_at: createdAt, run_at: runAt, lease_id: leaseId } = row as MadeRow;
  return { id, createdAt: createdAt.toISOString(), runAt: runAt.toISOString(), leaseId };
}

type MadeRow = { id: string; created_at: Date; run_at: Date; lease_id: string | null };

function toStored({ task, slot }: PlainTask, made: Made | undefined): [string, StoredPlain][] {
  if (made === undefined) return [];
  const { id, type, source, payload, correlationId, traceId, priority, maxAttempts, timeoutMs, userKey } = task;
  const { createdAt, runAt, leaseId } = made;
  // In the order in which a task is shown everywhere.
  const stored: Task = {
    ...{ id, type, source, status: "queued", version: 1, payload, result: null, error: null, correlationId, traceId },
    ...{
      priority,
      attempt: 0,
      maxAttempts,
      runAt,
      timeoutMs,
      concurrencyKey: null,
      parentId: null,
      agent: null,
      userKey,
    },
    ...{ waitingFor: null, approval: null, progress: null, createdAt, updatedAt: createdAt },
    ...{ startedAt: null, finishedAt: null },
  };
  const claimed = slot === null || leaseId === null ? null : toClaimed(stored, slot, leaseId);
  return [[id, { task: stored, claimed }]];
}

function toClaimed(task: Task, { agent, instance }: FreeSlot, leaseId: string): Claimed {
  return {
    task: { ...task, status: "running", version: 2, attempt: 1, agent, startedAt: task.createdAt },
    lease: { taskId: task.id, attempt: 1, leaseId },
    agentName: agent,
    instance,
    input: null,
    hasInput: false,
    raw: null,
    secrets: null,
  };
}
