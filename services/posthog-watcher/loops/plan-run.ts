/* What of which series a run reads: the buckets that are over, settled, and not known yet, and again the last few before them. */
import type { Wanted } from "../bucket-query.ts";
import type { Monitor } from "../monitor.ts";
import type { MonitorState } from "../store/states.ts";
import { judgeableUntil, startOfBucket } from "../time-grid.ts";

/** What arrives late changes buckets that were judged; so many are read again. */
const revisedBuckets = 3;

export type DueMonitor = { monitor: Monitor; state: MonitorState };

export type DueOptions = {
  now: number;
  /** only this one, whether or not its next try has come */
  only: string | null;
  isForced: boolean;
};

export function listDueMonitors(
  monitors: readonly Monitor[],
  states: readonly MonitorState[],
  { now, only, isForced }: DueOptions,
): DueMonitor[] {
  return monitors.flatMap((monitor) => {
    const state = states.find((one) => one.monitor === monitor.name);
    if (!monitor.isEnabled || !state || (only !== null && monitor.name !== only)) return [];
    if (!isForced && state.nextTryAt !== null && state.nextTryAt > now) return [];
    const until = judgeableUntil(now, monitor, null);
    const isDue =
      state.judgedUntil === null ||
      until - state.judgedUntil >= Math.max(monitor.bucketMs, isForced ? 0 : monitor.everyMs);
    return isDue ? [{ monitor, state }] : [];
  });
}

/** Null when nothing of it may be judged yet. */
export function toWanted({ monitor, state }: DueMonitor, now: number, watermark: number | null): Wanted | null {
  if (monitor.hasHeartbeat && watermark === null) return null;
  const to = judgeableUntil(now, monitor, monitor.hasHeartbeat ? watermark : null);
  const oldest = startOfBucket(to - monitor.historyMs, monitor.bucketMs);
  const { judgedUntil } = state;
  if (judgedUntil !== null && to <= judgedUntil) return null;
  const from = judgedUntil === null ? oldest : Math.max(oldest, judgedUntil - revisedBuckets * monitor.bucketMs);
  return { monitor, from, to };
}

const firstPauseMs = 30_000;
const longestPauseMs = 15 * 60_000;

/** The more failures, the longer the pause; a monitor that is wrong itself need not be tried so often. */
export function nextTryAt(now: number, failures: number, retryAfterMs: number): number {
  return now + Math.max(retryAfterMs, Math.min(longestPauseMs, firstPauseMs * 2 ** Math.min(failures, 10)));
}
