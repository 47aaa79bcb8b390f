/**
 * Sends what is due in the outbox (see store/outbox.ts): signed, once at a time for each message, and again by the plan of
 * outbox-verdict.ts. Each receiver has a lane of its own, so that a slow one holds up itself alone; one that fails gets one message at
 * a time until it is well.
 */
import type { Log } from "@signalbox/common/log.ts";
import { buildBell, rest } from "@signalbox/common/tail.ts";
import type { ReceiverClient } from "../clients/receiver.ts";
import { judgePosted, type Posted, type Verdict } from "../outbox-verdict.ts";
import { unseal } from "../secret-members.ts";
import type { ClaimedMessage } from "../store/outbox.ts";
import type { Store } from "../store.ts";
import { toSecretPlace } from "../subscription-secret.ts";
import { signStandard } from "../webhook-signature.ts";
import type { OutboxResults } from "./outbox-results.ts";

export type AttemptOutcome = "delivered" | "failed" | "exhausted" | "gone";

export type OutboxSender = {
  ring(): void;
  run(signal: AbortSignal): Promise<void>;
  /** Lets what is under way end, for so long; the rest is called off and due again at once. */
  drain(graceMs: number): Promise<void>;
};

type Options = {
  store: Pick<Store, "readOutlook" | "claimMessages">;
  receivers: ReceiverClient;
  results: OutboxResults;
  /** null: SECRETS_KEY is not set, and nothing can be signed. */
  sealingKey: Buffer | null;
  log: Log;
  onSubscribers: (count: number) => void;
  onAttempt: (outcome: AttemptOutcome, seconds: number) => void;
};

const pollMs = 5_000;
/** Nobody is subscribed: whoever subscribes rings, and this is for a ring that was not heard. */
const idlePollMs = 15_000;
/** Something is due, but its receiver is busy: with our own sends, whose ends ring, or with others'. */
const blockedMs = 1_000;
const failedMs = 1_000;
/** An attempt takes half of it at most; the rest is for writing down what became of it. */
const leaseMs = 30_000;
const maxUnderWay = 200;
/** The others are for receivers that have nothing under way, one for each that there may be: however many hang, none keeps another waiting. */
const sharedPlaces = 100;
const lane = 16;

export function buildOutboxSender(options: Options): OutboxSender {
  const { store, results, log, onSubscribers, onAttempt } = options;
  const bell = buildBell();
  const cutting = new AbortController();
  const underWay = new Set<Promise<void>>();
  const warnOnce = buildWarning(log);

  async function send(message: ClaimedMessage): Promise<void> {
    const startedAt = performance.now();
    const verdict = await attempt(options, message, cutting.signal).catch((error) => toBug(log, message, error));
    if (verdict.kind !== "released") onAttempt(toOutcome(verdict), (performance.now() - startedAt) / 1_000);
    await results.add(message.subscriptionId, { messageId: message.id, leaseId: message.leaseId, verdict });
  }

  function start(message: ClaimedMessage): void {
    const sending = send(message).finally(() => {
      underWay.delete(sending);
      bell.ring();
    });
    underWay.add(sending);
  }

  /** Milliseconds until it is worth looking again. */
  async function turn(signal: AbortSignal): Promise<number> {
    // Whatever has just ended made room for more, most of the time.
    if (underWay.size > 0 && (await claim(signal)) > 0) return 0;
    const { subscribers, dueMs } = await store.readOutlook();
    onSubscribers(subscribers);
    if (subscribers === 0) return idlePollMs;
    const soonMs = Math.min(dueMs ?? pollMs, pollMs * (0.8 + 0.2 * Math.random()));
    if (soonMs > 0) return soonMs;
    if (options.sealingKey === null) return warnOnce();
    return (await claim(signal)) > 0 ? 0 : blockedMs;
  }

  async function claim(signal: AbortSignal): Promise<number> {
    const limit = maxUnderWay - underWay.size;
    if (limit <= 0 || signal.aborted) return 0;
    const shared = Math.max(0, sharedPlaces - underWay.size);
    const claimed = await store.claimMessages({ limit, shared, leaseMs, lane });
    for (const message of claimed) start(message);
    return claimed.length;
  }

  return {
    ring: bell.ring,
    async run(signal) {
      while (!signal.aborted) {
        const waitMs = await turn(signal).catch((error: unknown) => {
          if (!signal.aborted) log.warn({ err: error }, "the outbox could not be read; this will be tried again");
          return failedMs;
        });
        if (waitMs > 0) await bell.heard(waitMs, signal);
      }
    },
    async drain(graceMs) {
      const ended = new AbortController();
      const all = Promise.allSettled(underWay).then(() => ended.abort());
      await rest(graceMs, ended.signal);
      cutting.abort();
      await all;
    },
  };
}

function buildWarning(log: Log): () => number {
  let isSaid = false;
  return () => {
    if (!isSaid) log.warn("events wait for subscribers and cannot be signed, because SECRETS_KEY is not set");
    isSaid = true;
    return pollMs;
  };
}

async function attempt(
  { receivers, sealingKey }: Pick<Options, "receivers" | "sealingKey">,
  message: ClaimedMessage,
  signal: AbortSignal,
): Promise<Verdict | { kind: "released" }> {
  const secret = sealingKey === null ? null : openSecret(sealingKey, message);
  const posted = secret === null ? unreadable : await receivers.post({ ...toSigned(message, secret), signal });
  if (posted.kind === "failed" && signal.aborted) return { kind: "released" };
  return judgePosted(posted, message.attempt, Math.random());
}

/** A message that trips over a bug of ours must not take every orchestrator with it, one after the other. */
function toBug(log: Log, { subscriptionId, attempt: nth }: ClaimedMessage, error: unknown): Verdict {
  log.error({ err: error, subscriptionId }, "an event could not be sent");
  return judgePosted({ kind: "failed", message: "not sent: something went wrong here" }, nth, Math.random());
}

const unreadable: Posted = {
  kind: "failed",
  message: "not sent: SECRETS_KEY is not the one that its secret was encrypted with",
};

function openSecret(key: Buffer, { subscriptionId, secret }: ClaimedMessage): string | null {
  try {
    return String(unseal(key, toSecretPlace(subscriptionId), secret));
  } catch {
    // Told as the reason of the attempt's failure.
    return null;
  }
}

function toSigned({ id, url, body }: ClaimedMessage, secret: string) {
  const timestamp = Math.floor(Date.now() / 1_000);
  const headers = {
    "webhook-id": id,
    "webhook-timestamp": String(timestamp),
    "webhook-signature": signStandard(secret, id, { timestamp, body }),
  };
  return { url, body, headers };
}

function toOutcome({ kind }: Verdict): AttemptOutcome {
  return kind === "retry" ? "failed" : kind;
}
