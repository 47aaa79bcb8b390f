import type { Task } from "@signalbox/common/contracts/task.ts";
import { many, one, prepared, type Queryable, type Row, sql } from "@signalbox/common/sql.ts";
import type { NewTask } from "../new-task.ts";
import { taskColumns, toTask } from "./rows.ts";

/**
 * Stores a task, its `created` event and its idempotency key in one statement.
 * Null: the idempotency key is taken, and nothing was stored.
 */
export async function insertTask(db: Queryable, task: NewTask): Promise<Task | null> {
  return (await insertTasks(db, [task])).get(task.id) ?? null;
}

/** The same for several; the answer has those that were stored, by id. */
async function insertTasks(db: Queryable, tasks: readonly NewTask[]): Promise<Map<string, Task>> {
  const all = <T>(pick: (task: NewTask) => T) => tasks.map(pick);
  const made = await many(
    db,
    toTask,
    prepared(
      "insert_tasks",
      sql`
    with v as materialized (
      select * from unnest(
        ${all((task) => task.id)}::uuid[], ${all((task) => task.type)}::text[], ${all((task) => task.source)}::text[],
        ${all((task) => JSON.stringify(task.payload))}::text[], ${all((task) => task.correlationId)}::text[],
        ${all((task) => task.traceId)}::text[], ${all((task) => task.priority)}::smallint[], ${all((task) => task.maxAttempts)}::int[],
        ${all((task) => task.runAt)}::timestamptz[], ${all((task) => task.timeoutMs)}::int[], ${all((task) => task.concurrencyKey)}::text[],
        ${all((task) => task.userKey)}::text[], ${all((task) => task.parentId)}::uuid[], ${all(toApprovalText)}::text[],
        ${all((task) => task.approval?.expiresInSeconds ?? null)}::int[], ${all((task) => toJson(task.raw))}::text[],
        ${all((task) => toJson(task.secrets))}::text[], ${all((task) => task.actor)}::text[],
        ${all((task) => task.idempotency?.key ?? null)}::text[], ${all((task) => task.idempotency?.bodyHash ?? null)}::bytea[])
      as v (id, type, source, payload, correlation_id, trace_id, priority, max_attempts, run_at, timeout_ms, concurrency_key, user_key,
            parent_id, approval, expires_in, raw, secrets, actor, idempotency_key, body_hash)
    ), idem as (
      insert into idempotency_keys (key, body_hash, task_id)
      select idempotency_key, body_hash, id from v where idempotency_key is not null
      on conflict (key) do nothing returning task_id
    ), made as (
      insert into tasks (id, type, source, status, payload, correlation_id, trace_id, priority, max_attempts, attempt_budget,
                         run_at, timeout_ms, concurrency_key, user_key, parent_id, waiting_for, approval, waits_until, raw, secrets, ready)
      select id, type, source, case when approval is null then 'queued' else 'waiting' end, payload::jsonb, correlation_id, trace_id,
             priority, max_attempts, max_attempts, coalesce(run_at, now()), timeout_ms, concurrency_key, user_key, parent_id,
             case when approval is not null then 'approval' end,
             approval::jsonb || case when expires_in is null then '{}'::jsonb
               else jsonb_build_object('expiresAt', to_char(now() at time zone 'utc' + make_interval(secs => expires_in),
                    'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')) end,
             now() + make_interval(secs => expires_in), raw::jsonb, secrets::jsonb,
             approval is null and coalesce(run_at <= now(), true)
        from v
       where idempotency_key is null or id in (select task_id from idem)
      returning *, task_state(tasks) as state
    ), noted as (
      insert into task_events (task_id, kind, actor, version, data, state)
      select made.id, k.kind, v.actor, made.version,
             case when k.kind = 'created' then jsonb_build_object('type', made.type, 'source', made.source)
                  else jsonb_strip_nulls(jsonb_build_object('reason', made.approval->'reason', 'expiresAt', made.approval->'expiresAt')) end,
             made.state
        from made join v on v.id = made.id cross join lateral (select 1 as place, 'created' as kind union all select 2, 'approval_requested' where made.status = 'waiting') k
       order by made.seq, k.place
    )
    select ${taskColumns} from made`,
    ),
  );
  return new Map(made.map((task) => [task.id, task]));
}

function toApprovalText({ approval, actor }: NewTask): string | null {
  if (approval === null) return null;
  const { reason } = approval;
  return JSON.stringify({
    reason,
    prompt: null,
    requestedBy: actor,
    expiresAt: null,
    decidedBy: null,
    decidedAt: null,
  });
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

/** Somebody has made a task with this idempotency key. */
export function isKeyUsed(db: Queryable, key: string): Promise<boolean> {
  return one(
    db,
    (row) => row.used as boolean,
    sql`select exists (select from idempotency_keys where key = ${key}) as used`,
  );
}

function toJson(value: unknown): string | null {
  return value === null || value === undefined ? null : JSON.stringify(value);
}
