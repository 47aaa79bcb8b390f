/* What a person may do with a finding, and what a memory of refusals means for the next one. */
import type { Evidence, FindingStatus } from "./finding.ts";
import { changePercentOf, type Observation } from "./track.ts";

export const acts = ["ack", "snooze", "resolve", "decline"] as const;
export type Act = (typeof acts)[number];

type Verdict = "same" | "refused" | FindingStatus;

/** Every cell: what becomes of a finding in a status by an act. */
const table: Record<FindingStatus, Record<Act, Verdict>> = {
  open: { ack: "acknowledged", snooze: "snoozed", resolve: "resolved", decline: "declined" },
  acknowledged: { ack: "same", snooze: "snoozed", resolve: "resolved", decline: "declined" },
  snoozed: { ack: "acknowledged", snooze: "snoozed", resolve: "resolved", decline: "declined" },
  // What is over may still be called a false alarm; that is what the monitor's precision is counted by.
  resolved: { ack: "refused", snooze: "refused", resolve: "same", decline: "declined" },
  declined: { ack: "refused", snooze: "refused", resolve: "refused", decline: "same" },
};

export function judgeAct(status: FindingStatus, act: Act): Verdict {
  return table[status][act];
}

export type Declined = { evidence: Pick<Evidence, "since" | "changePercent">; note: string | null };

const hourMs = 3_600_000;
const weekMs = 168 * hourMs;
/** Of the hour of the week. */
const toleranceMs = 2 * hourMs;
/** So much bigger than the one that was declined is another thing. */
const biggerFactor = 1.25;

/**
 * Whether a new anomaly is one that a person has already declined: the same series and direction (the caller has seen to that) at the
 * same hour of the week, and not clearly bigger. Declining says "this is expected here", not "never tell me again".
 */
export function isDeclinedAlike(declined: readonly Declined[], seen: Observation): boolean {
  const change = Math.abs(changePercentOf(seen) ?? Number.POSITIVE_INFINITY);
  return declined.some(({ evidence, note }) => {
    if (note === "outage" || note === "bug in monitor") return false;
    const apart = Math.abs(seen.at - Date.parse(evidence.since)) % weekMs;
    const isSameHour = Math.min(apart, weekMs - apart) <= toleranceMs;
    return isSameHour && change <= biggerFactor * Math.abs(evidence.changePercent ?? 0);
  });
}
