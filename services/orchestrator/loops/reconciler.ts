/*
 * Looks after deliveries that never arrived. GitHub tries each only once; for three days it lists what failed and sends it again
 * when it is asked. One of the orchestrators asks for each hook: whoever moves the hook's time on in the database. A process that
 * dies while it asks is made good by the next round, because everything is read from GitHub's list and from the ledger.
 */
import type { Log } from "@signalbox/common/log.ts";
import { rest } from "@signalbox/common/tail.ts";
import { uuidv7 } from "@signalbox/common/uuid.ts";
import { type GithubClient, GithubError } from "../clients/github.ts";
import type { Store } from "../store.ts";
import { type Hook, type HookAttempt, planRedeliveries, redeliverableMs } from "../webhook-reconcile.ts";

const maxPages = 30;
const maxRedeliveries = 50;
/** GitHub asks for a second between calls that change something. */
const paceMs = 1_000;
/** Before something that GitHub has refused to send is asked for again, by the same orchestrator. */
const refusedMs = 3_600_000;

export type Reconciler = { run(signal: AbortSignal): Promise<void>; close(): Promise<void> };

type Options = {
  store: Store;
  github: GithubClient;
  hooks: readonly Hook[];
  everySeconds: number;
  instance: string;
  log: Log;
};

/** Attempts that GitHub has refused to make again, and until when they are left alone; `performance.now()`. */
type Refused = Map<string, number>;

export function buildReconciler(options: Options): Reconciler {
  const { store, github, hooks, everySeconds, log } = options;
  const refused: Refused = new Map();

  async function look(hook: Hook, signal: AbortSignal): Promise<void> {
    const name = nameOf(hook);
    try {
      if (!(await store.claimReconcile(name, everySeconds))) return;
      const asked = await reconcile({ ...options, refused }, hook, signal);
      if (asked > 0) log.info({ hook: name, asked }, "GitHub was asked for deliveries that never arrived");
    } catch (error) {
      if (signal.aborted) return;
      log.warn(
        { err: error, hook: name },
        "deliveries that never arrived could not be asked for; this will be tried again",
      );
      if (error instanceof GithubError) await rest(Math.min(error.retryAfterMs, everySeconds * 1_000), signal);
    }
  }

  return {
    async run(signal) {
      while (!signal.aborted) {
        for (const hook of hooks) await look(hook, signal);
        // Some look at a claimed hook in vain, which costs one small statement.
        await rest(everySeconds * 1_000 * (0.9 + 0.2 * Math.random()), signal);
      }
    },
    close: () => github.close(),
  };
}

type Looking = Options & { refused: Refused };

async function reconcile(options: Looking, hook: Hook, signal: AbortSignal): Promise<number> {
  const { store, github, refused } = options;
  for (const [id, untilMs] of refused) if (untilMs < performance.now()) refused.delete(id);
  const wanted = planRedeliveries(await listRecent(github, hook, signal), Date.now());
  const guids = wanted.map(({ guid }) => guid);
  // What is in the ledger has arrived, whatever GitHub heard of it.
  const known = new Set(guids.length === 0 ? [] : await store.listKnownDeliveries("github", guids));
  const missing = wanted.filter(({ guid, id }) => !known.has(guid) && !refused.has(id)).slice(0, maxRedeliveries);
  let asked = 0;
  for (const [index, attempt] of missing.entries()) {
    if (index > 0) await rest(paceMs, signal);
    if (signal.aborted) break;
    if (await ask(options, hook, attempt)) asked++;
  }
  return asked;
}

/** What GitHub says of the token or the pace; everything else it says of the one delivery. */
const refusesAll = [401, 403, 429];

/** False: GitHub does not send this one again now, which is no reason not to ask for the others. */
async function ask(options: Looking, hook: Hook, attempt: HookAttempt): Promise<boolean> {
  const { store, github, instance, log, refused } = options;
  const { id: attemptId, guid: deliveryId } = attempt;
  const id = uuidv7();
  await store.noteRedelivery({ id, hook: nameOf(hook), deliveryId, attemptId, orchestrator: instance });
  try {
    await github.redeliver(hook, attemptId);
  } catch (error) {
    if (!(error instanceof GithubError) || error.status === null || refusesAll.includes(error.status)) throw error;
    log.warn({ err: error, hook: nameOf(hook), deliveryId }, "GitHub did not take up a delivery that never arrived");
    if (error.status < 500) refused.set(attemptId, performance.now() + refusedMs);
    return false;
  }
  await store.noteRedeliveryAccepted(id);
  return true;
}

function nameOf({ owner, id }: Hook): string {
  return `${owner}:${id}`;
}

async function listRecent(github: GithubClient, hook: Hook, signal: AbortSignal): Promise<HookAttempt[]> {
  const oldestMs = Date.now() - redeliverableMs;
  const recent: HookAttempt[] = [];
  let cursor: string | null = null;
  for (let page = 0; page < maxPages && !signal.aborted; page++) {
    const { attempts, next } = await github.listAttempts(hook, cursor);
    recent.push(...attempts.filter(({ atMs }) => atMs >= oldestMs));
    if (next === null || attempts.some(({ atMs }) => atMs < oldestMs)) break;
    cursor = next;
  }
  return recent;
}
