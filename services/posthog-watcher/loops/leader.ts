/*
 * One instance watches, the others wait. The lead is a lease in the database that is renewed far more often than it ends. It saves
 * requests; what is right does not hang on it: whoever has lost the lead without knowing can move no monitor on that somebody else has
 * moved, and can make no second finding of a kind.
 */
import { setTimeout as rest } from "node:timers/promises";
import type { Log } from "@signalbox/common/log.ts";
import type { Store } from "../store.ts";

export type LeaderOptions = { store: Store; holder: string; log: Log; leaseMs: number; everyMs: number };
export type Leader = {
  isLeading(): boolean;
  run(lead: (signal: AbortSignal) => Promise<void>, signal: AbortSignal): Promise<void>;
};

export function buildLeader({ store, holder, log, leaseMs, everyMs }: LeaderOptions): Leader {
  let isLeading = false;

  const hold = () =>
    store.memory.holdLead({ holder, leaseMs }).catch((error: unknown) => {
      log.warn({ err: error }, "the lead could not be asked for");
      return null;
    });

  /** Until the lead is somebody else's, or could be. */
  async function renew(signal: AbortSignal): Promise<void> {
    let sureUntil = performance.now() + leaseMs;
    while (!signal.aborted && performance.now() < sureUntil) {
      await rest(everyMs, undefined, { signal }).catch(() => undefined);
      const askedAt = performance.now();
      const held = signal.aborted ? null : await hold();
      if (held === false) return;
      if (held === true) sureUntil = askedAt + leaseMs;
    }
  }

  async function turn(lead: (signal: AbortSignal) => Promise<void>, signal: AbortSignal): Promise<void> {
    if ((await hold()) !== true) {
      await rest(everyMs * (0.9 + Math.random() * 0.2), undefined, { signal }).catch(() => undefined);
      return;
    }
    const over = new AbortController();
    isLeading = true;
    const work = lead(AbortSignal.any([signal, over.signal]));
    await renew(signal);
    over.abort();
    isLeading = false;
    await work;
  }

  return {
    isLeading: () => isLeading,
    async run(lead, signal) {
      while (!signal.aborted) await turn(lead, signal);
      await store.memory
        .releaseLead(holder)
        .catch((error: unknown) => log.warn({ err: error }, "the lead was not released"));
    },
  };
}
