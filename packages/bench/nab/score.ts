/*
 * The scoring rules of the Numenta Anomaly Benchmark, as its paper and its code define them.
 *
 * Lavin, Ahmad: "Evaluating Real-time Anomaly Detection Algorithms, the Numenta Anomaly Benchmark", ICMLA 2015.
 */

/** Both ends are rows, and inside. */
export type Window = { first: number; last: number };

export type Profile = { name: string; falsePositive: number; missed: number };

export const profiles = {
  standard: { name: "standard", falsePositive: 0.11, missed: 1 },
  lowFalsePositives: { name: "reward low FP rate", falsePositive: 0.22, missed: 1 },
  lowMisses: { name: "reward low FN rate", falsePositive: 0.11, missed: 2 },
} as const satisfies Record<string, Profile>;

/** What one series brought, before it is set in relation to the others. */
export type Tally = { total: number; windows: number; hits: number; falseAlarms: number };

/** The rows at the beginning, on which nothing counts. */
export function probationOf(rows: number): number {
  return Math.min(Math.floor(0.15 * rows), 750);
}

/**
 * The worth of a detection by its place: 1 long before, 0 at the window's end, towards -1 behind it.
 *
 * @param place -1 at the window's left edge, 0 just behind its right edge
 */
export function worthOf(place: number): number {
  return place > 3 ? -1 : 2 / (1 + Math.exp(5 * place)) - 1;
}

const most = worthOf(-1);

/**
 * @param detections rows, in order
 * @param windows in order of their rows
 */
export function tallySeries(detections: readonly number[], windows: readonly Window[], rows: number): Tallied {
  const counted = detections.filter((row) => row >= probationOf(rows));
  const best = windows.map((window) => bestWithin(counted, window));
  const outside = counted.filter((row) => !windows.some(({ first, last }) => row >= first && row <= last));
  return { best, falseWorths: outside.map((row) => worthOutside(row, windows)) };
}

/** The parts of a tally that no profile weighs yet; null: the window was missed. */
export type Tallied = { best: (number | null)[]; falseWorths: number[] };

/** Of all detections in a window the earliest, which is worth most, counts. */
function bestWithin(detections: readonly number[], { first, last }: Window): number | null {
  const row = detections.find((one) => one >= first && one <= last);
  if (row === undefined) return null;
  const length = last - first + 1;
  return worthOf(-(last - row + 1) / length) / most;
}

/** Between 0, just behind a window, and -1, far from any. */
function worthOutside(row: number, windows: readonly Window[]): number {
  const before = windows.findLast(({ last }) => last < row);
  if (before === undefined) return -1;
  return worthOf((row - before.last) / Math.max(1, before.last - before.first));
}

export function weigh({ best, falseWorths }: Tallied, profile: Profile): Tally {
  const hits = best.filter((worth) => worth !== null);
  const won = hits.reduce((sum, worth) => sum + worth, 0);
  const lost = falseWorths.reduce((sum, worth) => sum + worth, 0);
  const total = won + profile.falsePositive * lost - profile.missed * (best.length - hits.length);
  return { total, windows: best.length, hits: hits.length, falseAlarms: falseWorths.length };
}

/** 0 for a detector that never speaks, 100 for one that speaks once at the beginning of each window. */
export function normalise(tallies: readonly Tally[], profile: Profile): number {
  const windows = tallies.reduce((sum, tally) => sum + tally.windows, 0);
  if (windows === 0) throw new RangeError("no window is labelled, so there is nothing to find");
  const total = tallies.reduce((sum, tally) => sum + tally.total, 0);
  const silent = -profile.missed * windows;
  return (100 * (total - silent)) / (windows - silent);
}
