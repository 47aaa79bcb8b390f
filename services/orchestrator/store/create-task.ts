import type { Task } from "@signalbox/common/contracts/task.ts";
import { maybeOne, one, prepared, type Queryable, type Row, sql } from "@signalbox/common/sql.ts";
import type { NewTask } from "../new-task.ts";
import { taskColumns, toTask } from "./rows.ts";

/**
 * Stores a task, its `created` event and its idempotency key in one statement.
 * Null: the idempotency key is taken, and nothing was stored.
 */
export function insertTask(db: Queryable, task: NewTask): Promise<Task | null> {
  const key = task.idempotency?.key ?? null;
  const status = task.approval === null ? "queued" : "waiting";
  const approval = task.approval && {
    reason: task.approval.reason,
    prompt: null,
    requestedBy: task.actor,
    expiresAt: null,
    decidedBy: null,
    decidedAt: null,
  };
  const expiresIn = task.approval?.expiresInSeconds ?? null;
  return maybeOne(
    db,
    toTask,
    prepared(
      "insert_task",
      sql`
    with idem as (
      insert into idempotency_keys (key, body_hash, task_id)
      select ${key}::text, ${task.idempotency?.bodyHash ?? null}::bytea, ${task.id}::uuid where ${key}::text is not null
      on conflict (key) do nothing returning 1
    ), made as (
      insert into tasks (id, type, source, status, payload, correlation_id, trace_id, priority, max_attempts, attempt_budget,
                         run_at, timeout_ms, concurrency_key, user_key, parent_id, waiting_for, approval, waits_until, raw, secrets, ready)
      select ${task.id}::uuid, ${task.type}, ${task.source}, ${status}, ${JSON.stringify(task.payload)}::jsonb,
             ${task.correlationId}::text, ${task.traceId}, ${task.priority}::smallint, ${task.maxAttempts}::int, ${task.maxAttempts}::int,
             coalesce(${task.runAt}::timestamptz, now()), ${task.timeoutMs}::int, ${task.concurrencyKey}::text,
             ${task.userKey}::text, ${task.parentId}::uuid, ${task.approval === null ? null : "approval"}::text,
             ${approval === null ? null : JSON.stringify(approval)}::jsonb || case when ${expiresIn}::int is null then '{}'::jsonb
               else jsonb_build_object('expiresAt', to_char(now() at time zone 'utc' + make_interval(secs => ${expiresIn}::int),
                    'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')) end,
             now() + make_interval(secs => ${expiresIn}::int),
             ${toJson(task.raw)}::jsonb, ${toJson(task.secrets)}::jsonb,
             ${status} = 'queued' and coalesce(${task.runAt}::timestamptz <= now(), true)
       where ${key}::text is null or exists (select 1 from idem)
      returning *, task_state(tasks) as state
    ), noted as (
      insert into task_events (task_id, kind, actor, version, data, state)
      select id, k.kind, ${task.actor}, version,
             case when k.kind = 'created' then jsonb_build_object('type', type, 'source', source)
                  else jsonb_strip_nulls(jsonb_build_object('reason', approval->'reason', 'expiresAt', approval->'expiresAt')) end,
             state
        from made cross join lateral (values (1, 'created'), (2, 'approval_requested')) k (place, kind)
       where k.kind = 'created' or status = 'waiting'
       order by k.place
    )
    select ${taskColumns} from made`,
    ),
  );
}

/** The task that an idempotency key made, with the hash of the body that it came with. */
export function getReplayed(db: Queryable, key: string): Promise<{ task: Task; bodyHash: Buffer }> {
  const toReplayed = (row: Row) => ({ task: toTask(row), bodyHash: row.body_hash as Buffer });
  return one(
    db,
    toReplayed,
    sql`
    select t.*, i.body_hash from idempotency_keys i join tasks t on t.id = i.task_id where i.key = ${key}`,
  );
}

function toJson(value: unknown): string | null {
  return value === null || value === undefined ? null : JSON.stringify(value);
}
