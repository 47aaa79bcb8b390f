/* When a monitor would have fired: the same reading and the same judging as a run, over past data, and nothing is kept or told. */

import { titleOf } from "../finding.ts";
import type { Monitor } from "../monitor.ts";
import type { PosthogError } from "../posthog-failure.ts";
import { fromFirstEvent, type UnreadableError } from "../query-rows.ts";
import { startOfBucket } from "../time-grid.ts";
import { judgeSeries, type SeriesEvent } from "./judge-series.ts";
import type { Kit } from "./kit.ts";
import { readSeries } from "./read-series.ts";
import { buildDetector } from "./series-book.ts";

export type ForecastWish = { monitor: Monitor; from: number; to: number };

export type ForecastFinding = {
  series: string | null;
  severity: string;
  title: string;
  since: string;
  raisedAt: string;
  endedAt: string | null;
  peakScore: number;
};

export type Forecast = {
  from: string;
  to: string;
  buckets: number;
  findings: ForecastFinding[];
  findingsAWeek: number;
  chart: {
    at: string;
    value: number;
    expected: number | null;
    low: number | null;
    high: number | null;
    score: number | null;
  }[];
};

const weekMs = 604_800_000;

/** @throws PosthogError or UnreadableError when the series cannot be read */
export async function forecast(kit: Kit, { monitor, from, to }: ForecastWish, signal: AbortSignal): Promise<Forecast> {
  const begin = startOfBucket(from - monitor.historyMs, monitor.bucketMs);
  const end = startOfBucket(to, monitor.bucketMs);
  const { reads, failures } = await readSeries(kit, [{ monitor, from: begin, to: end }], signal);
  const failure: PosthogError | UnreadableError | undefined = failures[0]?.error;
  if (failure) throw failure;
  const judged = judgeSeries({
    ...{ monitor, detector: buildDetector(monitor), points: fromFirstEvent(reads[0]?.points ?? []), tracks: {} },
    ...{ timezone: kit.timezone, holidays: kit.holidays, isFirst: false, leftOut: new Set<number>() },
  });
  const findings = toFindings(monitor, judged.events).filter(({ raisedAt }) => Date.parse(raisedAt) >= from);
  const shown = judged.buckets.filter(({ at }) => at >= from);
  return {
    from: new Date(from).toISOString(),
    to: new Date(end).toISOString(),
    buckets: shown.length,
    findings,
    findingsAWeek: Number(((findings.length * weekMs) / Math.max(1, end - from)).toFixed(2)),
    chart: shown.slice(-1_000).map(({ at, value, expected, low, high, score }) => ({
      ...{ at: new Date(at).toISOString(), value, expected, low, high, score },
    })),
  };
}

function toFindings(monitor: Monitor, events: readonly SeriesEvent[]): ForecastFinding[] {
  const found: ForecastFinding[] = [];
  const open = new Map<string, ForecastFinding>();
  for (const { series, seen, change } of events) {
    const key = series ?? "";
    const known = open.get(key);
    if (change.kind === "raise") {
      const finding = {
        ...{ series, severity: change.severity, title: titleOf(monitor, series, { seen }) },
        ...{ since: new Date(change.since).toISOString(), raisedAt: new Date(seen.at).toISOString(), endedAt: null },
        peakScore: Number(Math.abs(seen.score).toFixed(2)),
      };
      open.set(key, finding);
      found.push(finding);
    } else if (known && change.kind === "observe")
      known.peakScore = Math.max(known.peakScore, Number(Math.abs(seen.score).toFixed(2)));
    else if (known) {
      known.endedAt = new Date(seen.at).toISOString();
      open.delete(key);
    }
  }
  return found;
}
