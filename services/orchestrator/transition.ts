import type { TaskStatus } from "@signalbox/common/contracts/task.ts";

/** What a person may turn a task's status into; a status that stays is no transition. Total: the compiler finds a missing cell. */
const byHand: Record<TaskStatus, Record<TaskStatus, boolean>> = {
  queued: { queued: true, running: false, waiting: true, completed: true, failed: true, canceled: true },
  running: { queued: false, running: true, waiting: true, completed: true, failed: true, canceled: true },
  waiting: { queued: true, running: false, waiting: true, completed: false, failed: true, canceled: true },
  completed: { queued: true, running: false, waiting: false, completed: true, failed: false, canceled: false },
  failed: { queued: true, running: false, waiting: false, completed: false, failed: true, canceled: false },
  canceled: { queued: true, running: false, waiting: false, completed: false, failed: false, canceled: true },
};

export function mayTurnInto(from: TaskStatus, to: TaskStatus): boolean {
  return byHand[from][to];
}

export function reachableFrom(from: TaskStatus): TaskStatus[] {
  return (Object.keys(byHand[from]) as TaskStatus[]).filter((to) => to !== from && byHand[from][to]);
}

export function hasEnded(status: TaskStatus): boolean {
  return status === "completed" || status === "failed" || status === "canceled";
}
