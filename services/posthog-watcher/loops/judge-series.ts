import type { Detector } from "@signalbox/common/detect/detector.ts";
import type { Monitor } from "../monitor.ts";
import type { Point } from "../query-rows.ts";
import type { Bucket } from "../store/buckets.ts";
import { localDay, toLocal } from "../time-grid.ts";
import { type Change, calm, type Observation, type Step, stepTrack, type Track } from "../track.ts";
import { buildDetector, leastOf, teach } from "./series-book.ts";

/** Something that happened to one series of a monitor, in the order in which it happened. */
export type SeriesEvent = {
  series: string | null;
  seen: Observation;
  change: Exclude<Change, { kind: "none" }> | { kind: "accepted"; since: number; factor: number | null };
};

export type Judged = {
  buckets: Bucket[];
  tracks: Record<string, Track>;
  events: SeriesEvent[];
  /** a history was restated, so that the given detector is not what is stored */
  isRestated: boolean;
};

export type Judging = {
  monitor: Monitor;
  detector: Detector;
  /** new ones only, in order */
  points: readonly Point[];
  tracks: Record<string, Track>;
  timezone: string;
  holidays: ReadonlySet<string>;
  /** nothing was known before: the history is replayed, and only what still goes on at its end is told */
  isFirst: boolean;
  /** buckets whose data never came: nothing is said of them and nothing learned */
  leftOut: ReadonlySet<number>;
};

/** What has lasted so long is the new normal. */
const acceptedAfterMs = 7 * 86_400_000;
/** What began earlier than so before the end of a history is told to nobody. */
const freshMs = 2 * 86_400_000;

export function judgeSeries(given: Judging): Judged {
  const judging = { ...given };
  const judged: Judged = { buckets: [], tracks: { ...judging.tracks }, events: [], isRestated: false };
  const times = Map.groupBy(judging.points, ({ at }) => at);
  for (const [at, points] of times) {
    for (const point of withAbsent(judging, judged.tracks, { at, points })) {
      judgePoint(judging, judged, point);
      const { change, series } = judged.events.at(-1) ?? {};
      // What is stored is restated there; a history that is only just being read is restated here.
      if (judging.isFirst && change?.kind === "accepted" && judged.events.at(-1)?.seen.at === at) {
        judging.detector = restate(judging, judged, { ...change, series: series ?? "" });
      }
    }
  }
  return judging.isFirst ? onlyOngoing(judged) : judged;
}

/** The history as if it had always been at the new level, and a detector that has learned it so. */
function restate(
  judging: Judging,
  judged: Judged,
  step: { since: number; factor: number | null; series: string },
): Detector {
  judged.isRestated = true;
  judged.buckets = judged.buckets.map((bucket) => {
    if (bucket.series !== step.series) return bucket;
    if (bucket.at >= step.since) return { ...bucket, isOrdinary: true };
    return { ...bucket, value: bucket.value * (step.factor ?? 1) };
  });
  const detector = buildDetector(judging.monitor);
  for (const bucket of judged.buckets) teach(detector, bucket, judging.timezone);
  return detector;
}

/** Of a monitor with many things: those that are in an episode and did not happen in this bucket happened nought times. */
function withAbsent(
  { monitor }: Judging,
  tracks: Record<string, Track>,
  { at, points }: { at: number; points: Point[] },
): Point[] {
  if (monitor.detector !== "signatures") return points;
  const present = new Set(points.map(({ key }) => key));
  const absent = Object.keys(tracks).filter((key) => !present.has(key));
  return [...points, ...absent.map((key) => ({ at, key, value: 0 }))];
}

function judgePoint(judging: Judging, judged: Judged, point: Point): void {
  const { monitor, detector } = judging;
  const track = judged.tracks[point.key ?? ""] ?? calm;
  const local = { ...point, at: toLocal(point.at, judging.timezone) };
  const seen = toObservation(judging, point, { local, track });
  if (judging.leftOut.has(point.at)) {
    detector.skip(local);
    judged.buckets.push(toBucket(monitor.name, point, { seen: { ...seen, score: 0 }, isOrdinary: false }));
    return;
  }
  const step = stepTrack(track, seen, monitor.rule);
  if (step.isOrdinary) detector.learn(local);
  else detector.skip(local);
  judged.buckets.push(toBucket(monitor.name, point, { seen, isOrdinary: step.isOrdinary }));
  settle(judged, { series: point.key ?? null, seen }, step);
}

/** Keeps the track, as long as there is anything to remember of it, and says what happened. */
function settle({ tracks, events }: Judged, about: Omit<SeriesEvent, "change">, { track, change }: Step): void {
  const series = about.series ?? "";
  if (track.phase === "episode" && about.seen.at - track.since > acceptedAfterMs) {
    delete tracks[series];
    events.push({ ...about, change: { kind: "accepted", since: track.since, factor: factorOf(about.seen) } });
    return;
  }
  if (track.phase === "calm" && track.bad === 0) delete tracks[series];
  else tracks[series] = track;
  if (change.kind !== "none") events.push({ ...about, change });
}

function toObservation(
  { monitor, detector, timezone, holidays }: Judging,
  point: Point,
  { local, track }: { local: Point; track: Track },
): Observation {
  const { isLearning, ...reading } = detector.judge(local);
  // A new error stays one for as long as it goes on.
  const isOngoing = monitor.detector === "signatures" && track.phase === "episode";
  return {
    ...{ at: point.at, value: point.value, volume: point.volume ?? null },
    ...reading,
    score: isOngoing ? point.value / leastOf(monitor) : reading.score,
    isLearning,
    isHoliday: holidays.has(localDay(point.at, timezone)),
  };
}

/** How much of what was usual the new normal is. */
function factorOf({ value, expected }: Observation): number | null {
  return expected === null || expected <= 0 || value <= 0 ? null : value / expected;
}

function toBucket(
  monitor: string,
  point: Point,
  { seen, isOrdinary }: { seen: Observation; isOrdinary: boolean },
): Bucket {
  const { expected, low, high, score } = seen;
  return {
    ...{
      monitor,
      series: point.key ?? "",
      at: point.at,
      firstValue: point.value,
      value: point.value,
      volume: point.volume ?? null,
    },
    ...{ expected, low, high, score, isOrdinary },
  };
}

/** Of a replayed history: what still goes on and is fresh is raised now; all else has been. */
function onlyOngoing({ buckets, tracks, events, isRestated }: Judged): Judged {
  const end = buckets.at(-1)?.at ?? 0;
  const fresh = Object.entries(tracks).filter(([, track]) => track.phase === "calm" || track.since >= end - freshMs);
  const ongoing = new Map(fresh.filter(([, track]) => track.phase === "episode"));
  const raised = new Map<string, SeriesEvent>();
  for (const event of events) if (event.change.kind === "raise") raised.set(event.series ?? "", event);
  return {
    ...{ buckets, isRestated },
    tracks: Object.fromEntries(fresh),
    events: [...raised].filter(([series]) => ongoing.has(series)).map(([, event]) => event),
  };
}
