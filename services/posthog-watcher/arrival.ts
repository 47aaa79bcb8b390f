/*
 * Whether the data of a bucket has arrived at all. A bucket whose events are still on their way looks like a disaster of every metric at
 * once, and that is how it is known: when nearly all counts of a project lie far below what is usual, it is not the product that
 * changed. Nothing of such a bucket is judged; it is waited for, and one finding about the project says so.
 */

/** One series in one bucket: what was counted, and what is usual. */
export type Share = { at: number; value: number; expected: number };

export type Missing = { at: number; share: number };

/** Fewer series than these prove nothing about a project. */
const leastSeries = 3;
/** Of the series so many must be low, and the one in the middle so low. */
const lowShare = 0.9;
const mostOf = 0.7;
const middleShare = 0.85;
/** What has few events varies too much to prove anything. */
const leastExpected = 20;

/** The buckets whose data has not all arrived, oldest first, with the share of the usual that the middle series has. */
export function findMissing(shares: readonly Share[]): Missing[] {
  const telling = shares.filter(({ expected }) => expected >= leastExpected);
  return [...Map.groupBy(telling, ({ at }) => at)]
    .flatMap(([at, group]) => {
      const ratios = group.map(({ value, expected }) => value / expected).sort((a, b) => a - b);
      const middle = ratios[ratios.length >> 1] ?? 1;
      const low = ratios.filter((ratio) => ratio < lowShare).length;
      const isMissing = ratios.length >= leastSeries && low >= mostOf * ratios.length && middle < middleShare;
      return isMissing ? [{ at, share: middle }] : [];
    })
    .sort((a, b) => a.at - b.at);
}

/** What is not complete after so long will not be: those buckets are left out, and the series go on. */
export const heldForMs = 6 * 3_600_000;

export type Holding = {
  /** series are judged up to here; null: as far as they were read */
  until: number | null;
  /** buckets that are left out */
  leftOut: number[];
};

export function planHolding(missing: readonly Missing[], now: number): Holding {
  const waiting = missing.find(({ at }) => now - at <= heldForMs);
  const leftOut = missing.filter(({ at }) => now - at > heldForMs).map(({ at }) => at);
  return { until: waiting?.at ?? null, leftOut };
}
