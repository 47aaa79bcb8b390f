/** Tells subscribers of events: what fills the outbox, what sends it and what sweeps it, wired to each other. */
import type { Log } from "@signalbox/common/log.ts";
import { buildBell, type Tail } from "@signalbox/common/tail.ts";
import { buildReceiverClient } from "../clients/receiver.ts";
import type { Store } from "../store.ts";
import type { Hub } from "./hub.ts";
import { buildOutboxFeeder } from "./outbox-feeder.ts";
import { buildOutboxResults } from "./outbox-results.ts";
import { type AttemptOutcome, buildOutboxSender } from "./outbox-sender.ts";

type Listener = (outcome: AttemptOutcome, seconds: number) => void;

export type Outbox = {
  /** A subscription was made, changed or deleted, here or elsewhere. */
  ring(): void;
  /** Each attempt as it ends, with the time that it took. */
  onAttempt(listener: Listener): void;
  start(): void;
  stop(graceMs: number): Promise<void>;
};

export type OutboxOptions = {
  store: Store;
  tail: Tail;
  hub: Hub;
  sealingKey: Buffer | null;
  /** Whether receivers may be in private networks. */
  allowPrivate: boolean;
  /** Where what was cut from a message can be fetched. */
  publicUrl: string;
  userAgent: string;
  log: Log;
};

export function buildOutbox({
  store,
  tail,
  hub,
  sealingKey,
  allowPrivate,
  publicUrl,
  userAgent,
  log,
}: OutboxOptions): Outbox {
  const stopping = new AbortController();
  const listeners: Listener[] = [];
  const receivers = buildReceiverClient({ allowPrivate, userAgent });
  const results = buildOutboxResults({ store, log, signal: stopping.signal });
  const feeder = buildOutboxFeeder({ store, tail, hub, publicUrl, log, onFed: () => sender.ring() });
  const sender = buildOutboxSender({
    store,
    receivers,
    results,
    sealingKey,
    log,
    onSubscribers: (count) => feeder.want(count > 0),
    onAttempt: (outcome, seconds) => {
      for (const listener of listeners) listener(outcome, seconds);
    },
  });
  const sweeper = buildSweeper(store, log, sender.ring);
  let loops: Promise<void>[] = [];
  return {
    ring() {
      sender.ring();
      sweeper.ring();
    },
    onAttempt: (listener) => void listeners.push(listener),
    start() {
      loops = [feeder, sender, sweeper].map((loop) => loop.run(stopping.signal));
    },
    async stop(graceMs) {
      stopping.abort();
      await Promise.all(loops);
      await sender.drain(graceMs);
      await receivers.close();
    },
  };
}

const sweepMs = 600_000;
const sweepBatch = 5_000;
/** For one subscription: as many as a busy receiver that is away for a day leaves, and about a gigabyte. */
const mostWaiting = 100_000;

/** Goes on with what is too much for one request, and removes what nobody will be told of any more. */
function buildSweeper(
  store: Pick<Store, "sweepOutbox" | "disableOverfull" | "renewMessages">,
  log: Log,
  onRenewed: () => void,
) {
  const bell = buildBell();

  async function sweep(signal: AbortSignal): Promise<void> {
    while (!signal.aborted && (await store.renewMessages({ limit: sweepBatch, attempts: 2 }))) onRenewed();
    for (const subscriptionId of await store.disableOverfull(mostWaiting))
      log.warn({ subscriptionId }, `a subscription was disabled: more than ${mostWaiting} events waited`);
    while (!signal.aborted && (await store.sweepOutbox(sweepBatch)));
  }

  return {
    ring: bell.ring,
    async run(signal: AbortSignal): Promise<void> {
      while (!signal.aborted) {
        await sweep(signal).catch((error: unknown) => {
          if (!signal.aborted) log.warn({ err: error }, "the outbox could not be swept; this will be tried again");
        });
        await bell.heard(sweepMs * (0.75 + 0.5 * Math.random()), signal);
      }
    },
  };
}
