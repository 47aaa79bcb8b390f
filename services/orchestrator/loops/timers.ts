/** Does what is due by the database's clock: wakes tasks, lets them join their lines, expires approvals, sweeps. */
import type { Log } from "@signalbox/common/log.ts";
import { buildBell } from "@signalbox/common/tail.ts";
import { planExpiry } from "../approval.ts";
import type { Store } from "../store.ts";
import { toPauseMs } from "./pause.ts";

const sweepMs = 60_000;
const batch = 500;
/** Joining takes a lock for each key. */
const joinBatch = 200;
const maxForgottenKeys = 10_000;
const maxForgottenBodies = 200;

export type Timers = { ring(): void; run(signal: AbortSignal): Promise<void> };

export function buildTimers({ store, log, onReady }: { store: Store; log: Log; onReady: () => void }): Timers {
  const bell = buildBell();
  let sweptAt = Number.NEGATIVE_INFINITY;

  async function tick(): Promise<number> {
    const woken = await store.wakeDue(batch);
    const joined = await store.joinDue(joinBatch);
    if (woken + joined > 0) onReady();
    if (woken === batch || joined === joinBatch) return 0;
    await expireApprovals();
    if (performance.now() - sweptAt > sweepMs) await sweep();
    return toPauseMs(await store.nextDueMs());
  }

  async function expireApprovals(): Promise<void> {
    for (const due of await store.listExpiredApprovals(100)) {
      const changed = await store.changeTask(due.id, "service:orchestrator", ({ task }) =>
        planExpiry(task, due.version),
      );
      if (changed.kind === "changed") onReady();
    }
  }

  async function sweep(): Promise<void> {
    sweptAt = performance.now();
    const repaired = await store.repairHeads();
    if (repaired > 0) {
      log.error({ repaired }, "concurrency keys stood without a head and were repaired; this should never happen");
      onReady();
    }
    const keys = await store.forgetIdempotencyKeys(maxForgottenKeys);
    await store.forgetUses();
    const bodies = await store.forgetDeliveryBodies(maxForgottenBodies);
    // There is more: the next look goes on, or what comes faster than one batch a sweep would pile up for ever.
    if (keys === maxForgottenKeys || bodies === maxForgottenBodies) sweptAt = Number.NEGATIVE_INFINITY;
  }

  return {
    ring: bell.ring,
    async run(signal) {
      while (!signal.aborted) {
        const waitMs = await tick().catch((error: unknown) => {
          log.warn({ err: error }, "timers failed; they will try again");
          return 1_000;
        });
        await bell.heard(waitMs, signal);
      }
    },
  };
}
