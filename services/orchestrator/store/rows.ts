import type { EventKind, TaskEvent } from "@signalbox/common/contracts/event.ts";
import type { Approval, Progress, Task, TaskError, TaskStatus, WaitReason } from "@signalbox/common/contracts/task.ts";
import { type Row, rawSql, sql } from "@signalbox/common/sql.ts";
import { uuidOf } from "@signalbox/common/uuid.ts";

function toInstant(value: unknown): string {
  return (value as Date).toISOString();
}

function toInstantOrNull(value: unknown): string | null {
  return value === null ? null : toInstant(value);
}

/** What `toTask` reads besides payload and result, the two that may be large. */
export const smallTaskColumns = rawSql(
  `id, type, source, status, version, error, correlation_id, trace_id, priority, attempt, max_attempts, run_at, timeout_ms,
   concurrency_key, parent_id, agent, user_key, waiting_for, approval, progress, created_at, updated_at, started_at, finished_at`,
);

/** What `toTask` reads, by name: see `prepared` for why there is no `*`. */
export const taskColumns = sql`${smallTaskColumns}, payload, result`;

/**
 * The bytes of a JSON column as they will be read. What is stored compressed may be a hundred times as long, and only its text
 * tells; the others, nearly all, are told by a look at their header.
 */
function bytesOf(column: string): string {
  return `case when pg_column_compression(${column}) is null then pg_column_size(${column}) else octet_length(${column}::text) end`;
}

/** What bounds a page of tasks, and one of events (`column` is their data). */
export const taskBytes = rawSql(`${bytesOf("payload")} + coalesce(${bytesOf("result")}, 0)`);
export const dataBytes = (column: "data" | "e_data") => rawSql(bytesOf(column));

/** A row of `tasks` as the contract shows it. */
export function toTask(row: Row): Task {
  return {
    id: row.id as string,
    type: row.type as string,
    source: row.source as string,
    status: row.status as TaskStatus,
    version: row.version as number,
    payload: row.payload,
    result: row.result,
    error: row.error as TaskError | null,
    correlationId: row.correlation_id as string | null,
    traceId: row.trace_id as string,
    priority: row.priority as number,
    attempt: row.attempt as number,
    maxAttempts: row.max_attempts as number,
    runAt: toInstant(row.run_at),
    timeoutMs: row.timeout_ms as number,
    concurrencyKey: row.concurrency_key as string | null,
    parentId: row.parent_id as string | null,
    agent: row.agent as string | null,
    userKey: row.user_key as string | null,
    waitingFor: row.waiting_for as WaitReason | null,
    approval: row.approval as Approval | null,
    progress: row.progress as Progress | null,
    createdAt: toInstant(row.created_at),
    updatedAt: toInstant(row.updated_at),
    startedAt: toInstantOrNull(row.started_at),
    finishedAt: toInstantOrNull(row.finished_at),
  };
}

/** A row of `task_events`; `at` and `seq` make its id. */
export function toEvent(row: Row): TaskEvent {
  const at = row.at as Date;
  return {
    id: uuidOf(at.getTime(), Number(row.seq)),
    taskId: row.task_id as string,
    kind: row.kind as EventKind,
    actor: row.actor as string,
    at: at.toISOString(),
    version: row.version as number,
    data: row.data as Record<string, unknown>,
  };
}

/** One event with the task as it was right after it, and its place in the ledger. */
export type LedgerEntry = { seq: number; event: TaskEvent; task: Task };

/** What changed, without what it changed: all that is needed while nobody watches. */
export type LedgerStep = {
  seq: number;
  taskId: string;
  kind: EventKind;
  type: string;
  /** After the event, as all of the rest. */
  status: TaskStatus;
  attempt: number;
  atMs: number;
  runAtMs: number;
  startedMs: number | null;
};

export function toLedgerStep({ seq, event, task }: LedgerEntry): LedgerStep {
  return {
    seq,
    taskId: event.taskId,
    kind: event.kind,
    type: task.type,
    status: task.status,
    attempt: task.attempt,
    atMs: Date.parse(event.at),
    runAtMs: Date.parse(task.runAt),
    startedMs: task.startedAt === null ? null : Date.parse(task.startedAt),
  };
}

/** A row of `task_events` (columns prefixed `e_`) joined with its task. */
export function toLedgerEntry(row: Row): LedgerEntry {
  const event = toEvent({
    at: row.e_at,
    seq: row.e_seq,
    task_id: row.id,
    kind: row.e_kind,
    actor: row.e_actor,
    version: row.e_version,
    data: row.e_data,
  });
  const now = toTask(row);
  return {
    seq: Number(row.e_seq),
    event,
    task: now.version === event.version ? now : toTaskThen(now, event, row.e_state),
  };
}

/** Lays the state that an event kept (see `task_state` in the migrations) over a task that has moved on since. */
function toTaskThen(now: Task, event: TaskEvent, kept: unknown): Task {
  const state = kept as [
    TaskStatus,
    number,
    number,
    number,
    number,
    string | null,
    WaitReason | null,
    Approval | null,
    Progress | null,
    TaskError | null,
    number,
    number | null,
    number | null,
    string | null,
    boolean,
  ];
  const [
    status,
    attempt,
    maxAttempts,
    priority,
    runAt,
    agent,
    waitingFor,
    approval,
    progress,
    error,
    updated,
    started,
    finished,
    correlationId,
    hasResult,
  ] = state;
  return {
    ...now,
    status,
    attempt,
    maxAttempts,
    priority,
    agent,
    waitingFor,
    approval,
    progress,
    error,
    correlationId,
    version: event.version,
    result: hasResult ? now.result : null,
    runAt: new Date(runAt).toISOString(),
    updatedAt: new Date(updated).toISOString(),
    startedAt: started === null ? null : new Date(started).toISOString(),
    finishedAt: finished === null ? null : new Date(finished).toISOString(),
  };
}

/** A task just claimed, with what fences every later write of its run. */
export type Lease = { taskId: string; attempt: number; leaseId: string };
export type Claimed = {
  task: Task;
  lease: Lease;
  agentName: string;
  instance: string;
  input: unknown;
  hasInput: boolean;
  /** The original of a signal, for the agent only. */
  raw: unknown;
  /** Secret members of the payload, encrypted. */
  secrets: Record<string, string> | null;
};

/** What `toClaimed` reads, by name. */
export const claimedColumns = sql`${taskColumns}, lease_id, agent_instance, input, input is not null as has_input, raw, secrets`;

export function toClaimed(row: Row): Claimed {
  const task = toTask(row);
  return {
    task,
    lease: { taskId: task.id, attempt: task.attempt, leaseId: row.lease_id as string },
    agentName: row.agent as string,
    instance: row.agent_instance as string,
    input: row.input,
    hasInput: row.has_input as boolean,
    raw: row.raw,
    secrets: row.secrets as Record<string, string> | null,
  };
}
