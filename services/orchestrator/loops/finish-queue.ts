/**
 * Writes the ends of attempts in batches: results that arrive while a write is under way go out together with the next one,
 * and a lone result is not delayed. At most two writes at once. A batch that the database refuses, or that waits too long for a
 * lock, is halved until the one that is at fault stands alone, so that it spoils nothing for the others; from then on a locked one
 * is tried by itself. That, and a database that is away, is tried again until the lease is over anyway, when the reaper of
 * whichever orchestrator is alive takes up the task.
 */
import { buildBatches } from "@signalbox/common/batches.ts";
import { isTransient } from "@signalbox/common/errors.ts";
import { sqlState } from "@signalbox/common/sql-state.ts";
import { rest } from "@signalbox/common/tail.ts";
import type { Finish } from "../store/finish-attempts.ts";
import type { Store } from "../store.ts";

const maxBatch = 500;
/** Each key is an advisory lock, and the lock table of a default server has room for some thousands. */
const maxKeyedBatch = 200;
const maxWrites = 2;
const patienceMs = 25_000;

/** `unknown`: it could not be written in time, or it cannot be told who took the lease. */
export type Ending = "ended" | "lost" | "refused" | "unknown";
export type FinishQueue = { end(finish: Finish): Promise<Ending>; idle(): Promise<void> };

type Waiting = {
  finish: Finish;
  since: number;
  /** An earlier write of it may have been committed. */
  isUnsure: boolean;
  /** Somebody holds what it needs: no other is to wait with it. */
  isAlone: boolean;
  settle: (ending: Ending) => void;
};

export type FinishQueueOptions = {
  store: Store;
  /** What the batch has made possible: a claim at once, or a wake-up later. */
  onWritten: (what: { claimable: boolean; timed: boolean }) => void;
  onError: (error: unknown, finish: Finish | null) => void;
  signal: AbortSignal;
};

export function buildFinishQueue(options: FinishQueueOptions): FinishQueue {
  const queue: Waiting[] = [];
  const { schedule, idle } = buildBatches({ writesAtOnce: maxWrites, take: () => takeBatch(queue), write });

  async function write(batch: Waiting[]): Promise<void> {
    try {
      const { ended, promoted } = await options.store.finishAttempts(batch.map(({ finish }) => finish));
      options.onWritten(judgeWritten(batch, promoted));
      for (const item of batch) item.settle(toEnding(item, ended));
    } catch (error) {
      if (isTransient(error) && (batch.length === 1 || !isBusy(error))) await putBack(batch, error);
      else await isolate(batch, error);
    }
  }

  async function putBack(batch: Waiting[], error: unknown): Promise<void> {
    options.onError(error, null);
    await rest(200 + 300 * Math.random(), options.signal);
    const isLate = (item: Waiting) => options.signal.aborted || performance.now() - item.since > patienceMs;
    const [late, alive] = partition(batch, isLate);
    for (const { settle } of late) settle("unknown");
    const isAlone = isBusy(error);
    queue.unshift(...alive.map((item) => ({ ...item, isAlone, isUnsure: item.isUnsure || !isAlone })));
  }

  async function isolate(batch: Waiting[], error: unknown): Promise<void> {
    const [only] = batch;
    if (batch.length === 1 && only) {
      options.onError(error, only.finish);
      only.settle("refused");
      return;
    }
    const middle = batch.length >> 1;
    await write(batch.slice(0, middle));
    await write(batch.slice(middle));
  }

  return {
    end(finish) {
      return new Promise((settle) => {
        queue.push({ finish, since: performance.now(), isUnsure: false, isAlone: false, settle });
        schedule();
      });
    },
    idle,
  };
}

/** A write whose answer was lost may have been committed: then the lease that is gone is our own doing. */
function toEnding({ finish, isUnsure }: Waiting, ended: ReadonlySet<string>): Ending {
  if (ended.has(finish.lease.taskId)) return "ended";
  return isUnsure ? "unknown" : "lost";
}

function judgeWritten(batch: readonly Waiting[], promoted: number): { claimable: boolean; timed: boolean } {
  const isBack = ({ finish: { outcome } }: Waiting) =>
    outcome.kind === "release" || (outcome.kind === "retry" && outcome.delayMs === 0);
  const isLater = ({ finish: { outcome } }: Waiting) => outcome.kind === "retry" && outcome.delayMs > 0;
  return { claimable: promoted > 0 || batch.some(isBack), timed: batch.some(isLater) };
}

/** Rolled back for sure, because of a lock or the time that it took. */
function isBusy(error: unknown): boolean {
  return ["55P03", "57014", "40P01", "40001"].includes(sqlState(error) ?? "");
}

/** The next batch: bounded, few keys, and no task twice in it, because one statement can change a row only once. */
function takeBatch(queue: Waiting[]): Waiting[] {
  if (queue[0]?.isAlone) return queue.splice(0, 1);
  const batch: Waiting[] = [];
  const seen = new Set<string>();
  let keyed = 0;
  while (batch.length < maxBatch && keyed < maxKeyedBatch) {
    const next = queue[0];
    if (!next || next.isAlone || seen.has(next.finish.lease.taskId)) break;
    queue.shift();
    seen.add(next.finish.lease.taskId);
    if (next.finish.concurrencyKey !== null) keyed++;
    batch.push(next);
  }
  return batch;
}

function partition<T>(items: readonly T[], isFirst: (item: T) => boolean): [T[], T[]] {
  return [items.filter(isFirst), items.filter((item) => !isFirst(item))];
}
