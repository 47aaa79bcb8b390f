/**
 * The value below which the given share of the values lies, by nearest rank: always one that was measured, so that the
 * 99th percentile of a few values is the worst of them and not something kinder.
 *
 * @param share from 0 to 1
 * @throws RangeError without any value
 */
export function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  const rank = Math.max(0, Math.ceil(sorted.length * share) - 1);
  const found = sorted[rank];
  if (found === undefined) throw new RangeError("no value was measured");
  return found;
}

/** The middle value; of an even number of values the mean of the two in the middle. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const upper = sorted[sorted.length >> 1];
  const lower = sorted[(sorted.length - 1) >> 1];
  if (upper === undefined || lower === undefined) throw new RangeError("no value was measured");
  return (lower + upper) / 2;
}
