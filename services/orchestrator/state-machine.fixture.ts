/**
 * A task as the contract describes it, without database, clock or agent: what each operation answers, and what the task is after
 * it. Written from the contract and not from the code, so that the two can be held against each other; for tests only.
 */
import type { EventKind } from "@signalbox/common/contracts/event.ts";
import type { TaskStatus, WaitReason } from "@signalbox/common/contracts/task.ts";

/** What somebody says they saw. */
export type Sight = "right" | "stale" | "missing";

export type PatchOp = {
  op: "patch";
  sight: Sight;
  status?: TaskStatus;
  waitingFor?: WaitReason;
  priority?: number;
  /** From now on, or far ahead. */
  runAt?: "now" | "later";
};

export type Op =
  | { op: "create"; approval: boolean; later: boolean; maxAttempts: number }
  | PatchOp
  | { op: "cancel" }
  | { op: "retry" }
  | { op: "approve" | "reject" | "input"; sight: Sight; as: "person" | "service" }
  | { op: "answer"; answer: "result" | "input" | "approval" | "later" | "refuse" | "fail" }
  | { op: "end"; attempt: "right" | "wrong"; status: "completed" | "failed" | "canceled" }
  | { op: "progress" | "note"; attempt: "right" | "wrong" }
  | { op: "expire" }
  | { op: "silence" };

/** Status and error code of an answer; null where nobody is answered. */
export type Expected = { status: number; code?: string } | null;

export type Model = {
  status: TaskStatus;
  waitingFor: WaitReason | null;
  version: number;
  attempt: number;
  maxAttempts: number;
  budget: number;
  priority: number;
  /** Its time has come. */
  isDue: boolean;
  /** An approval that was asked for; what an agent asked for in a run it asks for again itself. */
  asked: { byAgent: boolean; given: boolean; expires: boolean } | null;
  /** The agent has answered "later" and goes on. */
  isDeferred: boolean;
  events: { kind: EventKind; version: number }[];
};

export function born(op: Extract<Op, { op: "create" }>): Model {
  const model: Model = {
    status: op.approval ? "waiting" : "queued",
    waitingFor: op.approval ? "approval" : null,
    version: 1,
    attempt: 0,
    maxAttempts: op.maxAttempts,
    budget: op.maxAttempts,
    priority: 0,
    isDue: !op.later,
    asked: op.approval ? { byAgent: false, given: false, expires: true } : null,
    isDeferred: false,
    events: [{ kind: "created", version: 1 }],
  };
  if (op.approval) model.events.push({ kind: "approval_requested", version: 1 });
  settle(model);
  return model;
}

const ended = (model: Model) => ["completed", "failed", "canceled"].includes(model.status);

function note(model: Model, kind: EventKind): void {
  model.events.push({ kind, version: model.version });
}

/** One change: a new version, and its event. */
function change(model: Model, kind: EventKind, status: TaskStatus, waitingFor: WaitReason | null = null): void {
  model.version++;
  model.status = status;
  model.waitingFor = waitingFor;
  if (status !== "running") model.isDeferred = false;
  note(model, kind);
}

/** A queued task that is due is started at once: there is always an agent with room. */
function settle(model: Model): void {
  if (model.status !== "queued" || !model.isDue) return;
  model.attempt++;
  change(model, "started", "running");
}

const conflict: Expected = { status: 409, code: "version_conflict" };
const illegal: Expected = { status: 422, code: "illegal_transition" };
const unseen: Expected = { status: 428, code: "precondition_required" };
const lost: Expected = { status: 409, code: "lease_lost" };
const fine: Expected = { status: 200 };

/** Applies an operation; what it is answered with. */
export function apply(model: Model, op: Exclude<Op, { op: "create" }>): Expected {
  const expected = perform(model, op);
  settle(model);
  return expected;
}

function perform(model: Model, op: Exclude<Op, { op: "create" }>): Expected {
  switch (op.op) {
    case "patch":
      return patch(model, op);
    case "cancel":
      return cancel(model);
    case "retry":
      return retry(model);
    case "approve":
    case "reject":
    case "input":
      return decide(model, op);
    case "answer":
      return answer(model, op.answer);
    case "end":
      return end(model, op);
    case "progress":
    case "note":
      return report(model, op);
    case "expire":
      return expire(model);
    case "silence":
      return fallSilent(model);
  }
}

const byHand: Record<TaskStatus, TaskStatus[]> = {
  queued: ["canceled", "completed", "failed", "waiting"],
  running: ["completed", "failed", "canceled", "waiting"],
  waiting: ["queued", "canceled", "failed"],
  completed: ["queued"],
  failed: ["queued"],
  canceled: ["queued"],
};

function judgeSight(sight: Sight): Expected {
  if (sight === "missing") return unseen;
  return sight === "stale" ? conflict : null;
}

function patch(model: Model, op: PatchOp): Expected {
  const refusal = judgeSight(op.sight) ?? judgeMove(model, op);
  if (refusal) return refusal;
  const wanted = op.status ?? model.status;
  const isRetry = ended(model) && wanted === "queued";
  const before = JSON.stringify(model);
  if (isRetry) startAgain(model);
  else move(model, wanted, op.waitingFor);
  if (op.priority !== undefined) model.priority = op.priority;
  if (op.runAt !== undefined) model.isDue = op.runAt === "now";
  // Another time within the same direction is a change too.
  const isChange = isRetry || op.runAt !== undefined || JSON.stringify(model) !== before;
  if (isChange) change(model, "patched", model.status, model.waitingFor);
  return fine;
}

function judgeMove(model: Model, op: PatchOp): Expected {
  const wanted = op.status ?? model.status;
  if (wanted !== model.status && !byHand[model.status].includes(wanted)) return illegal;
  const isForPeople = model.status === "waiting" && model.waitingFor === "approval";
  const leaves = wanted === "waiting" ? op.waitingFor === "input" : wanted !== "canceled";
  if (isForPeople && leaves) return illegal;
  return op.waitingFor !== undefined && wanted !== "waiting" ? illegal : null;
}

function move(model: Model, wanted: TaskStatus, waitingFor: WaitReason | undefined): void {
  const reason = wanted === "waiting" ? (waitingFor ?? model.waitingFor ?? "input") : null;
  if (reason === "approval" && model.waitingFor !== "approval")
    model.asked = { byAgent: false, given: false, expires: false };
  model.status = wanted;
  model.waitingFor = reason;
}

/** Runs again from the beginning, unless a person has still to allow it. */
function startAgain(model: Model): void {
  const { asked } = model;
  const waits = asked !== null && !asked.byAgent && !asked.given;
  model.status = waits ? "waiting" : "queued";
  model.waitingFor = waits ? "approval" : null;
  if (waits && asked) asked.expires = false;
  model.maxAttempts += model.budget;
  model.isDue = true;
}

function cancel(model: Model): Expected {
  if (model.status === "canceled") return fine;
  if (ended(model)) return illegal;
  change(model, "canceled", "canceled");
  return fine;
}

function retry(model: Model): Expected {
  if (!ended(model)) return illegal;
  startAgain(model);
  change(model, "patched", model.status, model.waitingFor);
  return fine;
}

function decide(model: Model, op: Extract<Op, { op: "approve" | "reject" | "input" }>): Expected {
  // A service decides on a person's behalf only.
  if (op.as === "service") return { status: 403, code: "forbidden" };
  const refusal = judgeSight(op.sight);
  if (refusal) return refusal;
  const wanted = op.op === "input" ? "input" : "approval";
  if (model.status !== "waiting" || model.waitingFor !== wanted) return illegal;
  if (op.op === "reject") {
    if (model.asked) model.asked.given = false;
    change(model, "rejected", "canceled");
    return fine;
  }
  if (op.op === "approve" && model.asked) model.asked.given = true;
  if (model.attempt > 0) model.isDue = true;
  change(model, op.op === "approve" ? "approved" : "input_received", "queued");
  return fine;
}

/** The agent answers the request that it is held with. */
function answer(model: Model, kind: Extract<Op, { op: "answer" }>["answer"]): Expected {
  if (model.status !== "running" || model.isDeferred) return null;
  if (kind === "later") model.isDeferred = true;
  else if (kind === "result") change(model, "completed", "completed");
  else if (kind === "refuse") change(model, "failed", "failed");
  else if (kind === "fail") giveUp(model, "failed");
  else {
    // A question spends no attempt.
    model.maxAttempts++;
    if (kind === "approval") model.asked = { byAgent: true, given: false, expires: false };
    else model.asked = { byAgent: true, given: model.asked?.given ?? false, expires: false };
    change(model, kind === "input" ? "input_requested" : "approval_requested", "waiting", kind);
  }
  return null;
}

/** A failure that may be mended: back to the queue for an hour, until the attempts are spent. */
function giveUp(model: Model, last: EventKind): void {
  if (model.attempt >= model.maxAttempts) change(model, last, "failed");
  else {
    change(model, "retry_scheduled", "queued");
    model.isDue = false;
  }
}

/** The agent ends its run by a PATCH that names its attempt. */
function end(model: Model, op: Extract<Op, { op: "end" }>): Expected {
  if (model.status !== "running" || op.attempt === "wrong") {
    note(model, "result_discarded");
    return lost;
  }
  change(model, op.status === "canceled" ? "patched" : op.status, op.status);
  return fine;
}

function report(model: Model, op: Extract<Op, { op: "progress" | "note" }>): Expected {
  if (model.status !== "running" || op.attempt === "wrong") return lost;
  if (op.op === "progress") change(model, "progress", "running");
  else note(model, "note");
  if (op.op === "progress") return fine;
  return { status: 201 };
}

/** Nobody decided in time. */
function expire(model: Model): Expected {
  if (model.waitingFor === "approval" && model.asked?.expires) change(model, "failed", "failed");
  return null;
}

/** An agent that had said "later" says nothing more. */
function fallSilent(model: Model): Expected {
  if (model.status !== "running" || !model.isDeferred) return null;
  model.events.push({ kind: "lease_expired", version: model.version + 1 });
  giveUp(model, "failed");
  // The rest that it takes then is cut short.
  model.isDue = true;
  return null;
}
