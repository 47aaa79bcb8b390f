/*
 * One run: which series have new buckets, whether their data has arrived, what they say, and what follows from it. Any part may fail
 * without the others: a query that fails decides nothing about its monitor, and two runs at once make each finding once.
 */
import { heldForMs, type Missing, planHolding } from "../arrival.ts";
import { planHeartbeat } from "../bucket-query.ts";
import { blindAfter } from "../monitor.ts";
import { toNotifyTask } from "../notices.ts";
import { PosthogError } from "../posthog-failure.ts";
import { fromFirstEvent, type Heartbeat, toHeartbeat, UnreadableError } from "../query-rows.ts";
import type { MonitorState } from "../store/states.ts";
import { startOfBucket } from "../time-grid.ts";
import { applyRun, type JudgedRead } from "./apply-run.ts";
import { readShares } from "./arrival-shares.ts";
import { explainNews } from "./explain-news.ts";
import { judgeSeries } from "./judge-series.ts";
import type { Kit } from "./kit.ts";
import { type DueMonitor, listDueMonitors, nextTryAt, toWanted } from "./plan-run.ts";
import { tellProject } from "./project-finding.ts";
import { type ReadFailure, readSeries, type SeriesRead } from "./read-series.ts";
import { prepareMonitors } from "./shapes.ts";

export type RunWish = { only: string | null; isForced: boolean; key: string };

export type RunOutcome = {
  /** monitors that had something new */
  due: number;
  judged: string[];
  /** waiting for data that is late */
  waiting: string[];
  failed: { monitor: string; error: string }[];
  news: number;
};

const hourMs = 3_600_000;

export async function runOnce(kit: Kit, wish: RunWish, signal: AbortSignal): Promise<RunOutcome> {
  const now = kit.clock();
  const monitors = await prepareMonitors(kit);
  const states = await kit.store.states.listStates();
  const due = listDueMonitors(monitors, states, { ...wish, now });
  const outcome: RunOutcome = { due: due.length, judged: [], waiting: [], failed: [], news: 0 };
  if (due.length === 0) return outcome;

  const beat = await readHeartbeat(kit, due, { now, signal });
  if (beat instanceof Error) {
    const failures = due.map(({ monitor }) => ({ monitor: monitor.name, error: beat }));
    return await noteFailures(kit, outcome, { failures, states, now });
  }
  const wanted = due.flatMap((one) => toWanted(one, now, beat.watermark) ?? []);
  outcome.waiting = due
    .map(({ monitor }) => monitor.name)
    .filter((name) => !wanted.some(({ monitor }) => monitor.name === name));
  const { reads, failures } = await readSeries(kit, wanted, signal);
  const { judged, missing } = await judgeReads(kit, { reads, states, now });
  const applied = await applyRun(kit, judged, { now, runKey: wish.key, ...(await explainNews(kit, judged, now)) });
  settle(kit, judged, applied.moved);
  await tellProject(kit, { now, beat, missing, due, runKey: wish.key });
  const result = { ...outcome, judged: applied.moved, news: applied.news };
  return await noteFailures(kit, result, { failures, states, now });
}

/** Of the whole project; an Error when it cannot be read, and then nothing can be judged. */
async function readHeartbeat(
  kit: Kit,
  due: readonly DueMonitor[],
  { now, signal }: { now: number; signal: AbortSignal },
): Promise<Heartbeat | PosthogError | UnreadableError> {
  if (!due.some(({ monitor }) => monitor.hasHeartbeat)) return { watermark: null, counts: new Map() };
  const { text, values } = planHeartbeat(
    { from: startOfBucket(now, hourMs) - 26 * hourMs, to: now, bucketMs: hourMs },
    kit.pins,
  );
  try {
    const query = { kind: "HogQLQuery", query: text, values };
    return toHeartbeat(await kit.posthog.ask({ name: "heartbeat", query, isBig: false, signal }), hourMs);
  } catch (error) {
    if (error instanceof PosthogError || error instanceof UnreadableError) return error;
    throw error;
  }
}

type Reads = { reads: readonly SeriesRead[]; states: readonly MonitorState[]; now: number };

async function judgeReads(
  kit: Kit,
  { reads, states, now }: Reads,
): Promise<{ judged: JudgedRead[]; missing: Missing[] }> {
  const stateOf = (name: string) => states.find(({ monitor }) => monitor === name);
  // What was judged long ago is not asked again whether it has arrived.
  const recent = reads.filter(({ monitor }) => stateOf(monitor.name)?.judgedUntil != null && monitor.hasHeartbeat);
  const missing = await readShares(kit, recent, { stateOf, since: now - 2 * heldForMs });
  const judged: JudgedRead[] = [];
  for (const read of reads) {
    const state = stateOf(read.monitor.name);
    if (state === undefined) continue;
    const own = missing.filter(({ bucketMs }) => bucketMs === read.monitor.bucketMs);
    const one = await judgeRead(kit, { read, state, missing: read.monitor.hasHeartbeat ? own : [], now });
    if (one !== null) judged.push(one);
  }
  return { judged, missing };
}

type OneRead = { read: SeriesRead; state: MonitorState; missing: readonly Missing[]; now: number };

/** Null when there is nothing new of it that may be judged. */
async function judgeRead(kit: Kit, { read, state, missing, now }: OneRead): Promise<JudgedRead | null> {
  const { monitor } = read;
  const { judgedUntil } = state;
  const holding = planHolding(missing, now);
  const until = Math.min(read.to, holding.until ?? read.to);
  if (judgedUntil !== null && until <= judgedUntil) return null;
  const detector = await kit.book.open(monitor, judgedUntil);
  const known = judgedUntil ?? Number.NEGATIVE_INFINITY;
  const fresh = read.points.filter(({ at }) => at >= known && at < until);
  const judged = judgeSeries({
    ...{ monitor, detector, tracks: state.tracks, timezone: kit.timezone, holidays: kit.holidays },
    points: judgedUntil === null ? fromFirstEvent(fresh) : fresh,
    isFirst: judgedUntil === null,
    leftOut: new Set(holding.leftOut),
  });
  const revisions = read.points
    .filter(({ at }) => at < known)
    .map(({ at, value, volume, key }) => ({
      monitor: monitor.name,
      series: key ?? "",
      at,
      value,
      volume: volume ?? null,
    }));
  return { read, state, judged, until, revisions };
}

/** The detectors in memory are worth what is stored, and nothing else. */
function settle({ book }: Kit, judged: readonly JudgedRead[], moved: readonly string[]): void {
  for (const { read, until, judged: result } of judged) {
    const { name } = read.monitor;
    const isRestated = result.isRestated || result.events.some(({ change }) => change.kind === "accepted");
    if (moved.includes(name) && !isRestated) book.keep(name, until);
    else book.drop(name);
  }
}

type Failures = { failures: readonly ReadFailure[]; states: readonly MonitorState[]; now: number };

/** Nothing is judged; the third time in a row somebody is told, because a blind monitor looks like a calm one. */
async function noteFailures(kit: Kit, outcome: RunOutcome, { failures, states, now }: Failures): Promise<RunOutcome> {
  const blind: ReadFailure[] = [];
  for (const failure of failures) {
    const { monitor, error } = failure;
    const before = states.find((state) => state.monitor === monitor)?.failures ?? 0;
    const retryAfterMs = error instanceof PosthogError ? error.retryAfterMs : 0;
    await kit.store.states.noteFailure({
      monitor,
      error: error.message,
      now,
      nextTryAt: nextTryAt(now, before, retryAfterMs),
    });
    kit.log.warn({ monitor, err: error }, "a monitor could not be read; it stays as it was");
    if (before + 1 === blindAfter) blind.push(failure);
  }
  if (blind.length > 0) await tellBlind(kit, blind, now);
  const failed = failures.map(({ monitor, error }) => ({ monitor, error: error.message }));
  return { ...outcome, failed: [...outcome.failed, ...failed] };
}

async function tellBlind({ store, intended }: Kit, blind: readonly ReadFailure[], now: number): Promise<void> {
  const names = blind.map(({ monitor }) => monitor).sort();
  const reasons = [...new Set(blind.map(({ error }) => error.message))].slice(0, 3);
  const head =
    names.length === 1
      ? `The monitor ${names[0]} is blind`
      : `${names.length} monitors are blind: ${names.slice(0, 10).join(", ")}`;
  const dedupeKey = `blind:${names[0]}:${now}`;
  const text = [`**${head}**`, ...reasons, "Nothing is found and nothing resolved until they can be read again."].join(
    "\n",
  );
  const task = toNotifyTask({ dedupeKey, findingId: null, text, severity: "warning", incident: "blind" });
  await store.intents.insertIntent({ kind: "notify", dedupeKey, findingId: null, task, at: now });
  intended();
}
