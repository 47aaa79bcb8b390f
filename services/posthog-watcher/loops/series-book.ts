import type { Detector } from "@signalbox/common/detect/detector.ts";
import { buildLastWeek } from "@signalbox/common/detect/last-week.ts";
import { buildNovelty } from "@signalbox/common/detect/novelty.ts";
import { buildSeasonal } from "@signalbox/common/detect/seasonal.ts";
import { buildSignatures } from "@signalbox/common/detect/signatures.ts";
import { buildSilence } from "@signalbox/common/detect/silence.ts";
import { buildThreshold } from "@signalbox/common/detect/threshold.ts";
import type { Monitor } from "../monitor.ts";
import type { Bucket } from "../store/buckets.ts";
import type { Store } from "../store.ts";
import { toLocal } from "../time-grid.ts";

const dayMs = 86_400_000;
const signaturesRemembered = 10_000;

export function buildDetector(monitor: Monitor): Detector {
  const { bucketMs, season, noise, rule, limits } = monitor;
  switch (monitor.detector) {
    case "seasonal": {
      const seasonMs = season === "week" ? 7 * dayMs : dayMs;
      const [history, minHistory] = [monitor.historyMs, monitor.minHistoryMs].map((ms) =>
        Math.max(1, Math.round(ms / seasonMs)),
      );
      return buildSeasonal({ bucketMs, season, noise, history: history ?? 8, minHistory: minHistory ?? 2 });
    }
    case "novelty":
      return buildNovelty();
    case "last-week":
      return buildLastWeek({ bucketMs, changePercent: monitor.changePercent });
    case "limits":
      return buildThreshold(limits);
    case "silence":
      return buildSilence({ bucketMs, least: Math.max(1, rule.minVolume) });
    default:
      return buildSignatures({ least: leastOf(monitor), remembered: signaturesRemembered });
  }
}

/** How often something new must happen in a bucket to be told. */
export function leastOf({ rule }: Pick<Monitor, "rule">): number {
  return Math.max(1, rule.minVolume);
}

export type SeriesBook = {
  /** What a monitor's detector has learned of everything before `until`; built from the stored buckets when it is not at hand. */
  open(monitor: Monitor, until: number | null): Promise<Detector>;
  /** What the detector has learned is stored, and true up to here. */
  keep(name: string, until: number): void;
  /** What it has learned was not stored, or is not true any more. */
  drop(name: string): void;
};

/**
 * The detectors of all monitors, in memory. They are a digest of the stored buckets and may be lost at any time: whoever leads next
 * builds them anew.
 */
export function buildSeriesBook({ store, timezone }: { store: Store; timezone: string }): SeriesBook {
  const entries = new Map<string, { detector: Detector; until: number | null }>();

  async function rebuild(monitor: Monitor, until: number | null): Promise<Detector> {
    const detector = buildDetector(monitor);
    if (until === null) return detector;
    const rows = await store.buckets.listBuckets({ monitor: monitor.name, from: until - monitor.historyMs, to: until });
    for (const row of rows) teach(detector, row, timezone);
    return detector;
  }

  return {
    async open(monitor, until) {
      const known = entries.get(monitor.name);
      if (known && known.until === until) return known.detector;
      const detector = await rebuild(monitor, until);
      entries.set(monitor.name, { detector, until });
      return detector;
    },
    keep(name, until) {
      const entry = entries.get(name);
      if (entry) entry.until = until;
    },
    drop: (name) => void entries.delete(name),
  };
}

export function teach(detector: Detector, { at, value, volume, series, isOrdinary }: Bucket, timezone: string): void {
  const point = {
    at: toLocal(at, timezone),
    value,
    ...(volume !== null && { volume }),
    ...(series !== "" && { key: series }),
  };
  if (isOrdinary) detector.learn(point);
  else detector.skip(point);
}
