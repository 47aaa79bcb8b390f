import { setTimeout as rest } from "node:timers/promises";
import type { Run } from "../store/runs.ts";
import type { Store } from "../store.ts";

const everyMs = 20;
const slowestMs = 500;

/** The run when it has ended, or as it is when the time is over; it may be done by another instance, so the table is asked. */
export async function waitForRun(
  store: Pick<Store, "runs">,
  { id, seconds, signal }: { id: string; seconds: number; signal: AbortSignal },
): Promise<Run | null> {
  const giveUpAt = performance.now() + seconds * 1_000;
  for (let pauseMs = everyMs; ; pauseMs = Math.min(slowestMs, pauseMs * 1.3)) {
    const run = await store.runs.findRun(id);
    if (run === null || run.state !== "queued" || signal.aborted || performance.now() >= giveUpAt) return run;
    await rest(pauseMs, undefined, { signal }).catch(() => undefined);
  }
}
