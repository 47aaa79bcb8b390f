import type { Task } from "@signalbox/common/contracts/task.ts";

/*
 * The newest known state of the tasks seen lately, as an immutable value. Tasks are spread over buckets, so that a batch copies
 * only the few it touches; a bucket's insertion order is its order of use, and its oldest goes when it is full.
 */

const BUCKETS = 64;
export const HELD_TASKS = 5_000;
const BUCKET_SIZE = Math.ceil(HELD_TASKS / BUCKETS);

export type TaskTable = readonly ReadonlyMap<string, Task>[];

export const emptyTable: TaskTable = Array.from({ length: BUCKETS }, () => new Map());

function bucketOf(id: string): number {
  return Number.parseInt(id.slice(-2), 16) % BUCKETS || 0;
}

export function findTask(table: TaskTable, id: string): Task | null {
  return table[bucketOf(id)]?.get(id) ?? null;
}

/** The newer of two states of one task: answers and frames overtake each other, versions do not. */
export function newerTask(held: Task | null | undefined, incoming: Task): Task {
  return held && held.version > incoming.version ? held : incoming;
}

function putInto(bucket: ReadonlyMap<string, Task>, tasks: readonly Task[]): Map<string, Task> {
  const next = new Map(bucket);
  for (const task of tasks) {
    const newest = newerTask(next.get(task.id), task);
    next.delete(task.id);
    next.set(task.id, newest);
  }
  for (const id of next.keys()) {
    if (next.size <= BUCKET_SIZE) break;
    next.delete(id);
  }
  return next;
}

export function putTasks(table: TaskTable, tasks: readonly Task[]): TaskTable {
  if (tasks.length === 0) return table;
  const touched = Map.groupBy(tasks, (task) => bucketOf(task.id));
  return table.map((bucket, index) => {
    const group = touched.get(index);
    return group ? putInto(bucket, group) : bucket;
  });
}
