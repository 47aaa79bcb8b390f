import type { Task } from "@signalbox/common/contracts/task.ts";
import { type Next, type Plan, type Refusal, toKept } from "./patch.ts";

/** What a person decided about a task that waits for them, and the version that they saw. */
export type DecisionByPerson = {
  verdict: "approve" | "reject";
  ifVersion: number;
  note: string | null;
  actor: string;
  /** The approval has expired by the database's clock, though nobody has failed the task yet. */
  isLate: boolean;
};

/** Approve and reject, bound to the version that was on screen. When it was decided is the database's to say. */
export function planDecision(task: Task, decision: DecisionByPerson): Plan {
  const refusal = judgeWaiting(task, decision.ifVersion, "approval");
  if (refusal !== null) return { kind: "refuse", because: refusal };
  if (decision.isLate) {
    const message = `the approval of task ${task.id} expired at ${task.approval?.expiresAt ?? "its time"}; nothing was decided`;
    return { kind: "refuse", because: { code: "illegal_transition", message } };
  }
  const approval = task.approval && { ...task.approval, decidedBy: decision.actor };
  const data = decision.note === null ? {} : { note: decision.note };
  if (decision.verdict === "approve") {
    return {
      kind: "change",
      next: { ...toKept(task), status: "queued", approval, runAt: toDueTime(task) },
      event: { kind: "approved", data },
    };
  }
  const error = { code: "rejected", message: decision.note ?? `rejected by ${decision.actor}` };
  return {
    kind: "change",
    next: { ...toKept(task), status: "canceled", approval, error },
    event: { kind: "rejected", data },
  };
}

/** A person's answer to an agent's question. */
export function planInput(task: Task, given: { ifVersion: number; input: unknown }): Plan {
  const refusal = judgeWaiting(task, given.ifVersion, "input");
  if (refusal !== null) return { kind: "refuse", because: refusal };
  const next: Next = { ...toKept(task), status: "queued", input: given.input, runAt: toDueTime(task) };
  return { kind: "change", next, event: { kind: "input_received", data: {} } };
}

/** Nobody decided in time; a task that was decided or changed meanwhile is left alone. */
export function planExpiry(task: Task, version: number): Plan {
  if (task.version !== version || task.waitingFor !== "approval") return { kind: "keep" };
  const error = { code: "approval_expired", message: "nobody decided before the approval expired" };
  return {
    kind: "change",
    next: { ...toKept(task), status: "failed", error },
    event: { kind: "failed", data: { error } },
  };
}

function judgeWaiting(task: Task, ifVersion: number, what: "approval" | "input"): Refusal | null {
  if (task.version !== ifVersion) {
    const message = `task ${task.id} has version ${task.version}, not ${ifVersion}; nothing was decided, look at it again`;
    return { code: "version_conflict", message, currentVersion: task.version };
  }
  if (task.status === "waiting" && task.waitingFor === what) return null;
  const state = task.status === "waiting" ? `waits for ${task.waitingFor}` : `is ${task.status}`;
  return { code: "illegal_transition", message: `task ${task.id} ${state}; it does not wait for ${what}` };
}

/** A task that has started is due now; one whose own time lies ahead keeps it. */
function toDueTime(task: Task): string | null {
  return task.attempt > 0 ? null : task.runAt;
}
