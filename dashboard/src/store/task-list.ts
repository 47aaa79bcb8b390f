import type { Task, TaskList, TaskStatus } from "@signalbox/common/contracts/task.ts";
import { statuses } from "../domain/words.ts";
import { newerTask } from "./task-table.ts";

/**
 * A filtered list of tasks, newest first. What the stream brings waits in `fresh`, so that no row moves under a pointer; `settle`
 * lets it in. A listed task that no longer matches stays, marked by the screen, until then.
 */
export type TaskListState = {
  rows: readonly Task[];
  fresh: readonly Task[];
  nextCursor: string | null;
};

export const emptyTaskList: TaskListState = { rows: [], fresh: [], nextCursor: null };

/** Past this many rows the oldest leave; paging reads them again. */
const LIST_LIMIT = 5_000;

function byNewest(left: Task, right: Task): number {
  if (left.createdAt !== right.createdAt) return left.createdAt < right.createdAt ? 1 : -1;
  return left.id < right.id ? 1 : left.id > right.id ? -1 : 0;
}

function mergeById(held: readonly Task[], incoming: readonly Task[]): Task[] {
  const tasks = new Map(held.map((task) => [task.id, task]));
  for (const task of incoming) tasks.set(task.id, newerTask(tasks.get(task.id), task));
  return [...tasks.values()];
}

/** The first page of a question; what the stream already brought since is kept if it is newer. */
export function startList(page: TaskList, live: readonly Task[]): TaskListState {
  const ids = new Set(page.items.map(({ id }) => id));
  const rows = mergeById(
    page.items,
    live.filter(({ id }) => ids.has(id)),
  );
  return { rows: rows.sort(byNewest), fresh: [], nextCursor: page.nextCursor };
}

export function addPage(state: TaskListState, page: TaskList): TaskListState {
  const rows = mergeById(state.rows, page.items).sort(byNewest);
  return { ...state, rows, nextCursor: page.nextCursor };
}

export function applyTasks(
  state: TaskListState,
  tasks: readonly Task[],
  matches: (task: Task) => boolean,
): TaskListState {
  if (tasks.length === 0) return state;
  const newest = new Map(mergeById([], tasks).map((task) => [task.id, task]));
  const rows = state.rows.map((row) => newerTask(row, newest.get(row.id) ?? row));
  for (const { id } of state.rows) newest.delete(id);
  const fresh = mergeById(state.fresh, [...newest.values()]).filter(matches);
  return { ...state, rows, fresh };
}

/** Lets the waiting rows in, each at its place, and those out that no longer match. */
export function settle(state: TaskListState, matches: (task: Task) => boolean): TaskListState {
  const leaving = state.rows.some((task) => !matches(task));
  if (state.fresh.length === 0 && !leaving) return state;
  const rows = mergeById(state.rows.filter(matches), state.fresh).sort(byNewest);
  if (rows.length <= LIST_LIMIT) return { ...state, rows, fresh: [] };
  // Pages follow a cursor behind the last loaded row: without these rows it would skip what lies between.
  return { rows: rows.slice(0, LIST_LIMIT), fresh: [], nextCursor: null };
}

export function countStatuses(tasks: readonly Task[]): Record<TaskStatus, number> {
  const counts = Object.fromEntries(statuses.map((status) => [status, 0])) as Record<TaskStatus, number>;
  for (const { status } of tasks) counts[status]++;
  return counts;
}
