/**
 * Sends the outbox: in each chat one message after the other, in order, chats side by side, at the pace that Telegram asks for.
 *
 *   queued → sending   claimed; the epoch says by whom
 *   sending → sent     Telegram has said so
 *   sending → queued   not now: refused for a while, or no answer came. Nobody knows then whether it arrived, and it is sent again, marked
 *   sending → failed   never: the chat is closed to us, or Telegram finds fault with the message itself
 *
 * If the process dies while a row is `sending`, the next leader sends it again, marked. An edit is simply made again.
 */
import { buildBell, rest } from "@signalbox/common/tail.ts";
import { BotApiError, judgeSend, type SendVerdict } from "../api-failure.ts";
import { asRepeat, type MessageBody } from "../message.ts";
import { buildPacer } from "../pacing.ts";
import type { OutMessage } from "../store/outbox.ts";
import type { Kit } from "./kit.ts";

const atOnce = 16;
const idleMs = 5_000;
const failedMs = 500;
/** How long a stop waits for what is on its way. */
const drainMs = 5_000;

export function buildSender(kit: Kit) {
  const bell = buildBell();
  const pacer = buildPacer(kit.pace);

  async function turn(epoch: number, inFlight: Set<number>): Promise<number> {
    const now = performance.now();
    const limit = Math.min(atOnce - inFlight.size, pacer.room(now));
    if (limit <= 0) return pacer.waitMs(now);
    const busy = [...new Set([...inFlight, ...pacer.resting(now)])];
    const claimed = await kit.store.claimMessages({ epoch, busy, limit });
    for (const message of claimed) {
      const { chatId } = message.place;
      inFlight.add(chatId);
      pacer.begin(chatId, now);
      void send(kit, epoch, message).then((holdMs) => {
        pacer.end(chatId, performance.now(), holdMs);
        inFlight.delete(chatId);
        bell.ring();
      });
    }
    if (claimed.length > 0) return 0;
    const due = await kit.store.findOutboxDelay();
    return Math.max(1, Math.min(idleMs, pacer.waitMs(now), due ?? idleMs));
  }

  return {
    ring: bell.ring,
    async run(epoch: number, signal: AbortSignal): Promise<void> {
      const inFlight = new Set<number>();
      await untilDone(() => kit.store.requeueOrphans(epoch), signal);
      while (!signal.aborted) {
        const restMs = await turn(epoch, inFlight).catch((error: unknown) => {
          kit.log.warn({ err: error }, "the outbox could not be read; this will be tried again");
          return failedMs;
        });
        if (restMs > 0) await bell.heard(restMs, signal);
      }
      const giveUpAt = performance.now() + drainMs;
      while (inFlight.size > 0 && performance.now() < giveUpAt) await bell.heard(50, new AbortController().signal);
    },
  };
}

/** @returns how long the chat must be quiet now, and whether the whole bot must */
async function send(kit: Kit, epoch: number, message: OutMessage): Promise<{ ms: number; isBot: boolean }> {
  const calm = { ms: 0, isBot: false };
  const { id } = message;
  try {
    const messageId = await deliver(kit, message);
    kit.count(message.edits === null ? "sent" : "edited");
    await untilDone(() => kit.store.markSent({ id, epoch, messageId }));
    return calm;
  } catch (error) {
    const verdict = toVerdict(error, message.attempts);
    kit.count(verdict.kind === "wait" ? "retried" : "refused");
    if (verdict.kind !== "wait" && verdict.kind !== "done") {
      kit.log.warn({ err: error, outboxId: id, chatId: message.place.chatId }, "a message was not taken as it was");
    }
    await untilDone(() => settle(kit, epoch, { message, verdict, error }));
    return verdict.kind === "wait" ? { ms: verdict.ms, isBot: verdict.holds === "bot" } : calm;
  }
}

function toVerdict(error: unknown, attempts: number): SendVerdict {
  if (error instanceof BotApiError) return judgeSend(error.failure, attempts);
  const because = error instanceof Error ? error.message : "an unknown error";
  return { kind: "give_up", because, closesChat: false };
}

/** Sends it, and once more in the way that Telegram's refusal asks for. @returns the number of a new message */
async function deliver(kit: Kit, message: OutMessage): Promise<number | null> {
  try {
    return await call(kit, message, { isPlain: false, hasThread: true });
  } catch (error) {
    const verdict = toVerdict(error, message.attempts);
    if (verdict.kind === "done") return message.edits?.messageId ?? null;
    if (verdict.kind === "plain") return await call(kit, message, { isPlain: true, hasThread: true });
    if (verdict.kind === "without_thread") return await call(kit, message, { isPlain: false, hasThread: false });
    throw error;
  }
}

type Manner = { isPlain: boolean; hasThread: boolean };

async function call({ api }: Kit, message: OutMessage, { isPlain, hasThread }: Manner): Promise<number | null> {
  const where = hasThread ? message.place : { ...message.place, threadId: null };
  if (message.edits !== null) {
    await api.edit({ ...where, messageId: message.edits.messageId }, message.body, isPlain).catch(ignoreUnchanged);
    return null;
  }
  return await api.send(where, toFinal(message), isPlain);
}

function ignoreUnchanged(error: unknown): void {
  if (toVerdict(error, 1).kind !== "done") throw error;
}

function toFinal({ body, isRepeat, replyTo }: OutMessage): MessageBody {
  const placed = replyTo === null ? body : { ...body, replyTo };
  return isRepeat ? asRepeat(placed) : placed;
}

type Refused = { message: OutMessage; verdict: SendVerdict; error: unknown };

/** Writes down what became of a message that was not sent. */
async function settle({ store }: Kit, epoch: number, { message, verdict, error }: Refused): Promise<void> {
  const held = { id: message.id, epoch };
  const why = error instanceof Error ? error.message : String(error);
  switch (verdict.kind) {
    case "wait": {
      const isRepeat = verdict.mayHaveArrived && message.edits === null;
      return store.putBack({ ...held, delayMs: verdict.ms, isRepeat, error: why });
    }
    case "moved":
      await store.together((tables) => tables.moveChat({ from: message.place.chatId, to: verdict.to }));
      return store.putBack({ ...held, delayMs: 0, isRepeat: false, error: why });
    case "anew":
      if (message.edits === null) return void (await store.markFailed({ ...held, error: why }));
      return void (await store.sendAnew(held));
    default:
      await store.markFailed({ ...held, error: why });
      if (verdict.kind === "give_up" && verdict.closesChat) {
        await store.closeChat({ chatId: message.place.chatId, because: verdict.because });
      }
  }
}

/** Repeats a write until the database takes it: what was sent must be known as sent. */
async function untilDone(write: () => Promise<unknown>, signal?: AbortSignal): Promise<void> {
  for (let round = 0; signal?.aborted !== true && round < 100; round++) {
    const isDone = await write().then(
      () => true,
      () => false,
    );
    if (isDone) return;
    await rest(Math.min(2_000, 100 * 2 ** Math.min(round, 6)), signal ?? new AbortController().signal);
  }
}
