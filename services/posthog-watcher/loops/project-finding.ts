/*
 * The one finding about the project: data does not arrive, or much less of it than usual. It stands for all the findings that its
 * monitors do not raise meanwhile.
 */
import type { Missing } from "../arrival.ts";
import { firstObserved, toEvidence } from "../evidence.ts";
import type { Finding } from "../finding.ts";
import { toMonitor } from "../monitor.ts";
import type { News } from "../notices.ts";
import type { Heartbeat } from "../query-rows.ts";
import type { Statements } from "../store.ts";
import { bucketsBetween } from "../time-grid.ts";
import type { Observation } from "../track.ts";
import { actor } from "./apply-event.ts";
import { tell } from "./apply-run.ts";
import type { Kit } from "./kit.ts";
import type { DueMonitor } from "./plan-run.ts";
import { projectKey, projectMonitor } from "./shapes.ts";

export type Seen = {
  now: number;
  beat: Heartbeat;
  missing: readonly Missing[];
  due: readonly DueMonitor[];
  runKey: string;
};

const hourMs = 3_600_000;
const dayMs = 24 * hourMs;
/** A project whose newest event is older than so has fallen silent, if there was so much at this time yesterday. */
const silentMs = 90 * 60_000;
const busyEvents = 50;

type Trouble = { since: number; share: number; title: string };

export async function tellProject(kit: Kit, seen: Seen): Promise<void> {
  const trouble = judgeProject(seen);
  if (trouble === "unknown") return;
  const { now, runKey } = seen;
  await kit.store.together(async (tx) => {
    const open = await tx.findings.findOpen(projectKey);
    const isNew = trouble !== null && open === null;
    const news = isNew
      ? await raise(tx, trouble, now)
      : trouble === null && open !== null
        ? await end(tx, open, now)
        : [];
    await tell(tx, news, { now, runKey: `${runKey}.project` });
  });
}

async function raise(tx: Statements, trouble: Trouble, now: number): Promise<News[]> {
  const finding = await tx.findings.insertFinding(toDraft(trouble, now));
  if (finding === null) return [];
  await tx.findings.insertEvent({
    findingId: finding.id,
    kind: "opened",
    actor,
    at: now,
    data: { share: trouble.share },
  });
  return [{ finding, what: "opened", proposals: [] }];
}

async function end(tx: Statements, open: Finding, now: number): Promise<News[]> {
  const note = "the data has arrived";
  const change = { status: "resolved" as const, resolvedAt: now, snoozedUntil: null, note };
  const over = await tx.findings.changeFinding(open.id, { change, at: now, ifVersion: null });
  if (over === null) return [];
  await tx.findings.insertEvent({ findingId: over.id, kind: "resolved", actor, at: now, data: { note } });
  return [{ finding: over, what: "resolved", proposals: [] }];
}

/** `unknown` when nothing at all is known of the last day: then the finding stays as it is. */
function judgeProject({ now, beat, missing, due }: Seen): Trouble | null | "unknown" {
  const [first] = missing;
  if (first) {
    const share = Math.round(100 * first.share);
    const title = `Data arrives late or is lost: nearly all counts are at ${share} % of what is usual`;
    return { since: first.at, share: first.share, title };
  }
  if (!due.some(({ monitor }) => monitor.hasHeartbeat)) return null;
  const { watermark } = beat;
  if (watermark === null) return "unknown";
  const isSilent = now - watermark >= silentMs && countYesterday(beat, watermark, now) >= busyEvents;
  const title = "No data arrives: the newest event of the whole project is too old";
  return isSilent ? { since: watermark, share: 0, title } : null;
}

/** How much there was a day before in the hours that are silent now. */
function countYesterday({ counts }: Heartbeat, watermark: number, now: number): number {
  const hours = bucketsBetween(watermark, now - hourMs, hourMs);
  return hours.reduce((sum, at) => sum + (counts.get(at - dayMs) ?? 0), 0);
}

const rule = toMonitor(projectMonitor, { event: "*", baseline: { kind: "silence" }, severity: "critical" });

function toDraft({ since, share, title }: Trouble, now: number) {
  const seen: Observation = {
    ...{ at: since, value: share, volume: null, score: -1, expected: 1, low: 0.85, high: null },
    ...{ isLearning: false, isHoliday: false },
  };
  const evidence = toEvidence({
    ...{ monitor: rule, series: "arrival", seen, direction: "down", since, query: null, chart: [], links: [] },
    notes: ["the monitors of the project wait until it is there"],
  });
  return {
    ...{
      monitor: projectMonitor,
      series: "arrival",
      direction: "down" as const,
      dedupeKey: projectKey,
      severity: "critical" as const,
    },
    ...{ title, at: now, evidence, causes: [], observed: firstObserved(seen), group: null, owner: null, runbook: null },
  };
}
