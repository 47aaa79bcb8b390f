import type { TaskEvent } from "@signalbox/common/contracts/event.ts";
import type { Task, TaskWithEvents, Why } from "@signalbox/common/contracts/task.ts";
import { type Change, diffTasks } from "../domain/diff.ts";
import type { Batch } from "./live.ts";
import { newerTask } from "./task-table.ts";

/** One task's page. `reviewed` is the state that the person has had before their eyes: decisions are bound to its version. */
export type TaskPageState = {
  task: Task | null;
  reviewed: Task | null;
  events: readonly TaskEvent[];
  why: Why | null;
};

const emptyTaskPage: TaskPageState = { task: null, reviewed: null, events: [], why: null };

function byVersion(left: TaskEvent, right: TaskEvent): number {
  if (left.version !== right.version) return left.version - right.version;
  return left.id < right.id ? -1 : left.id > right.id ? 1 : 0;
}

function mergeEvents(held: readonly TaskEvent[], incoming: readonly TaskEvent[]): readonly TaskEvent[] {
  const events = new Map(held.map((event) => [event.id, event]));
  for (const event of incoming) events.set(event.id, event);
  return events.size === held.length ? held : [...events.values()].sort(byVersion);
}

/**
 * The state of the page once it knows a newer task. A change that a deciding person would not care about (progress, a renewed
 * lease) is reviewed by itself; any other must be looked at first. Before the first read nothing is reviewed.
 */
function withTask(state: TaskPageState, incoming: Task): TaskPageState {
  const task = newerTask(state.task, incoming);
  const { reviewed } = state;
  return { ...state, task, reviewed: reviewed === null || isPending(reviewed, task) ? reviewed : task };
}

function isPending(reviewed: Task, task: Task): boolean {
  return reviewed.status === "waiting" && task.status === "waiting" && diffTasks(reviewed, task).length > 0;
}

/** What the page paints before its first read: a state that was seen elsewhere, on which nothing can be decided yet. */
export function fromCache(task: Task | null): TaskPageState {
  return { ...emptyTaskPage, task };
}

export function applySnapshot(state: TaskPageState, snapshot: TaskWithEvents): TaskPageState {
  const { events, why, ...task } = snapshot;
  const next = withTask(state, task);
  const isNewest = next.task?.version === task.version;
  return {
    task: next.task,
    reviewed: next.reviewed ?? next.task,
    events: mergeEvents(state.events, events),
    why: isNewest ? (why ?? null) : state.why,
  };
}

export function applyBatch(state: TaskPageState, batch: Batch, id: string): TaskPageState {
  const events = batch.events.filter(({ taskId }) => taskId === id);
  const own = batch.tasks.filter((task) => task.id === id);
  if (events.length === 0 && own.length === 0) return state;
  const next = own.reduce(withTask, { ...state, events: mergeEvents(state.events, events) });
  // Why it waits is only told by a read; what was told of an older version may be wrong by now.
  return next.task === state.task ? next : { ...next, why: null };
}

export function applyTask(state: TaskPageState, task: Task): TaskPageState {
  return withTask(state, task);
}

/** What changed since the person last looked; empty while the decision is still about what is on screen. */
export function changesToReview(state: TaskPageState): readonly Change[] {
  if (!state.task || !state.reviewed || state.task.version === state.reviewed.version) return [];
  return diffTasks(state.reviewed, state.task);
}

export function markReviewed(state: TaskPageState): TaskPageState {
  return { ...state, reviewed: state.task };
}
