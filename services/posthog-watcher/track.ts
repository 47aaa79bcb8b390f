/*
 * The life of an anomaly, bucket by bucket. A track is calm, or it is in an episode: the time from the first bad bucket that was told
 * until so many good ones in a row. An episode is one finding, whatever happens to it meanwhile: a person may acknowledge, snooze,
 * decline or close the finding, and the episode goes on being watched in silence until it is over, so that the same thing is never
 * told twice and the next one is never missed.
 *
 *   calm    --bad, often enough or bad enough-->  episode (raise)
 *   calm    --otherwise-->                        calm; a good bucket forgets the bad ones before it
 *   episode --bad-->                              episode (observe; worse when the severity rises)
 *   episode --good, often enough-->               calm (calmed)
 *   episode --neither-->                          episode
 *
 * A bucket that is far off in the other direction is the echo of the episode, a catching up, and counts as good.
 */
import type { Rule, Severity } from "./monitor.ts";

export type Direction = "up" | "down";

/** What the detector and the grid say of one bucket. */
export type Observation = {
  at: number;
  value: number;
  volume: number | null;
  score: number;
  expected: number | null;
  low: number | null;
  high: number | null;
  isLearning: boolean;
  /** the day is special: more is ordinary than on others */
  isHoliday: boolean;
};

export type Track =
  | { phase: "calm"; direction: Direction | null; bad: number; since: number | null }
  | { phase: "episode"; direction: Direction; good: number; since: number; peak: number; severity: Severity };

export const calm: Track = { phase: "calm", direction: null, bad: 0, since: null };

/** What happened to the track; `none` when nothing is worth a line. */
export type Change =
  | { kind: "none" }
  | { kind: "raise"; direction: Direction; since: number; severity: Severity }
  | { kind: "observe"; severity: Severity; isWorse: boolean; isPeak: boolean }
  | { kind: "calmed" };

export type Step = { track: Track; change: Change; isOrdinary: boolean };

/** On a special day the band is so much wider. */
const holidayFactor = 3;
/** A score of so many times the limit needs no second bucket. */
const extremeFactor = 2;

export function stepTrack(track: Track, seen: Observation, rule: Rule): Step {
  const score = Math.abs(seen.score) / (seen.isHoliday ? holidayFactor : 1);
  const direction: Direction = seen.score < 0 ? "down" : "up";
  const isBad = judgeBad(seen, { score, direction, rule });
  if (track.phase === "calm") return stepCalm(track, seen, { score, direction, isBad, rule });
  const isGood = score < rule.resolveScore || direction !== track.direction;
  return stepEpisode(track, { score, isBad: isBad && !isGood, isGood, rule });
}

type Judged = { score: number; direction: Direction; rule: Rule };

function judgeBad(seen: Observation, { score, direction, rule }: Judged): boolean {
  if (score < rule.score || seen.isLearning) return false;
  if (rule.direction !== "both" && rule.direction !== direction) return false;
  const change = changePercentOf(seen);
  const least = rule.minChangePercent * (seen.isHoliday ? holidayFactor : 1);
  if (change !== null && Math.abs(change) < least) return false;
  return Math.max(seen.volume ?? seen.value, seen.volume === null ? (seen.expected ?? 0) : 0) >= rule.minVolume;
}

/** Against what was expected; null when nothing was. */
export function changePercentOf({ value, expected }: Pick<Observation, "value" | "expected">): number | null {
  if (expected === null || expected === 0) return null;
  return (100 * (value - expected)) / Math.abs(expected);
}

function severityOf(score: number, rule: Rule): Severity {
  if (score >= rule.critical) return "critical";
  return score >= rule.warning ? "warning" : "info";
}

type Calm = Extract<Track, { phase: "calm" }>;
type Episode = Extract<Track, { phase: "episode" }>;

function stepCalm(
  track: Calm,
  seen: Observation,
  { score, direction, isBad, rule }: Judged & { isBad: boolean },
): Step {
  if (!isBad) return { track: calm, change: { kind: "none" }, isOrdinary: !seen.isHoliday };
  const isSame = track.direction === direction;
  const bad = isSame ? track.bad + 1 : 1;
  const since = isSame ? (track.since ?? seen.at) : seen.at;
  if (bad < rule.badFor && score < extremeFactor * rule.score) {
    return { track: { phase: "calm", direction, bad, since }, change: { kind: "none" }, isOrdinary: false };
  }
  const severity = severityOf(score, rule);
  return {
    track: { phase: "episode", direction, good: 0, since, peak: score, severity },
    change: { kind: "raise", direction, since, severity },
    isOrdinary: false,
  };
}

const order: Record<Severity, number> = { info: 0, warning: 1, critical: 2 };

function stepEpisode(
  track: Episode,
  { score, isBad, isGood, rule }: { score: number; isBad: boolean; isGood: boolean; rule: Rule },
): Step {
  if (isGood) {
    const good = track.good + 1;
    if (good >= rule.goodFor) return { track: calm, change: { kind: "calmed" }, isOrdinary: true };
    return { track: { ...track, good }, change: { kind: "none" }, isOrdinary: score < rule.resolveScore };
  }
  if (!isBad) return { track: { ...track, good: 0 }, change: { kind: "none" }, isOrdinary: false };
  const severity = severityOf(score, rule);
  const isWorse = order[severity] > order[track.severity];
  const next = { ...track, good: 0, peak: Math.max(track.peak, score), severity: isWorse ? severity : track.severity };
  const change: Change = { kind: "observe", severity: next.severity, isWorse, isPeak: score > track.peak };
  return { track: next, change, isOrdinary: false };
}
