/** Keeps the leases of this orchestrator alive, and takes up the runs of those that are dead. */
import type { Log } from "@signalbox/common/log.ts";
import { rest } from "@signalbox/common/tail.ts";
import { retryDelayMs } from "../backoff.ts";
import { leaseMs } from "../lease.ts";
import type { Finish, Outcome } from "../store/finish-attempts.ts";
import type { Expired } from "../store/leases.ts";
import type { Lease } from "../store/rows.ts";
import type { Store } from "../store.ts";
import type { Dispatcher } from "./dispatch.ts";
import type { FinishQueue } from "./finish-queue.ts";

const renewMs = 10_000;
const lookMs = 1_000;
const reapMs = 2_000;
/** Not renewed for this long: another orchestrator may take the run at any moment, so our call is ended first. */
const trustMs = leaseMs - 4_000;
const maxReaped = 200;

type Held = Lease & { leasedAt: number };
type Keeping = { store: Pick<Store, "renewLeases">; dispatcher: Pick<Dispatcher, "leases" | "lose">; log: Log };

export function buildLeaseKeeper({ store, dispatcher, log }: Keeping) {
  const renewedAt = new Map<string, number>();

  async function renew(): Promise<void> {
    const held = dispatcher.leases();
    const askedAt = performance.now();
    forgetOthers(held);
    if (held.length > 0) await ask(held, askedAt);
  }

  function letGo(): void {
    const now = performance.now();
    const isOver = ({ leaseId, leasedAt }: Held) => now - (renewedAt.get(leaseId) ?? leasedAt) > trustMs;
    dispatcher.lose(
      new Set(
        dispatcher
          .leases()
          .filter(isOver)
          .map(({ leaseId }) => leaseId),
      ),
    );
  }

  async function ask(held: readonly Lease[], askedAt: number): Promise<void> {
    const renewal = await store.renewLeases(held, leaseMs).catch((error: unknown) => {
      log.warn({ err: error }, "leases could not be renewed; this will be tried again");
      return null;
    });
    if (renewal === null) return;
    const { renewed, skipped } = renewal;
    for (const leaseId of renewed) renewedAt.set(leaseId, askedAt);
    const lost = held.filter(({ leaseId: id }) => !renewed.has(id) && !skipped.has(id) && isStillHeld(id));
    dispatcher.lose(new Set(lost.map(({ leaseId }) => leaseId)));
  }

  function forgetOthers(held: readonly Held[]): void {
    const ids = new Set(held.map((lease) => lease.leaseId));
    for (const id of renewedAt.keys()) if (!ids.has(id)) renewedAt.delete(id);
  }

  function isStillHeld(leaseId: string): boolean {
    return dispatcher.leases().some((lease) => lease.leaseId === leaseId);
  }

  return {
    async run(signal: AbortSignal): Promise<void> {
      // Of its own, so that a database that does not answer cannot hold it up.
      const looking = setInterval(letGo, lookMs);
      while (!signal.aborted) {
        await renew();
        await rest(renewMs, signal);
      }
      clearInterval(looking);
    },
  };
}

/** Through the queue of ends, so that one row that cannot be written holds up no other. */
export function buildReaper({ store, log, finishes }: { store: Store; log: Log; finishes: FinishQueue }) {
  const inHand = new Set<string>();

  async function reap(): Promise<void> {
    const expired = await store.listExpired(maxReaped);
    const taken = expired.filter(({ lease }) => !inHand.has(lease.leaseId));
    if (taken.length > 0) void Promise.all(taken.map(take)).then(tell);
  }

  /** The task's id if it was taken up here, and not by another orchestrator. */
  async function take(expired: Expired): Promise<string | null> {
    const { taskId, leaseId } = expired.lease;
    inHand.add(leaseId);
    const ending = await finishes.end(toFinish(expired));
    inHand.delete(leaseId);
    return ending === "ended" ? taskId : null;
  }

  function tell(taken: (string | null)[]): void {
    const tasks = taken.filter((id) => id !== null);
    if (tasks.length === 0) return;
    const message = `${tasks.length} leases had expired; their tasks were taken up`;
    log.warn({ tasks: tasks.slice(0, 20), count: tasks.length }, message);
  }

  return {
    async run(signal: AbortSignal): Promise<void> {
      while (!signal.aborted) {
        await rest(reapMs * (0.75 + 0.5 * Math.random()), signal);
        if (!signal.aborted)
          await reap().catch((error: unknown) => log.warn({ err: error }, "the reaper failed; it will try again"));
      }
    },
  };
}

function toFinish(expired: Expired): Finish {
  return {
    lease: expired.lease,
    outcome: judgeExpiry(expired),
    actor: "service:orchestrator",
    concurrencyKey: expired.concurrencyKey,
    expired: true,
  };
}

function judgeExpiry({ lease, maxAttempts, agent, deferred }: Expired): Outcome {
  const message = deferred
    ? `${agent} answered "later" and then went silent`
    : `the orchestrator that ran attempt ${lease.attempt} stopped renewing its lease`;
  const error = { code: "lease_expired", message, retryable: true, details: { attempt: lease.attempt, maxAttempts } };
  if (lease.attempt >= maxAttempts) return { kind: "fail", error };
  // A lost orchestrator says nothing about the task: it starts again at once. A silent agent may need a rest.
  return { kind: "retry", error, delayMs: deferred ? retryDelayMs(lease.attempt, Math.random(), 0) : 0 };
}
