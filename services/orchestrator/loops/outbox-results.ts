/**
 * Writes down what became of attempts. Those of one subscription that end while a write is under way share the next one, so that
 * its row is no bottleneck; a lone one is not delayed.
 */
import type { Log } from "@signalbox/common/log.ts";
import { rest } from "@signalbox/common/tail.ts";
import { type Attempted, tally } from "../outbox-verdict.ts";
import type { Store } from "../store.ts";
import { buildGate } from "./gate.ts";

export type OutboxResults = {
  /** Resolves when it is written, or cannot be: then the message is due again when its lease is over. */
  add(subscriptionId: string, attempted: Attempted): Promise<void>;
};

type Options = { store: Pick<Store, "recordAttempts">; log: Log; signal: AbortSignal };
type Waiting = { attempted: Attempted; done: () => void };

/** Of all subscriptions: the connections are others' too. */
const writesAtOnce = 2;
const tries = 5;
const retryMs = 1_000;

export function buildOutboxResults({ store, log, signal }: Options): OutboxResults {
  const gate = buildGate(writesAtOnce);
  const lanes = new Map<string, Waiting[]>();

  async function write(subscriptionId: string, attempts: readonly Attempted[]): Promise<void> {
    const sum = tally(attempts);
    for (let left = tries; left > 0; left--) {
      try {
        const recorded = await store.recordAttempts(subscriptionId, attempts, sum);
        if (recorded !== null)
          tell(log, { subscriptionId, attempts: attempts.length, error: sum.last?.error ?? null, ...recorded });
        return;
      } catch (error) {
        log.warn(
          { err: error, subscriptionId },
          "what became of deliveries could not be written; this will be tried again",
        );
        await rest(retryMs, signal);
      }
    }
  }

  async function drain(subscriptionId: string, lane: Waiting[]): Promise<void> {
    while (lane.length > 0) {
      await gate(async () => {
        const batch = lane.splice(0);
        await write(
          subscriptionId,
          batch.map(({ attempted }) => attempted),
        );
        for (const { done } of batch) done();
      });
    }
    lanes.delete(subscriptionId);
  }

  return {
    add: (subscriptionId, attempted) =>
      new Promise((done) => {
        const lane = lanes.get(subscriptionId);
        if (lane) return void lane.push({ attempted, done });
        const opened = [{ attempted, done }];
        lanes.set(subscriptionId, opened);
        void drain(subscriptionId, opened);
      }),
  };
}

type Told = {
  subscriptionId: string;
  attempts: number;
  error: string | null;
  failures: number;
  disabledReason: string | null;
};

/** The first failure in a row and the end of all are worth a line each; the failures between are not. */
function tell(log: Log, { subscriptionId, attempts, error, failures, disabledReason }: Told): void {
  if (disabledReason !== null) log.warn({ subscriptionId, reason: disabledReason }, "a subscription was disabled");
  else if (failures > 0 && failures <= attempts)
    log.warn({ subscriptionId, reason: error }, "a subscriber did not take an event; it will be tried again");
}
