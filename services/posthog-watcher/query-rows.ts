/* What a query answered, as points of each monitor's series. */
import type { Column, PlannedQuery } from "./bucket-query.ts";
import type { Monitor } from "./monitor.ts";
import { bucketsBetween, startOfBucket } from "./time-grid.ts";

/** One complete bucket; the same shape that detectors read. */
export type Point = { at: number; value: number; volume?: number; key?: string };

export type Answer = { columns: readonly string[]; rows: readonly (readonly unknown[])[] };

/** What cannot be judged, and why; the monitor stays as it was. */
export class UnreadableError extends Error {}

type Places = { time: number; value: number; volume: number | null; key: number | null };

/**
 * The points of one monitor in order of their time, with the empty buckets that its `fill` wants.
 *
 * @throws UnreadableError
 */
export function toPoints(
  query: PlannedQuery,
  column: Column,
  { answer, fill }: { answer: Answer; fill: Monitor["fill"] },
): Point[] {
  const places = findPlaces(query, column, answer.columns);
  const points = answer.rows.flatMap((row) => toPoint(query, column, { row, places }));
  if (column.key !== null) return points.sort((a, b) => a.at - b.at);
  return fillGaps(query, points, fill);
}

function findPlaces({ isOwn }: PlannedQuery, column: Column, names: readonly string[]): Places {
  const placeOf = (name: string | null) => {
    const found = name === null ? -1 : names.indexOf(name);
    return found === -1 ? null : found;
  };
  const [time, value] = [placeOf("t"), placeOf(column.value)];
  const places = { time: time ?? 0, value: value ?? 1, volume: placeOf(column.volume), key: placeOf(column.key) };
  if (!isOwn && value === null && names.length > 0)
    throw new UnreadableError(`the answer has no column ${column.value}`);
  // Whoever gives no names gives the columns in order.
  const isUnnamed = time === null && value === null && names.length > 2 && isOwn;
  return isUnnamed ? { ...places, volume: 2 } : places;
}

type Found = { row: readonly unknown[]; places: Places };

function toPoint(query: PlannedQuery, column: Column, { row, places }: Found): Point[] {
  const at = startOfBucket(toTime(row[places.time]), query.bucketMs);
  if (at < query.from || at >= query.to) return [];
  const volume = places.volume === null ? null : toNumber(row[places.volume]);
  const value = toValue(row[places.value], volume, column);
  if (value === null) return [];
  const key = places.key === null ? null : String(row[places.key] ?? "");
  return [{ at, value, ...(volume !== null && { volume }), ...(key !== null && { key }) }];
}

function toValue(raw: unknown, volume: number | null, { isShare }: Column): number | null {
  const value = toNumber(raw);
  if (!isShare) return value;
  return value === null || volume === null || volume === 0 ? null : value / volume;
}

function toNumber(raw: unknown): number | null {
  if (raw === null || raw === undefined || raw === "") return null;
  const value = Number(raw);
  if (!Number.isFinite(value))
    throw new UnreadableError(`the answer has ${JSON.stringify(raw)} where a number belongs`);
  return value;
}

/**
 * Seconds, or a text with or without a zone; without one it is UTC, which the bounds are too.
 *
 * @throws UnreadableError
 */
function toTime(raw: unknown): number {
  if (typeof raw === "number") return raw > 1e11 ? raw : raw * 1_000;
  if (typeof raw === "string") {
    const text = raw.trim().replace(" ", "T");
    const at = Date.parse(/(?:Z|[+-]\d\d:?\d\d)$/.test(text) || !text.includes("T") ? text : `${text}Z`);
    if (!Number.isNaN(at)) return at;
  }
  throw new UnreadableError(`the answer has ${JSON.stringify(raw)} where a time belongs`);
}

/**
 * A history without the empty buckets before its first event: the event did not exist yet, and learning that nothing is usual would make
 * its beginning an incident.
 */
export function fromFirstEvent(points: readonly Point[]): Point[] {
  const first = points.findIndex(({ value }) => value !== 0);
  return first <= 0 ? [...points] : points.slice(first);
}

function fillGaps({ from, to, bucketMs }: PlannedQuery, points: readonly Point[], fill: Monitor["fill"]): Point[] {
  const known = new Map(points.map((point) => [point.at, point]));
  return bucketsBetween(from, to, bucketMs).flatMap((at) => {
    const point = known.get(at);
    if (point) return [point];
    if (fill === "error") throw new UnreadableError(`the bucket ${new Date(at).toISOString()} is missing`);
    return fill === "zero" ? [{ at, value: 0 }] : [];
  });
}

export type Heartbeat = {
  /** the newest event that has arrived; null when there is none in the range */
  watermark: number | null;
  counts: Map<number, number>;
};

/** @throws UnreadableError */
export function toHeartbeat({ columns, rows }: Answer, bucketMs: number): Heartbeat {
  const latest = columns.indexOf("latest");
  const counts = new Map<number, number>();
  let watermark: number | null = null;
  for (const row of rows) {
    const at = startOfBucket(toTime(row[0]), bucketMs);
    const count = toNumber(row[1]) ?? 0;
    counts.set(at, count);
    // Without the time of the newest event its bucket is all that is known.
    const seen = latest === -1 ? at + bucketMs : toTime(row[latest]);
    if (count > 0) watermark = Math.max(watermark ?? 0, seen);
  }
  return { watermark, counts };
}
