/**
 * Stores tasks that are posted at the same moment with one statement: one of eight costs PostgreSQL a quarter of what one
 * alone costs it, and one commit is waited for. What comes in while two statements run goes into the next one; a lone task
 * waits for nothing but the end of the turn of the event loop. Each is answered when its statement has committed, and whoever then
 * posts the next one at once shares a statement with the others who do: that takes a third of PostgreSQL's work less than two halves.
 *
 * Only plain tasks share a statement. One with a key or a parent may wait for a lock of somebody else, or be refused for it,
 * and goes alone, as do those that need more than the plain statement does. A statement that is refused for what is in it is
 * taken apart, so that only the one at fault is refused.
 *
 * A plain task for which a slot is free begins with that same statement. If the process dies after it, the lease runs out as
 * that of any claim does.
 */

import { buildBatches } from "@signalbox/common/batches.ts";
import type { Task } from "@signalbox/common/contracts/task.ts";
import { isTransient, unavailable } from "@signalbox/common/errors.ts";
import { leaseMs } from "../lease.ts";
import type { NewTask } from "../new-task.ts";
import { isPlain, type StoredPlain } from "../store/insert-plain.ts";
import type { Store } from "../store.ts";
import type { Dispatcher } from "./dispatch.ts";

type Waiting = {
  task: NewTask;
  since: number;
  resolve(stored: Inserted | null): void;
  reject(error: unknown): void;
};

const maxBatch = 100;
const maxWrites = 2;
const defaultPatienceMs = 5_000;

/** What was stored, as it was when it was made. `isStarted`: it runs already, and nobody need look for it. */
export type Inserted = { task: Task; isStarted: boolean };

export type InsertQueue = {
  /** Stores one task; null when its idempotency key is taken, and nothing was stored. */
  insert(task: NewTask): Promise<Inserted | null>;
  /** Resolves when the statements that are under way now have ended: each may begin runs. */
  underWay(): Promise<void>;
};

export type InsertQueueOptions = {
  store: Pick<Store, "insertTask" | "insertPlainTasks">;
  dispatcher: Pick<Dispatcher, "reserve" | "giveBack" | "start">;
  owner: string;
  /** Whoever waits longer for a statement to begin is refused. */
  patienceMs?: number;
};

export function buildInsertQueue(options: InsertQueueOptions): InsertQueue {
  const queue: Waiting[] = [];
  const { schedule, underWay } = buildBatches({
    writesAtOnce: maxWrites,
    lingers: true,
    take: () => takeBatch(queue, options.patienceMs ?? defaultPatienceMs),
    write: (batch) => write(options, batch),
  });

  return {
    async insert(task) {
      if (!isPlain(task)) {
        const stored = await options.store.insertTask(task);
        return stored && { task: stored, isStarted: false };
      }
      return await new Promise((resolve, reject) => {
        queue.push({ task, since: performance.now(), resolve, reject });
        schedule();
      });
    },
    underWay,
  };
}

/** Behind a database that hangs, each statement takes long to fail: what waited too long is not given another. */
function takeBatch(queue: Waiting[], patienceMs: number): Waiting[] {
  const late = performance.now() - patienceMs;
  const fresh = queue.findIndex(({ since }) => since >= late);
  for (const { reject } of queue.splice(0, fresh < 0 ? queue.length : fresh))
    reject(unavailable("The database takes too long; nothing was stored, try again shortly.", 1));
  return queue.splice(0, maxBatch);
}

/** Never rejects: a failure goes to those whom it concerns. */
async function write(options: InsertQueueOptions, batch: readonly Waiting[]): Promise<void> {
  const outcome = await store(options, batch).catch((error: unknown) => ({ error }));
  if (outcome instanceof Map) for (const waiting of batch) answer(waiting, outcome.get(waiting.task.id));
  else if (batch.length > 1 && !isTransient(outcome.error)) for (const one of batch) await write(options, [one]);
  else for (const { reject } of batch) reject(outcome.error);
}

/** Stores a batch, and begins what was stored as claimed. */
async function store(
  { store, dispatcher, owner }: InsertQueueOptions,
  batch: readonly Waiting[],
): Promise<Map<string, StoredPlain>> {
  const slots = dispatcher.reserve(batch.map(({ task }) => task.type));
  const kept = batch.map(({ task }, at) => ({ task, slot: slots[at] ?? null }));
  const leasedAt = performance.now();
  let stored = new Map<string, StoredPlain>();
  try {
    stored = await store.insertPlainTasks(kept, { owner, ms: leaseMs });
  } finally {
    for (const { task, slot } of kept) {
      const claimed = stored.get(task.id)?.claimed;
      if (claimed) dispatcher.start(claimed, leasedAt);
      else if (slot) dispatcher.giveBack(slot);
    }
  }
  return stored;
}

function answer({ resolve }: Waiting, stored: StoredPlain | undefined): void {
  resolve(stored ? { task: stored.task, isStarted: stored.claimed !== null } : null);
}
