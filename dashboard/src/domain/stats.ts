import type { TaskStats } from "@signalbox/common/contracts/stats.ts";

/* What the figures of `GET /tasks/stats` mean, alone and beside those of the window before. */

/** Share of the ended tasks that ended well; null when none ended. */
export function successOf({ byStatus }: Pick<TaskStats, "byStatus">): number | null {
  const { completed = 0, failed = 0 } = byStatus;
  return completed + failed === 0 ? null : completed / (completed + failed);
}

/** `99.2 %`; never rounded up to a hundred that is none. */
export function formatShare(share: number | null): string {
  if (share === null) return "–";
  const percent = Math.floor(share * 1000) / 10;
  return `${share === 1 ? "100" : percent.toFixed(1)} %`;
}

export type Judged = { words: string; verdict: "better" | "worse" | "same" | "unknown" };

/**
 * A figure against the window before.
 *
 * @param isGoodUp whether more of it is better; of a wait less is
 */
export function compare(now: number | null, before: number | null, isGoodUp: boolean): Judged {
  if (now === null || before === null) return { words: "nothing to compare with", verdict: "unknown" };
  if (now === before) return { words: "as before", verdict: "same" };
  const change = before === 0 ? null : Math.round((100 * (now - before)) / before);
  if (change === 0) return { words: "as before", verdict: "same" };
  const words = change === null ? "none before" : `${change > 0 ? "+" : "−"}${Math.abs(change)} % to before`;
  return { words, verdict: now > before === isGoodUp ? "better" : "worse" };
}

/** Share the agreed level is reached with. */
export const SUCCESS_TARGET = 0.99;

export const windows = ["1h", "24h", "7d", "30d"] as const;
export type Window = (typeof windows)[number];

type Bucket = TaskStats["buckets"][number];

/** Every bucket of the window: a time without tasks is a gap to be seen, not one to be left out. */
export function fillBuckets({ since, until, bucketMs, buckets }: TaskStats): Bucket[] {
  const known = new Map(buckets.map((bucket) => [Date.parse(bucket.at), bucket]));
  const filled: Bucket[] = [];
  for (let atMs = Math.floor(Date.parse(since) / bucketMs) * bucketMs; atMs < Date.parse(until); atMs += bucketMs) {
    const none = { at: new Date(atMs).toISOString(), created: 0, completed: 0, failed: 0, canceled: 0 };
    filled.push(known.get(atMs) ?? none);
    known.delete(atMs);
  }
  // Buckets that begin elsewhere than ours are told all the same.
  return [...filled, ...known.values()].sort((left, right) => (left.at < right.at ? -1 : 1));
}
