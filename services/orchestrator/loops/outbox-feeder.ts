/**
 * Reads the ledger into the outbox (see store/outbox.ts), behind the live tail: what the tail has delivered is safe to read. Every
 * orchestrator tries when something new has come; the one that gets the cursor goes on at once, the others stand by.
 */
import type { Log } from "@signalbox/common/log.ts";
import { buildBell, rest, type Tail } from "@signalbox/common/tail.ts";
import { toBody } from "../outbox-body.ts";
import type { Store } from "../store.ts";
import type { Hub } from "./hub.ts";

export type OutboxFeeder = {
  /** Whether anybody is subscribed; while nobody is, nothing is read. */
  want(isWanted: boolean): void;
  run(signal: AbortSignal): Promise<void>;
};

type Options = {
  store: Pick<Store, "feedOutbox">;
  tail: Pick<Tail, "position" | "started">;
  hub: Pick<Hub, "onStep">;
  publicUrl: string;
  log: Log;
  onFed: () => void;
};

/** Between two reads under load: the events of a moment share a transaction. */
const spacingMs = 20;
/** Somebody else reads; this only makes sure that somebody does. */
const standbyMs = 200;
const failedMs = 1_000;
const idleMs = 3_600_000;

export function buildOutboxFeeder({ store, tail, hub, publicUrl, log, onFed }: Options): OutboxFeeder {
  const bell = buildBell();
  let wanted = false;
  let readTo = 0;

  /** Milliseconds to wait before the next look; null: until the bell. */
  async function turn(): Promise<number | null> {
    const upTo = tail.position();
    if (!wanted || upTo <= readTo) return null;
    const fed = await store.feedOutbox(upTo, (entry) => toBody(entry, publicUrl));
    if (fed.kind !== "busy") readTo = fed.kind === "fed" ? fed.readTo : upTo;
    if (fed.kind !== "fed") return standbyMs;
    if (fed.messages > 0) onFed();
    return spacingMs;
  }

  return {
    want(isWanted) {
      const isNew = isWanted && !wanted;
      wanted = isWanted;
      if (isNew) bell.ring();
    },
    async run(signal) {
      const stop = hub.onStep(bell.ring);
      // Before that there is no position to read up to.
      void tail.started.then(bell.ring);
      while (!signal.aborted) {
        const waitMs = await turn().catch((error: unknown) => {
          if (!signal.aborted) log.warn({ err: error }, "the outbox could not be filled; this will be tried again");
          return failedMs;
        });
        if (waitMs === null) await bell.heard(idleMs, signal);
        else await rest(waitMs * (0.75 + 0.5 * Math.random()), signal);
      }
      stop();
    },
  };
}
