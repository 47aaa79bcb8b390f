/* What is asked about new anomalies before they become findings: what changed around them, what PostHog knows, how the flags stand. */
import { causeBeforeMs, rankCauses } from "../causes.ts";
import type { Monitor } from "../monitor.ts";
import type { ApplyOptions, JudgedRead } from "./apply-run.ts";
import { findChanges } from "./find-changes.ts";
import type { SeriesEvent } from "./judge-series.ts";
import type { Kit } from "./kit.ts";

export type Explained = Pick<ApplyOptions, "causesOf" | "about" | "seenFlags">;

type Raised = { monitor: Monitor; event: SeriesEvent };

/** Causes of what began long ago are not looked for further back than so. */
const lookBackMs = 48 * 3_600_000;

/** Only asked when there is anything new; what cannot be read is left out. */
export async function explainNews(kit: Kit, judged: readonly JudgedRead[], now: number): Promise<Explained> {
  const raised = judged.flatMap(({ read, judged: { events } }) =>
    events.filter(({ change }) => change.kind === "raise").map((event) => ({ monitor: read.monitor, event })),
  );
  if (raised.length === 0) return { causesOf: () => [], about: new Map(), seenFlags: new Map() };
  const earliest = Math.min(...raised.map(({ event }) => (event.change.kind === "raise" ? event.change.since : now)));
  const [{ changes }, about, seenFlags] = await Promise.all([
    findChanges(kit, Math.max(earliest, now - lookBackMs) - causeBeforeMs, now),
    findIssues(kit, raised),
    findFlags(kit, raised),
  ]);
  return { causesOf: (monitor, since) => rankCauses(changes, monitor, since), about, seenFlags };
}

async function findIssues({ posthog }: Kit, raised: readonly Raised[]): Promise<Explained["about"]> {
  const about = new Map<string, { name: string; status: string }>();
  for (const { monitor, event } of raised) {
    if (monitor.source.kind !== "errors" || event.series === null) continue;
    const issue = await posthog.findIssue(event.series).catch(() => null);
    if (issue) about.set(event.series, issue);
  }
  return about;
}

async function findFlags({ posthog, mode }: Kit, raised: readonly Raised[]): Promise<Explained["seenFlags"]> {
  const keys = raised.flatMap(({ monitor }) =>
    monitor.proposals.filter(({ type }) => type === "posthog.flag.set").map(({ payload }) => String(payload.flag)),
  );
  const seen = new Map<string, { active: boolean; version: number | null }>();
  for (const key of mode === "observe" ? [] : new Set(keys)) {
    const flag = await posthog.findFlag(key).catch(() => null);
    if (flag) seen.set(key, { active: flag.active, version: flag.version });
  }
  return seen;
}
