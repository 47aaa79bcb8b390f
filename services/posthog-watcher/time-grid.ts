/* Where buckets lie: from a whole multiple of their length since the epoch, in UTC. */

export function startOfBucket(at: number, bucketMs: number): number {
  return Math.floor(at / bucketMs) * bucketMs;
}

/**
 * The end of the newest bucket that may be judged: it is over, has settled, and events from behind it have arrived, so that nothing of
 * it is still on its way.
 *
 * @param watermark time of the newest event that has arrived; null when that does not matter
 */
export function judgeableUntil(
  now: number,
  { bucketMs, settleMs }: { bucketMs: number; settleMs: number },
  watermark: number | null,
): number {
  const settled = now - settleMs;
  return startOfBucket(watermark === null ? settled : Math.min(settled, watermark), bucketMs);
}

/** Starts of the buckets in [from, to). */
export function bucketsBetween(from: number, to: number, bucketMs: number): number[] {
  const first = Math.ceil(from / bucketMs) * bucketMs;
  return Array.from(
    { length: Math.max(0, Math.ceil((to - first) / bucketMs)) },
    (_, index) => first + index * bucketMs,
  );
}

/** The wall clock of a zone as if it were UTC, so that a season stays where it is when the clocks change. */
export function toLocal(at: number, timezone: string): number {
  if (timezone === "UTC") return at;
  return at + offsetOf(at, timezone);
}

const formats = new Map<string, Intl.DateTimeFormat>();

function offsetOf(at: number, timezone: string): number {
  const format =
    formats.get(timezone) ?? new Intl.DateTimeFormat("en-US", { timeZone: timezone, timeZoneName: "longOffset" });
  formats.set(timezone, format);
  const name = format.formatToParts(at).find(({ type }) => type === "timeZoneName")?.value ?? "";
  const [, sign, hours = "0", minutes = "0"] = /GMT([+-])(\d\d):?(\d\d)?/.exec(name) ?? [];
  const size = (Number(hours) * 60 + Number(minutes)) * 60_000;
  return sign === "-" ? -size : size;
}

/** The day of a zone in which a moment lies, such as 2026-12-25. */
export function localDay(at: number, timezone: string): string {
  return new Date(toLocal(at, timezone)).toISOString().slice(0, 10);
}
