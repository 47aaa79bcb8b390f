import { createHash } from "node:crypto";
import type { Delivery, DeliveryOutcome, RuleResult } from "@signalbox/common/contracts/webhook.ts";

/** What became of a delivery, by what became of the rules of one run. */
export function judgeOutcome(results: readonly RuleResult[]): DeliveryOutcome {
  if (results.length === 0) return "ignored";
  return results.some(({ outcome }) => outcome === "failed") ? "failed" : "accepted";
}

/** Rules of the delivery itself that are to be tried again when it comes again: those whose task no run has made yet. */
export function listFailedRules({ rules }: Pick<Delivery, "rules">): string[] {
  const failed = rules.filter(({ run, outcome }) => run === 1 && outcome === "failed").map(({ rule }) => rule);
  return failed.filter((name) => rules.every(({ rule, outcome }) => rule !== name || outcome === "failed"));
}

/** What a later try of the same run found out takes the place of what was known. */
export function mergeResults(known: readonly RuleResult[], fresh: readonly RuleResult[]): RuleResult[] {
  const isFresh = (result: RuleResult) => fresh.some(({ rule, run }) => rule === result.rule && run === result.run);
  return [...known.filter((result) => !isFresh(result)), ...fresh];
}

/** Tasks that one run made. */
export function listMade(results: readonly RuleResult[], run?: number): string[] {
  const made = results.filter(({ outcome }) => outcome === "made");
  return made.flatMap((result) =>
    result.taskId !== null && (run ?? result.run) === result.run ? [result.taskId] : [],
  );
}

/**
 * The idempotency key of a rule's `dedupe`. It begins with a line break, which no header can hold, so that no caller's own
 * key is ever the same; and it is a hash, because senders decide how long the value is.
 */
export function toDedupeKey({ source, rule, value }: { source: string; rule: string; value: string }): string {
  const hash = createHash("sha256")
    .update(JSON.stringify([source, rule, value]))
    .digest("hex");
  return `\nwebhook ${hash}`;
}
