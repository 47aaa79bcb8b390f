import type { Task, TaskList } from "@signalbox/common/contracts/task.ts";
import { newerTask } from "./task-table.ts";

/** Every task that is not over, and those that failed within the last hour: what the overview and the nav counts are made of. */
export type NeedsState = {
  tasks: ReadonlyMap<string, Task>;
  /** There are more of these than were read: counts of them are "at least". */
  more: ReadonlySet<string>;
  /** Before the first read nothing is known: "all clear" would be a guess. */
  isRead: boolean;
  problem: string | null;
};

export const emptyNeeds: NeedsState = { tasks: new Map(), more: new Set(), isRead: false, problem: null };
export const FAILED_WINDOW_MS = 60 * 60 * 1000;
const HELD = 2_000;

const wanted = new Set<string>(["queued", "running", "waiting", "failed"]);

export function putNeeds(state: NeedsState, incoming: readonly Task[]): NeedsState {
  if (incoming.length === 0) return state;
  const tasks = new Map(state.tasks);
  for (const task of incoming) {
    const newest = newerTask(tasks.get(task.id), task);
    // An ended task stays known for a moment, else a late answer of an older version would bring it back to life.
    tasks.delete(task.id);
    tasks.set(task.id, newest);
  }
  return { ...state, tasks: trim(tasks) };
}

function trim(tasks: Map<string, Task>): Map<string, Task> {
  for (const [id, task] of tasks) {
    if (tasks.size <= HELD) break;
    if (!wanted.has(task.status)) tasks.delete(id);
  }
  for (const id of tasks.keys()) {
    if (tasks.size <= HELD) break;
    tasks.delete(id);
  }
  return tasks;
}

export function startNeeds(state: NeedsState, pages: Readonly<Record<string, TaskList>>): NeedsState {
  const more = new Set(Object.entries(pages).flatMap(([status, page]) => (page.nextCursor === null ? [] : [status])));
  const items = Object.values(pages).flatMap((page) => page.items);
  return putNeeds({ ...state, more, isRead: true, problem: null }, items);
}

export type Needs = {
  waiting: Task[];
  failed: Task[];
  running: number;
  queued: number;
  notDue: number;
  oldestQueuedAt: string | null;
};

function byExpiry(left: Task, right: Task): number {
  const [first, second] = [left.approval?.expiresAt ?? "9", right.approval?.expiresAt ?? "9"];
  if (first !== second) return first < second ? -1 : 1;
  return left.createdAt < right.createdAt ? -1 : 1;
}

/** What needs a person, soonest expiry first, and the queue's figures. */
export function judgeNeeds(state: NeedsState, nowMs: number): Needs {
  const tasks = [...state.tasks.values()];
  const failedSince = new Date(nowMs - FAILED_WINDOW_MS).toISOString();
  const failed = tasks.filter((task) => task.status === "failed" && (task.finishedAt ?? task.updatedAt) >= failedSince);
  const queued = tasks.filter((task) => task.status === "queued");
  const now = new Date(nowMs).toISOString();
  const due = queued.map(({ runAt }) => runAt).filter((runAt) => runAt <= now);
  return {
    waiting: tasks.filter((task) => task.status === "waiting").sort(byExpiry),
    failed: failed.sort((left, right) => (left.updatedAt < right.updatedAt ? 1 : -1)),
    running: tasks.filter((task) => task.status === "running").length,
    queued: queued.length,
    notDue: queued.length - due.length,
    oldestQueuedAt: due.sort()[0] ?? null,
  };
}
