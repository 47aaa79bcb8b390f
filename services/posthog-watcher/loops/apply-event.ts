/* What happened to a series, as changes of findings: inside the transaction that moves the monitor on. */

import { addObserved, firstObserved, toChartPoint, toEvidence } from "../evidence.ts";
import { type Cause, dedupeKeyOf, type Finding, titleOf } from "../finding.ts";
import { isDeclinedAlike } from "../finding-acts.ts";
import type { Monitor } from "../monitor.ts";
import type { News } from "../notices.ts";
import { type Consent, planProposals } from "../proposals.ts";
import type { Statements } from "../store.ts";
import type { Direction, Observation } from "../track.ts";
import type { SeriesEvent } from "./judge-series.ts";
import type { SeriesRead } from "./read-series.ts";

export const actor = "service:posthog-watcher";

export type Applying = {
  tx: Statements;
  now: number;
  monitor: Monitor;
  read: Pick<SeriesRead, "query">;
  /** ranked for the moment at which an episode began */
  causesOf(monitor: Monitor, since: number): Cause[];
  consent: Consent;
  /** what is known of an error's signature besides its id */
  about: ReadonlyMap<string, { name: string; status: string }>;
  projectUrl: string;
};

/** Remembered for so long that something was declined. */
const declinedMs = 56 * 86_400_000;
const chartBuckets = 48;
/** In these the person who looks after errors in PostHog has said that it is no news. */
const quietStatuses = ["suppressed", "archived"];

export async function applyEvent(applying: Applying, event: SeriesEvent): Promise<News[]> {
  switch (event.change.kind) {
    case "raise":
      return await raise(applying, event, event.change);
    case "observe":
      return await observe(applying, event, event.change);
    case "calmed":
      return await end(applying, event, "back to what is usual");
    default:
      return await accept(applying, event, event.change);
  }
}

type Raising = { direction: Direction; since: number; severity: Finding["severity"] };

async function raise(applying: Applying, event: SeriesEvent, raising: Raising): Promise<News[]> {
  const { tx, monitor, now } = applying;
  if (quietStatuses.includes(applying.about.get(event.series ?? "")?.status ?? "")) return [];
  const dedupeKey = dedupeKeyOf(monitor.name, event.series, raising.direction);
  const declined = await tx.findings.listDeclined(dedupeKey, now - declinedMs);
  const [alike] = isDeclinedAlike(declined, event.seen) ? declined : [];
  if (alike) {
    await tx.findings.insertEvent({
      findingId: alike.id,
      kind: "suppressed",
      actor,
      at: now,
      data: toNumbers(event.seen),
    });
    return [];
  }
  const observed = firstObserved(event.seen);
  const since = now - monitor.rule.cooldownMs;
  const again = await tx.findings.reopenFinding({ dedupeKey, since, at: now, severity: raising.severity, observed });
  if (again) {
    await tx.findings.insertEvent({
      findingId: again.id,
      kind: "reopened",
      actor,
      at: now,
      data: toNumbers(event.seen),
    });
    return [{ finding: again, what: "reopened", proposals: [] }];
  }
  const finding = await tx.findings.insertFinding(await toDraft(applying, event, { ...raising, dedupeKey, observed }));
  if (finding === null) return [];
  await tx.findings.insertEvent({ findingId: finding.id, kind: "opened", actor, at: now, data: toNumbers(event.seen) });
  return [{ finding, what: "opened", proposals: await propose(applying, finding) }];
}

function toNumbers({ at, value, expected, score }: Observation) {
  return { bucket: new Date(at).toISOString(), value, expected, score: Number(score.toFixed(2)) };
}

async function toDraft(
  applying: Applying,
  { series, seen }: SeriesEvent,
  { direction, since, severity, dedupeKey, observed }: Raising & { dedupeKey: string; observed: Finding["observed"] },
) {
  const { tx, monitor, now } = applying;
  const { name, bucketMs, group, owner, runbook } = monitor;
  const rows = await tx.buckets.listBuckets({
    monitor: name,
    from: seen.at - chartBuckets * bucketMs,
    to: seen.at + bucketMs,
  });
  const known = series === null ? undefined : applying.about.get(series);
  const evidence = toEvidence({
    ...{ monitor, series, seen, direction, since },
    query: applying.read.query,
    chart: rows.filter((row) => row.series === (series ?? "")).map(toChartPoint),
    notes: known === undefined ? [] : [`PostHog calls it ${known.name || "nothing"} (${known.status || "unknown"})`],
    links: toLinks(applying, series),
  });
  return {
    ...{ monitor: name, series, direction, dedupeKey, severity, at: now, evidence, observed, group, owner, runbook },
    title: titleOf(monitor, known?.name || series, { seen }),
    causes: applying.causesOf(monitor, since),
  };
}

function toLinks({ monitor, projectUrl }: Applying, series: string | null) {
  const { source } = monitor;
  if (source.kind === "errors" && series) return [{ title: "issue", url: `${projectUrl}/error_tracking/${series}` }];
  if (source.kind === "insight") return [{ title: "insight", url: `${projectUrl}/insights/${source.shortId}` }];
  return [{ title: "PostHog", url: projectUrl }];
}

/** What is asked for because of a finding, in words for the message about it. */
async function propose({ tx, monitor, consent, now }: Applying, finding: Finding): Promise<string[]> {
  const words: string[] = [];
  for (const [index, planned] of planProposals(monitor, finding, consent).entries()) {
    if (planned.kind === "not_proposed") {
      const data = { type: planned.type, why: planned.why };
      await tx.findings.insertEvent({ findingId: finding.id, kind: "not_proposed", actor, at: now, data });
      continue;
    }
    const { kind, task } = planned;
    const dedupeKey = `${kind}:${finding.id}:${finding.reopened}:${index}`;
    const intentId = await tx.intents.insertIntent({ kind, dedupeKey, findingId: finding.id, task, at: now });
    if (intentId === null) continue;
    await tx.intents.insertAction({
      ...{ intentId, findingId: finding.id, monitor: monitor.name, type: task.type },
      isUnasked: kind === "execute",
    });
    words.push(kind === "execute" ? `done unasked: ${task.type}` : `proposed, waits for approval: ${task.type}`);
  }
  return words;
}

type Observing = { severity: Finding["severity"]; isWorse: boolean };

async function observe(applying: Applying, event: SeriesEvent, { severity, isWorse }: Observing): Promise<News[]> {
  const { tx, monitor, now } = applying;
  const direction: Direction = event.seen.score < 0 ? "down" : "up";
  const finding = await tx.findings.findOpen(dedupeKeyOf(monitor.name, event.series, direction));
  // Closed by a person while it went on: silence, unless it gets worse.
  if (finding === null)
    return isWorse ? await raise(applying, event, { direction, since: event.seen.at, severity }) : [];
  const observed = addObserved(finding.observed, event.seen);
  if (!isWorse) {
    await tx.findings.noteObserved(finding.id, observed);
    return [];
  }
  const wakes = finding.status === "snoozed";
  const change = { severity, observed, ...(wakes && { status: "open" as const, snoozedUntil: null }) };
  const worse = await tx.findings.changeFinding(finding.id, { change, at: now, ifVersion: null });
  if (worse === null) return [];
  await tx.findings.insertEvent({ findingId: worse.id, kind: "worsened", actor, at: now, data: toNumbers(event.seen) });
  if (wakes)
    await tx.findings.insertEvent({
      findingId: worse.id,
      kind: "woke",
      actor,
      at: now,
      data: { because: "it got worse" },
    });
  return [{ finding: worse, what: "worsened", proposals: await propose(applying, worse) }];
}

/** Whichever direction it had: an episode's end does not say. */
async function end({ tx, monitor, now }: Applying, event: SeriesEvent, note: string): Promise<News[]> {
  const news: News[] = [];
  for (const direction of ["down", "up"] as const) {
    const finding = await tx.findings.findOpen(dedupeKeyOf(monitor.name, event.series, direction));
    const change = { status: "resolved" as const, resolvedAt: now, snoozedUntil: null, note };
    const over = finding && (await tx.findings.changeFinding(finding.id, { change, at: now, ifVersion: null }));
    if (!over) continue;
    await tx.findings.insertEvent({ findingId: over.id, kind: "resolved", actor, at: now, data: { note } });
    news.push({ finding: over, what: "resolved", proposals: [] });
  }
  return news;
}

async function accept(
  applying: Applying,
  event: SeriesEvent,
  change: { since: number; factor: number | null },
): Promise<News[]> {
  const { tx, monitor } = applying;
  await tx.buckets.restateBuckets({ monitor: monitor.name, series: event.series ?? "", ...change });
  return await end(applying, event, "it has been so for a week and counts as usual from now on");
}
