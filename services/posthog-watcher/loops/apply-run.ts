import { dedupeKeyOf } from "../finding.ts";
import { messagesAnHour, type News, planMessages, toNotifyTask } from "../notices.ts";
import { type Consent, startOfDay } from "../proposals.ts";
import type { Revision } from "../store/buckets.ts";
import type { MonitorState } from "../store/states.ts";
import type { Statements } from "../store.ts";
import { type Applying, actor, applyEvent } from "./apply-event.ts";
import type { Judged } from "./judge-series.ts";
import type { Kit } from "./kit.ts";
import type { SeriesRead } from "./read-series.ts";

export type JudgedRead = {
  read: SeriesRead;
  state: MonitorState;
  judged: Judged;
  until: number;
  revisions: Revision[];
};

export type ApplyOptions = Pick<Applying, "now" | "causesOf" | "about"> & {
  runKey: string;
  seenFlags: Consent["seenFlags"];
};

/** So many rows a transaction: a longer one would hold up every stream of the cluster. */
const rowsAtOnce = 4_000;
const hourMs = 3_600_000;

/**
 * Stores what a run has judged: buckets, findings, what is to be told and asked for, and how far each monitor is now. Each
 * monitor's part is one transaction with the rest of its group, and counts only when nobody else has judged the same buckets.
 *
 * @returns the monitors that were moved on, and how many findings changed
 */
export async function applyRun(
  kit: Kit,
  judged: readonly JudgedRead[],
  options: ApplyOptions,
): Promise<{ moved: string[]; news: number }> {
  const moved: string[] = [];
  let news = 0;
  for (const [index, group] of cut(judged).entries()) {
    const applied = await kit.store.together((tx) =>
      applyGroup(kit, tx, { group, options: { ...options, runKey: `${options.runKey}.${index}` } }),
    );
    moved.push(...applied.moved);
    news += applied.news.length;
  }
  if (news > 0) kit.intended();
  return { moved, news };
}

function cut(judged: readonly JudgedRead[]): JudgedRead[][] {
  const groups: JudgedRead[][] = [];
  let rows = 0;
  for (const one of judged) {
    const size = one.judged.buckets.length;
    const last = groups.at(-1);
    if (last && rows + size <= rowsAtOnce) {
      last.push(one);
      rows += size;
    } else {
      groups.push([one]);
      rows = size;
    }
  }
  return groups;
}

type Group = { group: readonly JudgedRead[]; options: ApplyOptions };

async function applyGroup(
  kit: Kit,
  tx: Statements,
  { group, options }: Group,
): Promise<{ moved: string[]; news: News[] }> {
  const { now } = options;
  const advances = group.map(({ read, state, judged, until }) => ({
    ...{ monitor: read.monitor.name, version: state.version, judgedUntil: until, tracks: judged.tracks },
  }));
  const moved = await tx.states.advanceStates(advances, now);
  const own = group.filter(({ read }) => moved.includes(read.monitor.name));
  await tx.buckets.insertBuckets(own.flatMap(({ judged }) => judged.buckets));
  await revise(tx, own, now);
  const news: News[] = [];
  for (const { read, judged } of own) {
    for (const event of judged.events) {
      // Asked anew each time: what one finding has used up is not left for the next.
      const consent = await readConsent(kit, tx, options);
      const applying = { ...options, tx, monitor: read.monitor, read, consent, projectUrl: kit.projectUrl };
      news.push(...(await applyEvent(applying, event)));
    }
  }
  await tell(tx, news, options);
  return { moved, news };
}

/** What is open and rests on a bucket that is another now says so; it is not raised a second time. */
async function revise(tx: Statements, own: readonly JudgedRead[], now: number): Promise<void> {
  const revised = await tx.buckets.reviseBuckets(own.flatMap(({ revisions }) => revisions));
  for (const { monitor, series, at, firstValue, value } of revised) {
    const track = own.find(({ read }) => read.monitor.name === monitor)?.state.tracks[series];
    if (track?.phase !== "episode" || at < track.since) continue;
    const finding = await tx.findings.findOpen(dedupeKeyOf(monitor, series === "" ? null : series, track.direction));
    if (finding === null) continue;
    const data = { bucket: new Date(at).toISOString(), from: firstValue, to: value };
    await tx.findings.insertEvent({ findingId: finding.id, kind: "revised", actor, at: now, data });
  }
}

async function readConsent(
  kit: Kit,
  tx: Statements,
  { now, seenFlags }: Pick<ApplyOptions, "now" | "seenFlags">,
): Promise<Consent> {
  const { mode, allow, mayAct, pins } = kit;
  const base = { mode, allow, mayAct, flags: pins.flags, seenFlags };
  if (mode !== "execute") return { ...base, isStopped: false, isBusy: false, leftToday: 0 };
  const stop = await tx.memory.findMemory("stop");
  const open = await tx.intents.listOpenActions();
  const used = await tx.intents.countSince("execute", startOfDay(now));
  return {
    ...base,
    isStopped: (stop?.value as { isStopped?: boolean } | undefined)?.isStopped === true,
    isBusy: open.some(({ isUnasked }) => isUnasked),
    leftToday: Math.max(0, kit.executePerDay - used),
  };
}

/** Beyond so many messages an hour the rest is held for the digest. */
export async function tell(
  tx: Statements,
  news: readonly News[],
  { now, runKey }: Pick<ApplyOptions, "now" | "runKey">,
): Promise<void> {
  let left = messagesAnHour - (await tx.intents.countSince("notify", now - hourMs));
  for (const message of planMessages(news, runKey)) {
    const status = left > 0 ? ("queued" as const) : ("held" as const);
    const { dedupeKey, findingId } = message;
    const made = await tx.intents.insertIntent({
      kind: "notify",
      dedupeKey,
      findingId,
      task: toNotifyTask(message),
      at: now,
      status,
    });
    if (made !== null) left -= 1;
  }
}
