/** Requests that wait for a task to end (`Prefer: wait`), woken by the ledger as it passes. */
import type { Task } from "@signalbox/common/contracts/task.ts";
import { hasEnded } from "../transition.ts";
import type { Hub } from "./hub.ts";

export type Waiters = {
  /** Begins to watch before the task is made, so that a quick end is not missed. */
  watch(taskId: string): { ended(timeoutMs: number, signal: AbortSignal): Promise<Task | null>; stop(): void };
  /** From now on nobody waits: this process stops, and who waits is answered with what there is. */
  release(): void;
};

export function buildWaiters(hub: Hub): Waiters {
  const waiting = new Set<() => void>();
  let isReleased = false;
  return {
    release() {
      isReleased = true;
      for (const giveUp of waiting) giveUp();
    },
    watch(taskId) {
      const end = Promise.withResolvers<Task>();
      const stop = hub.onEntry(({ event, task }) => {
        if (event.taskId === taskId && hasEnded(task.status)) end.resolve(task);
      });
      return {
        stop,
        async ended(timeoutMs, signal) {
          const late = Promise.withResolvers<null>();
          const giveUp = () => late.resolve(null);
          if (isReleased) giveUp();
          waiting.add(giveUp);
          const timer = setTimeout(giveUp, timeoutMs);
          signal.addEventListener("abort", giveUp, { once: true });
          try {
            return await Promise.race([end.promise, late.promise]);
          } finally {
            clearTimeout(timer);
            waiting.delete(giveUp);
            signal.removeEventListener("abort", giveUp);
            stop();
          }
        },
      };
    },
  };
}
