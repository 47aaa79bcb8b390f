import type { CreateTask } from "@signalbox/common/contracts/task.ts";
import { exec, many, maybeOne, type Queryable, type Row, sql } from "@signalbox/common/sql.ts";
import { uuidv7 } from "@signalbox/common/uuid.ts";

export type IntentKind = "propose" | "execute" | "reverse" | "notify" | "annotate" | "wakeup";
export type IntentStatus = "queued" | "sent" | "failed" | "held";

export type NewIntent = {
  kind: IntentKind;
  dedupeKey: string;
  findingId: string | null;
  task: CreateTask;
  /** ms, by the watcher's clock */
  at: number;
  /** held ones are never sent; they are told of in the next digest */
  status?: "queued" | "held";
};

export type Intent = Omit<NewIntent, "status"> & {
  id: string;
  status: IntentStatus;
  attempts: number;
  taskId: string | null;
  error: string | null;
};

function toIntent(row: Row): Intent {
  return {
    id: String(row.id),
    kind: row.kind as IntentKind,
    dedupeKey: String(row.dedupe_key),
    findingId: row.finding_id === null ? null : String(row.finding_id),
    task: row.task as CreateTask,
    at: (row.at as Date).getTime(),
    status: row.status as IntentStatus,
    attempts: Number(row.attempts),
    taskId: row.task_id === null ? null : String(row.task_id),
    error: row.error === null ? null : String(row.error),
  };
}

/** @returns its id; null when the same key is there already */
export function insertIntent(db: Queryable, intent: NewIntent): Promise<string | null> {
  return maybeOne(
    db,
    (row) => String(row.id),
    sql`
    insert into watch_intents (id, kind, dedupe_key, finding_id, task, at, status)
    values (${uuidv7()}, ${intent.kind}, ${intent.dedupeKey}, ${intent.findingId}, ${JSON.stringify(intent.task)}::jsonb,
      ${new Date(intent.at).toISOString()}, ${intent.status ?? "queued"})
    on conflict (dedupe_key) do nothing returning id`,
  );
}

/** Those that are due, oldest first. */
export function listDueIntents(db: Queryable, limit: number): Promise<Intent[]> {
  return many(
    db,
    toIntent,
    sql`select * from watch_intents where status = 'queued' and not_before <= now() order by created_at, id limit ${limit}`,
  );
}

export function markSent(db: Queryable, id: string, taskId: string): Promise<number> {
  return exec(
    db,
    sql`
    update watch_intents set status = 'sent', task_id = ${taskId}, ended_at = now(), error = null
     where id = ${id} and status = 'queued'`,
  );
}

export function markFailed(db: Queryable, id: string, error: string): Promise<number> {
  return exec(
    db,
    sql`
    update watch_intents set status = 'failed', error = ${error.slice(0, 1_000)}, ended_at = now()
     where id = ${id} and status = 'queued'`,
  );
}

export function putBack(
  db: Queryable,
  { id, error, delayMs }: { id: string; error: string; delayMs: number },
): Promise<number> {
  return exec(
    db,
    sql`
    update watch_intents set attempts = attempts + 1, error = ${error.slice(0, 1_000)},
           not_before = now() + ${delayMs} * interval '1 ms'
     where id = ${id} and status = 'queued'`,
  );
}

/** How many of a kind there were since a moment of the watcher's clock, held ones aside. */
export async function countSince(db: Queryable, kind: IntentKind, since: number): Promise<number> {
  const found = await maybeOne(
    db,
    (row) => Number(row.count),
    sql`
    select count(*) from watch_intents
     where kind = ${kind} and at >= ${new Date(since).toISOString()} and status <> 'held'`,
  );
  return found ?? 0;
}

/** For the digest: what was told, held back and asked for. */
export function listIntents(db: Queryable, from: number, to: number): Promise<Intent[]> {
  return many(
    db,
    toIntent,
    sql`
    select * from watch_intents
     where at >= ${new Date(from).toISOString()} and at < ${new Date(to).toISOString()} order by at limit 500`,
  );
}

/** Whether this very thing was meant to be taken back because of a finding. */
export async function isReversal(db: Queryable, findingId: string, task: { type: string; payload: unknown }) {
  const count = await maybeOne(
    db,
    (row) => Number(row.count),
    sql`
    select count(*) from watch_intents
     where kind = 'reverse' and finding_id = ${findingId} and task->>'type' = ${task.type}
       and task->'payload' = ${JSON.stringify(task.payload)}::jsonb`,
  );
  return (count ?? 0) > 0;
}

export type ActionState = "asked" | "checking" | "helped" | "not_helped" | "reversed" | "failed" | "refused";

export type Action = {
  intentId: string;
  findingId: string;
  monitor: string;
  type: string;
  /** nobody was asked */
  isUnasked: boolean;
  state: ActionState;
  finishedAt: number | null;
  undo: { type: string; payload: Record<string, unknown> } | null;
  taskId: string | null;
};

function toAction(row: Row): Action {
  return {
    intentId: String(row.intent_id),
    findingId: String(row.finding_id),
    monitor: String(row.monitor),
    type: String(row.type),
    isUnasked: row.is_unasked === true,
    state: row.state as ActionState,
    finishedAt: row.finished_at === null ? null : (row.finished_at as Date).getTime(),
    undo: row.undo as Action["undo"],
    taskId: row.task_id === null ? null : String(row.task_id),
  };
}

export function insertAction(
  db: Queryable,
  action: Pick<Action, "intentId" | "findingId" | "monitor" | "type" | "isUnasked">,
): Promise<number> {
  return exec(
    db,
    sql`
    insert into watch_actions (intent_id, finding_id, monitor, type, is_unasked)
    values (${action.intentId}, ${action.findingId}, ${action.monitor}, ${action.type}, ${action.isUnasked})`,
  );
}

export function listOpenActions(db: Queryable): Promise<Action[]> {
  return many(
    db,
    toAction,
    sql`
    select a.*, i.task_id from watch_actions a join watch_intents i on i.id = a.intent_id
     where a.state in ('asked', 'checking') order by a.updated_at limit 100`,
  );
}

/** False when it was in another state by then. */
export async function moveAction(
  db: Queryable,
  {
    intentId,
    from,
    to,
    finishedAt,
    undo,
  }: {
    intentId: string;
    from: ActionState;
    to: ActionState;
    finishedAt?: number | null;
    undo?: Action["undo"];
  },
): Promise<boolean> {
  const at = finishedAt == null ? null : new Date(finishedAt).toISOString();
  const given = undo == null ? null : JSON.stringify(undo);
  const moved = await exec(
    db,
    sql`
    update watch_actions set state = ${to}, finished_at = coalesce(${at}::timestamptz, finished_at), undo = coalesce(${given}::jsonb, undo),
           updated_at = now()
     where intent_id = ${intentId} and state = ${from}`,
  );
  return moved > 0;
}
