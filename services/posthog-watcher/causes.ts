/*
 * What changed around the beginning of a finding, the likeliest first. Nothing here proves anything: a release a few minutes before is
 * suspicious, one two hours before less, and a flag whose name stands in the monitor's own proposal more than any other. Each says why
 * it stands where it stands.
 */
import type { Cause } from "./finding.ts";
import type { Monitor } from "./monitor.ts";

export type ChangeSeen = {
  kind: Cause["kind"];
  id: string;
  title: string;
  at: number;
};

/** What is older than so, or began so long after, is no cause. */
export const causeBeforeMs = 6 * 3_600_000;
const causeAfterMs = 3_600_000;

const mostCauses = 10;

/** How suspicious each kind is by itself. */
const weights: Record<Cause["kind"], number> = {
  deploy: 1,
  rollback: 0.9,
  flag: 1,
  config: 0.9,
  annotation: 0.7,
  push: 0.5,
  drift: 0.6,
  task_failure: 0.5,
  finding: 0.4,
};

/** After so long a change is half as suspicious. */
const halfLifeMs = 45 * 60_000;

/**
 * @param since when the first bad bucket began
 * @param bucketMs its length: a change within it may well have been the cause
 */
export function rankCauses(changes: readonly ChangeSeen[], monitor: Monitor, since: number): Cause[] {
  const near = changes.filter(
    ({ at }) => at >= since - causeBeforeMs && at <= since + Math.max(monitor.bucketMs, causeAfterMs),
  );
  const ranked = near.map((change) => toCause(change, monitor, since)).sort((a, b) => b.likelihood - a.likelihood);
  return ranked.slice(0, mostCauses);
}

function toCause(change: ChangeSeen, monitor: Monitor, since: number): Cause {
  const { kind, id, title, at } = change;
  const before = since - at;
  // Within the first bad bucket the order cannot be seen: as good as just before.
  const distance = before >= 0 ? before : -before <= monitor.bucketMs ? 0.25 * -before : 4 * -before;
  const isNamed = isNamedBy(change, monitor);
  const likelihood = Math.min(1, weights[kind] * 0.5 ** (distance / halfLifeMs) * (isNamed ? 1.5 : 1));
  return {
    ...{ kind, id, title },
    at: new Date(at).toISOString(),
    minutesBefore: Math.round(before / 6_000) / 10,
    likelihood: Math.round(likelihood * 1_000) / 1_000,
    why: [timeText(before, monitor.bucketMs), ...(isNamed ? ["the monitor itself names it"] : [])].join("; "),
  };
}

/** The monitor's proposal is about this very thing. */
function isNamedBy({ id, title }: ChangeSeen, { proposals }: Monitor): boolean {
  const texts = proposals.flatMap(({ payload }) => Object.values(payload)).filter((value) => typeof value === "string");
  return texts.some((text) => text.length >= 3 && (id === text || title.includes(text)));
}

function timeText(before: number, bucketMs: number): string {
  const minutes = Math.round(Math.abs(before) / 60_000);
  if (before >= 0)
    return minutes === 0 ? "just before the first bad bucket" : `${minutes} minutes before the first bad bucket`;
  if (-before <= bucketMs) return `within the first bad bucket, ${minutes} minutes after its beginning`;
  return `${minutes} minutes after the beginning of the first bad bucket`;
}
