import { toDigest } from "../digest.ts";
import { blindAfter } from "../monitor.ts";
import { toNotifyTask } from "../notices.ts";
import { PosthogError } from "../posthog-failure.ts";
import type { Intent } from "../store/intents.ts";
import { changePercentOf } from "../track.ts";
import { defaultWakeups, listDue, type Wakeups } from "../wakeup.ts";
import type { Kit } from "./kit.ts";

const wakeupsKey = "wakeups";
const lookedKey = "wakeups looked at";
const by = "service:posthog-watcher";
const dayMs = 86_400_000;
/** How far it was looked is kept so often; more often would be writing for nothing. */
const lookedMs = 60_000;

async function readWakeups({ store }: Pick<Kit, "store">): Promise<{ wakeups: Wakeups; version: number }> {
  const kept = await store.memory.findMemory(wakeupsKey);
  return kept ? { wakeups: kept.value as Wakeups, version: kept.version } : { wakeups: defaultWakeups, version: 0 };
}

/** Asks for a task of each wakeup that is due. Claiming a moment and asking are one transaction: exactly once over all watchers. */
export async function fireWakeups(kit: Kit): Promise<number> {
  const now = kit.clock();
  const { wakeups } = await readWakeups(kit);
  const looked = (await kit.store.memory.findMemory(lookedKey))?.value as number | undefined;
  const due = listDue(wakeups, looked ?? null, now);
  if (due.length === 0 && looked !== undefined && now - looked < lookedMs) return 0;
  await kit.store.together(async (tx) => {
    for (const { title, dueAt, isLate } of due.length === 0 ? [] : await tx.runs.claimFires(due)) {
      const item = wakeups.items.find((one) => one.title === title);
      if (!item) continue;
      const payload = {
        title,
        prompt: item.prompt,
        at: new Date(dueAt).toISOString(),
        isLate,
        ...(item.query && { query: item.query }),
      };
      const task = {
        type: "watch.wakeup",
        source: "posthog-watcher",
        correlationId: `wakeup:${title}`.slice(0, 200),
        payload,
      };
      const dedupeKey = `wakeup:${title}:${payload.at}`;
      await tx.intents.insertIntent({ kind: "wakeup", dedupeKey, findingId: null, task, at: now });
    }
    await tx.memory.keepMemory({ key: lookedKey, value: now, by });
  });
  if (due.length > 0) kit.intended();
  return due.length;
}

export type WakeupWish = { title: string; prompt: string; at?: string; isLate?: boolean; query?: string };

/** The digest of the day before a moment; it is told, too. */
export async function runWakeup(kit: Kit, wish: WakeupWish, signal: AbortSignal): Promise<{ text: string }> {
  const to = wish.at === undefined ? kit.clock() : Date.parse(wish.at);
  const from = to - dayMs;
  const { store } = kit;
  const [findings, moves, intents, states] = await Promise.all([
    store.findings.listBetween(from, to),
    store.buckets.listMoves({ from, to, limit: 5 }),
    store.intents.listIntents(from, to),
    store.states.listStates(),
  ]);
  const text = toDigest({
    ...{ title: wish.title, prompt: wish.prompt, from, to, isLate: wish.isLate ?? false, findings },
    moves: moves.map((bucket) => ({
      monitor: bucket.monitor,
      changePercent: changePercentOf(bucket) ?? 0,
      at: bucket.at,
    })),
    actions: intents.filter(({ kind }) => ["execute", "reverse"].includes(kind)).map(toAction),
    waiting: await listWaiting(kit),
    held: intents.filter(({ kind, status }) => kind === "notify" && status === "held").map(firstLine),
    blind: states
      .filter(({ failures }) => failures >= blindAfter)
      .map(({ monitor, error }) => ({ monitor, error: error ?? "" })),
    budget: kit.posthog.budget(),
    table: wish.query === undefined ? null : await askTable(kit, { query: wish.query, from, to, signal }),
  });
  await tellDigest(kit, wish, { text, to });
  return { text };
}

function toAction({ task, status, error, findingId }: Intent) {
  return { type: task.type, status: error ?? status, findingId };
}

function firstLine({ task }: Intent): string {
  const { text } = (task.payload ?? {}) as { text?: string };
  return (text ?? "").split("\n")[0] ?? "";
}

async function listWaiting({ fleet, log }: Kit): Promise<{ id: string; type: string }[]> {
  try {
    return await fleet.listTasks({ waitingFor: "approval", source: "posthog-watcher", limit: "50" });
  } catch (error) {
    log.info({ err: error }, "tasks that wait could not be listed for the digest");
    return [];
  }
}

type Asked = { query: string; from: number; to: number; signal: AbortSignal };

async function askTable({ posthog }: Kit, { query, from, to, signal }: Asked) {
  const values = { from: new Date(from).toISOString(), to: new Date(to).toISOString() };
  try {
    const answer = await posthog.ask({
      name: "wakeup",
      query: { kind: "HogQLQuery", query, values },
      isBig: true,
      signal,
    });
    return { columns: answer.columns, rows: answer.rows.slice(0, 20) };
  } catch (error) {
    if (error instanceof PosthogError) return { error: error.message };
    throw error;
  }
}

async function tellDigest(kit: Kit, { title }: WakeupWish, { text, to }: { text: string; to: number }): Promise<void> {
  const dedupeKey = `digest:${title}:${new Date(to).toISOString()}`;
  const task = toNotifyTask({ dedupeKey, findingId: null, text, severity: "info", incident: dedupeKey });
  await kit.store.intents.insertIntent({ kind: "notify", dedupeKey, findingId: null, task, at: kit.clock() });
  kit.intended();
}
