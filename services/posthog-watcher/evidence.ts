/* What a finding is made of: the numbers as they were when it was raised. */
import { createHash } from "node:crypto";
import type { ChartPoint, Evidence, Observed } from "./finding.ts";
import type { Monitor } from "./monitor.ts";
import { changePercentOf, type Direction, type Observation } from "./track.ts";

export type EvidenceParts = {
  monitor: Pick<Monitor, "detector" | "rule">;
  series: string | null;
  seen: Observation;
  direction: Direction;
  since: number;
  query: { text: string; values: Record<string, unknown>; lastRefresh: string | null } | null;
  chart: ChartPoint[];
  notes: string[];
  links: { title: string; url: string }[];
};

export function toEvidence({
  monitor,
  series,
  seen,
  direction,
  since,
  query,
  chart,
  notes,
  links,
}: EvidenceParts): Evidence {
  const { rule, detector } = monitor;
  const { value, expected, low, high, score, volume } = seen;
  const change = changePercentOf(seen);
  return {
    direction,
    since: new Date(since).toISOString(),
    at: new Date(seen.at).toISOString(),
    ...{ value, expected, low, high, volume, series, chart, notes, links },
    score: round(score),
    changePercent: change === null ? null : round(change),
    rule: { detector, score: rule.score, minChangePercent: rule.minChangePercent, for: rule.badFor },
    query: query && { ...query, hash: createHash("sha256").update(query.text).digest("hex").slice(0, 16) },
  };
}

export function firstObserved({ at, value, score }: Observation): Observed {
  return { count: 1, peakScore: round(Math.abs(score)), lastAt: new Date(at).toISOString(), lastValue: value };
}

export function addObserved(before: Observed, { at, value, score }: Observation): Observed {
  return {
    count: before.count + 1,
    peakScore: Math.max(before.peakScore, round(Math.abs(score))),
    lastAt: new Date(at).toISOString(),
    lastValue: value,
  };
}

export function toChartPoint({
  at,
  value,
  expected,
  low,
  high,
}: Omit<Observation, "score" | "volume" | "isLearning" | "isHoliday">): ChartPoint {
  return { at: new Date(at).toISOString(), value, expected, low, high };
}

/** Enough digits to read, few enough to compare. */
function round(value: number): number {
  return Number(value.toFixed(2));
}
