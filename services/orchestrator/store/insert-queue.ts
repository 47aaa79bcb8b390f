/**
 * Stores tasks that are posted at the same moment with one statement: one of eight costs PostgreSQL a quarter of what one
 * alone costs it, and one commit is waited for. What comes in while two statements run goes into the next one; a lone task
 * waits for nothing but the end of the turn of the event loop. Each is answered when its statement has committed.
 *
 * Only plain tasks share a statement. One with a key or a parent may wait for a lock of somebody else, or be refused for it,
 * and goes alone, as do those that need more than the plain statement does. A statement that is refused for what is in it is taken apart, so that only the one at fault is refused.
 */
import type { Task } from "@signalbox/common/contracts/task.ts";
import { isTransient } from "@signalbox/common/errors.ts";
import type { Pool } from "@signalbox/common/sql.ts";
import type { NewTask } from "../new-task.ts";
import { insertTask } from "./create-task.ts";
import { insertPlainTasks, isPlain } from "./insert-plain.ts";

type Waiting = { task: NewTask; resolve(task: Task | null): void; reject(error: unknown): void };

const maxBatch = 100;
const maxWrites = 2;

/** Stores one task; null when its idempotency key is taken, and nothing was stored. */
export type InsertTask = (task: NewTask) => Promise<Task | null>;

export function buildInsertQueue(pool: Pool): InsertTask {
  const queue: Waiting[] = [];
  let writes = 0;
  let isScheduled = false;

  function schedule(): void {
    if (isScheduled) return;
    isScheduled = true;
    setImmediate(() => {
      isScheduled = false;
      pump();
    });
  }

  function pump(): void {
    while (writes < maxWrites && queue.length > 0) {
      writes++;
      void write(pool, queue.splice(0, maxBatch)).finally(() => {
        writes--;
        pump();
      });
    }
  }

  return (task) => {
    if (!isPlain(task)) return insertTask(pool, task);
    return new Promise((resolve, reject) => {
      queue.push({ task, resolve, reject });
      schedule();
    });
  };
}

/** Never rejects: a failure goes to those whom it concerns. */
async function write(pool: Pool, batch: readonly Waiting[]): Promise<void> {
  const tasks = batch.map(({ task }) => task);
  const outcome = await insertPlainTasks(pool, tasks).catch((error: unknown) => ({ error }));
  if (outcome instanceof Map) for (const { task, resolve } of batch) resolve(outcome.get(task.id) ?? null);
  else if (batch.length > 1 && !isTransient(outcome.error)) for (const one of batch) await write(pool, [one]);
  else for (const { reject } of batch) reject(outcome.error);
}
