import { findMissing, type Missing, type Share } from "../arrival.ts";
import type { MonitorState } from "../store/states.ts";
import { toLocal } from "../time-grid.ts";
import type { Kit } from "./kit.ts";
import type { SeriesRead } from "./read-series.ts";

export type MissingBucket = Missing & { bucketMs: number };

type Options = { stateOf(name: string): MonitorState | undefined; since: number };

/** Sets the new buckets of all counts against what their detectors expect, and names those that have not arrived. */
export async function readShares(
  kit: Kit,
  reads: readonly SeriesRead[],
  { stateOf, since }: Options,
): Promise<MissingBucket[]> {
  const byLength = new Map<number, Share[]>();
  for (const read of reads) {
    const { monitor } = read;
    const judgedUntil = stateOf(monitor.name)?.judgedUntil ?? null;
    if (monitor.noise !== "count" || judgedUntil === null) continue;
    const detector = await kit.book.open(monitor, judgedUntil);
    const fresh = read.points.filter(({ at }) => at >= judgedUntil && at >= since);
    const shares = fresh.flatMap((point) => {
      const { expected } = detector.judge({ ...point, at: toLocal(point.at, kit.timezone) });
      return expected === null ? [] : [{ at: point.at, value: point.value, expected }];
    });
    byLength.set(monitor.bucketMs, [...(byLength.get(monitor.bucketMs) ?? []), ...shares]);
  }
  return [...byLength].flatMap(([bucketMs, shares]) =>
    findMissing(shares).map((missing) => ({ ...missing, bucketMs })),
  );
}
