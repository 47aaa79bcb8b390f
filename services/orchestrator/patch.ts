import { isDeepStrictEqual } from "node:util";
import type { EventKind } from "@signalbox/common/contracts/event.ts";
import type {
  Approval,
  PatchTask,
  Progress,
  Task,
  TaskError,
  TaskStatus,
  WaitReason,
} from "@signalbox/common/contracts/task.ts";
import { hasEnded, mayTurnInto, reachableFrom } from "./transition.ts";

/** The members of a task that a change by hand sets, as they shall be; `runAt` null means now. */
export type Next = {
  status: TaskStatus;
  waitingFor: WaitReason | null;
  payload: unknown;
  result: unknown;
  error: TaskError | null;
  correlationId: string | null;
  priority: number;
  runAt: string | null;
  maxAttempts: number;
  approval: Approval | null;
  progress: Progress | null;
  input?: unknown;
};

export type Refusal =
  | { code: "version_conflict"; message: string; currentVersion: number }
  | { code: "lease_lost" | "illegal_transition" | "forbidden"; message: string };

export type Plan =
  | { kind: "refuse"; because: Refusal }
  | { kind: "keep" }
  | { kind: "change"; next: Next; event: { kind: EventKind; data: Record<string, unknown> } };

/** What the caller says it saw: a version, or the attempt that it runs. */
export type Seen = { ifVersion: number } | { attempt: number };

export type PatchBody = Omit<PatchTask, "ifVersion" | "attempt">;

/** What a retry depends on besides the task. */
export type RetryTerms = {
  /** How many attempts it adds. */
  attemptBudget: number;
  /** The last decision about this task was to approve it. */
  isApproved: boolean;
};

type By = RetryTerms & {
  actor: string;
  /** A person, or a service in a person's name. */
  isPerson: boolean;
  /** The task's type wants a person's consent. */
  isCareful: boolean;
};

/** Decides a PATCH against the task as it is stored. Pure: the caller holds the row. */
export function planPatch(task: Task, seen: Seen, patch: PatchBody, by: By): Plan {
  const stale = judgeSeen(task, seen);
  if (stale !== null) return { kind: "refuse", because: stale };
  const wanted = patch.status ?? task.status;
  const illegal = judgeTransition(task, wanted, patch);
  if (illegal !== null) return { kind: "refuse", because: { code: "illegal_transition", message: illegal } };

  const next = toNext(task, wanted, patch, by);
  const changes = toChanges(task, next);
  if (Object.keys(changes).length === 0) return { kind: "keep" };
  if ("payload" in changes && isBound(task, by)) {
    const message = `a person agreed to task ${task.id} with the payload it has, so only a person changes that; or make a new task`;
    return { kind: "refuse", because: { code: "forbidden", message } };
  }
  const isOfAgent = "attempt" in seen && hasEnded(wanted) && wanted !== "canceled";
  const reason = patch.reason === undefined ? {} : { reason: patch.reason };
  if (!isOfAgent) return { kind: "change", next, event: { kind: "patched", data: { changes, ...reason } } };
  const error = next.error === null ? {} : { error: next.error };
  return {
    kind: "change",
    next,
    event: {
      kind: wanted === "completed" ? "completed" : "failed",
      data: { attempt: task.attempt, ...error, ...reason },
    },
  };
}

function judgeSeen(task: Task, seen: Seen): Refusal | null {
  if ("attempt" in seen) {
    if (task.status === "running" && task.attempt === seen.attempt) return null;
    return {
      code: "lease_lost",
      message: `attempt ${seen.attempt} of task ${task.id} does not run (any more); stop working on it`,
    };
  }
  if (seen.ifVersion === task.version) return null;
  const message = `task ${task.id} has version ${task.version}, not ${seen.ifVersion}; read it again and decide anew`;
  return { code: "version_conflict", message, currentVersion: task.version };
}

function judgeTransition(task: Task, wanted: TaskStatus, patch: PatchBody): string | null {
  if (!mayTurnInto(task.status, wanted)) {
    return `a ${task.status} task cannot become ${wanted}; it can become ${reachableFrom(task.status).join(", ")}`;
  }
  const waitsForApproval = task.status === "waiting" && task.waitingFor === "approval";
  if (
    waitsForApproval &&
    (wanted === "queued" || wanted === "failed" || (wanted === "waiting" && patch.waitingFor === "input"))
  ) {
    return `task ${task.id} waits for an approval; only approve, reject, cancel or its expiry end that`;
  }
  if (patch.waitingFor && wanted !== "waiting") return `waitingFor is for waiting tasks; this one is ${wanted}`;
  return null;
}

/**
 * Whether a person agreed to this very payload, by an approval or by making a task of a careful type, and somebody else asks. One
 * that waits to be decided is not bound: it is decided as it then is. But what its agent asks in a run is not about the payload.
 */
function isBound({ approval, waitingFor }: Task, { isPerson, isApproved, isCareful }: By): boolean {
  const isOfRun = approval === null || isAskedByAgent(approval);
  if (isPerson || (waitingFor === "approval" && !isOfRun)) return false;
  return isApproved || (isCareful && isOfRun);
}

/** In the middle of a run, not before it. */
function isAskedByAgent({ requestedBy }: Approval): boolean {
  return requestedBy?.startsWith("agent:") === true;
}

/** A task as it stands, waiting for nothing. */
export function toKept(task: Task): Next {
  const { status, payload, result, error, correlationId, priority, runAt, maxAttempts, approval, progress } = task;
  const kept = { status, payload, result, error, correlationId, priority, runAt, maxAttempts, approval, progress };
  return { ...kept, waitingFor: null };
}

function toNext(task: Task, wanted: TaskStatus, patch: PatchBody, by: By): Next {
  if (hasEnded(task.status) && wanted === "queued") {
    const again = planRetry(task, by);
    return { ...again, ...toPlainChanges(patch, again), error: patch.error ?? null };
  }
  const kept = { ...toKept(task), status: wanted };
  const next = { ...kept, ...toPlainChanges(patch, kept) };
  if (wanted === "waiting") Object.assign(next, toWaiting(task, patch, by.actor));
  if (wanted !== task.status) next.error = toError(wanted, patch, by.actor);
  return next;
}

function toPlainChanges(patch: PatchBody, kept: Next): Partial<Next> {
  return {
    payload: "payload" in patch ? patch.payload : kept.payload,
    result: "result" in patch ? patch.result : kept.result,
    error: "error" in patch ? (patch.error ?? null) : kept.error,
    correlationId: "correlationId" in patch ? (patch.correlationId ?? null) : kept.correlationId,
    priority: patch.priority ?? kept.priority,
    runAt: patch.runAt === undefined ? kept.runAt : new Date(patch.runAt).toISOString(),
  };
}

function toWaiting(task: Task, patch: PatchBody, actor: string): Partial<Next> {
  const waitingFor = patch.waitingFor ?? task.waitingFor ?? "input";
  if (waitingFor === task.waitingFor) return { waitingFor };
  const asked: Approval = {
    reason: patch.reason ?? null,
    prompt: null,
    requestedBy: actor,
    expiresAt: null,
    decidedBy: null,
    decidedAt: null,
  };
  return { waitingFor, approval: waitingFor === "approval" ? asked : task.approval };
}

function toError(wanted: TaskStatus, patch: PatchBody, actor: string): TaskError | null {
  if (patch.error) return patch.error;
  if (wanted === "failed") return { code: "failed_by_hand", message: patch.reason ?? `failed by ${actor}` };
  if (wanted === "canceled") return { code: "canceled", message: patch.reason ?? `canceled by ${actor}` };
  return null;
}

/**
 * An ended task as it starts again: attempts go on counting, their limit grows by its first value, and an approval that was
 * asked for and never given is asked for again. What an agent asked for in the middle of a run it will ask for again itself.
 *
 * Whether it was given is the ledger's word: a task's error, which says `rejected`, can be patched.
 */
export function planRetry(task: Task, { attemptBudget, isApproved }: RetryTerms): Next {
  const { approval } = task;
  const unapproved = approval !== null && !isAskedByAgent(approval) && (approval.decidedAt === null || !isApproved);
  return {
    status: unapproved ? "waiting" : "queued",
    waitingFor: unapproved ? "approval" : null,
    payload: task.payload,
    result: null,
    error: null,
    correlationId: task.correlationId,
    priority: task.priority,
    runAt: null,
    maxAttempts: task.maxAttempts + attemptBudget,
    approval: unapproved ? { ...approval, expiresAt: null, decidedBy: null, decidedAt: null } : approval,
    progress: null,
  };
}

const compared = ["status", "waitingFor", "payload", "result", "error", "correlationId", "priority", "runAt"] as const;

/** What differs, as `{field: {from, to}}`. */
export function toChanges(task: Task, next: Next): Record<string, { from: unknown; to: unknown }> {
  const changes: Record<string, { from: unknown; to: unknown }> = {};
  for (const field of compared) {
    const to = field === "runAt" && next.runAt === null ? task.runAt : next[field];
    if (!isDeepStrictEqual(task[field] ?? null, to ?? null))
      changes[field] = { from: task[field] ?? null, to: to ?? null };
  }
  return changes;
}
