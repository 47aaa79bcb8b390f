/* What the leader does, again and again: runs that are due or were asked for, then everything that follows from them. */
import { annotateDeploys } from "./annotate-deploys.ts";
import { actor } from "./apply-event.ts";
import { checkActions } from "./check-actions.ts";
import type { Kit } from "./kit.ts";
import { type RunOutcome, runOnce } from "./run.ts";
import { sendIntents } from "./send-intents.ts";
import { fireWakeups } from "./wakeups.ts";
import { watchFlags } from "./watch-flags.ts";

export type WatchPace = {
  /** how often it is looked whether anything is due */
  tickMs: number;
  /** how often flags and deploys are looked at */
  slowMs: number;
};

export const defaultPace: WatchPace = { tickMs: 15_000, slowMs: 5 * 60_000 };

export type WatchStatus = { lastRunAt: number | null; lastOutcome: RunOutcome | null; canReadFlags: boolean | null };

export type Watch = {
  run(signal: AbortSignal): Promise<void>;
  /** Somebody has asked for a run, or there is something to send. */
  ring(): void;
  status(): WatchStatus;
};

const keptMs = 70 * 86_400_000;

export function buildWatch(kit: Kit, pace: WatchPace): Watch {
  const status: WatchStatus = { lastRunAt: null, lastOutcome: null, canReadFlags: null };
  let wake: () => void = () => undefined;
  let isRung = false;
  let slowAt = 0;
  let dayAt = 0;

  /** One part must not keep the others from their work. */
  async function attempt(what: string, work: () => Promise<unknown>): Promise<void> {
    try {
      await work();
    } catch (error) {
      kit.log.error({ err: error }, `${what} failed; it will be tried again`);
    }
  }

  async function tick(signal: AbortSignal): Promise<void> {
    const answered: Answered[] = [];
    await attempt("a run", () => runAll(kit, { status, answered, signal }));
    await attempt("waking snoozed findings", () => wakeSnoozed(kit));
    await attempt("firing wakeups", () => fireWakeups(kit));
    const now = kit.clock();
    if (now >= slowAt) {
      slowAt = now + pace.slowMs;
      await attempt("watching flags", async () => {
        status.canReadFlags = (await watchFlags(kit)) !== null;
      });
      await attempt("annotating deploys", () => annotateDeploys(kit));
    }
    await attempt("checking actions", () => checkActions(kit));
    await attempt("sending", () => sendIntents(kit));
    // Whoever waits for a run waits for what follows from it, too.
    for (const { ids, ...end } of answered) await attempt("ending a run", () => kit.store.runs.endRuns(ids, end));
    if (now >= dayAt) {
      dayAt = now + 86_400_000;
      await attempt("forgetting", () => forget(kit));
    }
  }

  return {
    status: () => status,
    ring() {
      isRung = true;
      wake();
    },
    async run(signal) {
      while (!signal.aborted) {
        isRung = false;
        await tick(signal);
        if (isRung || signal.aborted) continue;
        await untilRung((resolve) => (wake = resolve), pace.tickMs, signal);
      }
    },
  };
}

/** Resolves when it is rung, when the time is over, or when the signal aborts. */
function untilRung(listen: (resolve: () => void) => void, ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(done, ms);
    function done(): void {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      resolve();
    }
    signal.addEventListener("abort", done, { once: true });
    listen(done);
  });
}

type Answered = { ids: string[]; state: "done" | "failed"; outcome: unknown };
type Running = { status: WatchStatus; answered: Answered[]; signal: AbortSignal };

/** First what was asked for, then whatever is due by itself. */
async function runAll(kit: Kit, { status, answered, signal }: Running): Promise<void> {
  const asked = await kit.store.runs.listQueuedRuns();
  for (const [monitor, group] of Map.groupBy(asked, (run) => run.monitor)) {
    const ids = group.map(({ id }) => id);
    const answer: Answered = { ids, state: "failed", outcome: { error: "it broke off" } };
    answered.push(answer);
    const outcome = await runOnce(kit, { only: monitor, isForced: true, key: ids[0] ?? "" }, signal);
    Object.assign(answer, { state: "done", outcome });
    note(kit, status, outcome);
  }
  note(kit, status, await runOnce(kit, { only: null, isForced: false, key: `run-${kit.clock()}` }, signal));
}

function note(kit: Kit, status: WatchStatus, outcome: RunOutcome): void {
  if (outcome.due === 0) return;
  status.lastRunAt = kit.clock();
  status.lastOutcome = outcome;
}

async function wakeSnoozed({ store, clock }: Kit): Promise<void> {
  const now = clock();
  await store.together(async (tx) => {
    for (const { id } of await tx.findings.wakeSnoozed(now)) {
      await tx.findings.insertEvent({
        findingId: id,
        kind: "woke",
        actor,
        at: now,
        data: { because: "its time is over" },
      });
    }
  });
}

async function forget({ store, clock }: Kit): Promise<void> {
  await store.buckets.forgetBuckets(clock() - keptMs);
  await store.memory.forgetOld();
}
