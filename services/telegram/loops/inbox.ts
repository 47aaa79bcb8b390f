/**
 * Works off the inbox: the updates of one line one after the other, lines side by side. An update ends with one write; if the process dies
 * before it, the next leader begins it anew, and everything on the way is safe to repeat: events and tasks by their keys, replies by
 * theirs, decisions by the version that was shown, pairings by their bearer.
 */
import { isTransient } from "@signalbox/common/errors.ts";
import { CallError } from "@signalbox/common/fleet-call.ts";
import { buildBell } from "@signalbox/common/tail.ts";
import { type Access, judgeAccess, refusals } from "../access.ts";
import { BotApiError } from "../api-failure.ts";
import { toBody } from "../message.ts";
import type { InboxUpdate } from "../store/inbox.ts";
import type { Statements } from "../store.ts";
import { type Place, readUpdate, type Sender, type Signal } from "../update.ts";
import type { Kit } from "./kit.ts";
import { serveCommand, startStranger } from "./serve-command.ts";
import { serveMessage } from "./serve-message.ts";
import { servePress } from "./serve-press.ts";

const atOnce = 16;
const idleMs = 5_000;
const failedMs = 500;
const mostMistakes = 5;
const drainMs = 5_000;

/** What became of an update, in a few words for the audit. */
type Outcome = string;

export function buildInbox(kit: Kit) {
  const bell = buildBell();

  async function turn(busy: Set<string>): Promise<number> {
    const room = atOnce - busy.size;
    const ready = room > 0 ? await kit.store.listReadyUpdates({ busy: [...busy], limit: room }) : [];
    for (const update of ready) {
      busy.add(update.line);
      void work(kit, update).finally(() => {
        busy.delete(update.line);
        bell.ring();
      });
    }
    if (ready.length > 0) return 0;
    const due = await kit.store.findInboxDelay();
    return Math.max(10, Math.min(idleMs, due ?? idleMs));
  }

  return {
    ring: bell.ring,
    async run(signal: AbortSignal): Promise<void> {
      const busy = new Set<string>();
      while (!signal.aborted) {
        const restMs = await turn(busy).catch((error: unknown) => {
          kit.log.warn({ err: error }, "the inbox could not be read; this will be tried again");
          return failedMs;
        });
        if (restMs > 0) await bell.heard(restMs, signal);
      }
      const giveUpAt = performance.now() + drainMs;
      while (busy.size > 0 && performance.now() < giveUpAt) await bell.heard(50, new AbortController().signal);
    },
  };
}

async function work(kit: Kit, update: InboxUpdate): Promise<void> {
  try {
    const note = await serve(kit, update);
    await kit.store.endUpdate({ updateId: update.updateId, status: "done", note });
    kit.ring("outbox");
  } catch (error) {
    await putOff(kit, update, error).catch((cause: unknown) => {
      kit.log.warn({ err: cause, updateId: update.updateId }, "an update could not be put off; it is begun anew");
    });
  }
}

async function serve(kit: Kit, update: InboxUpdate): Promise<Outcome> {
  const { username } = await kit.identity();
  const signal = readUpdate(update.raw, username);
  switch (signal.kind) {
    case "nothing":
      return signal.why;
    case "moved":
      await kit.store.together((tables) => tables.moveChat(signal));
      return "the chat got a new number";
    case "membership":
      await kit.store.closeChat({
        chatId: signal.place.chatId,
        because: signal.isMember ? null : "the bot was removed or blocked",
      });
      return signal.isMember ? "welcome here" : "not welcome here";
    default:
      return servePerson(kit, update, signal);
  }
}

type Personal = Extract<Signal, { sender: Sender }>;

async function servePerson(kit: Kit, update: InboxUpdate, signal: Personal): Promise<Outcome> {
  const access = await findAccess(kit, signal);
  // Whoever did not speak to the bot is not told that it does not listen.
  if (access !== "served" && signal.kind === "message" && !signal.isAddressed) return access;
  if (access !== "served") return refuse(kit, update, signal, access);
  switch (signal.kind) {
    case "press":
      return servePress(kit, update, signal);
    case "command":
      return serveCommand(kit, update, signal);
    case "message":
      return serveMessage(kit, update, signal);
    default:
      await reply(kit, update, signal, "I can read words only; send it as a text, or add a caption.");
      return "without words";
  }
}

async function findAccess({ store, access }: Kit, { place, sender }: Personal): Promise<Access> {
  const [isMember, movedFrom] = await Promise.all([
    access.users.has(sender.id) || store.isMember(sender.id),
    place.isPrivate ? null : store.findMovedFrom(place.chatId),
  ]);
  return judgeAccess({ place, sender }, access, { isMember, movedFrom });
}

/** One polite word for each stranger and each foreign group, then silence. A stranger may bring a code. */
async function refuse(kit: Kit, update: InboxUpdate, signal: Personal, access: Access): Promise<Outcome> {
  if (signal.kind === "press") {
    await kit.api.answerPress(signal.queryId, refusals.stranger).catch(() => undefined);
    return access;
  }
  const { place, sender } = signal;
  if (access === "stranger" && place.isPrivate && signal.kind === "command" && signal.name === "start") {
    const paired = await startStranger(kit, update, signal);
    if (paired !== null) return paired;
  }
  const subject = access === "stranger" ? `user:${sender.id}` : `chat:${place.chatId}`;
  await kit.store.together(async (store) => {
    if (!(await store.claimRefusal(subject))) return;
    await reply({ store }, update, signal, access === "stranger" ? refusals.stranger : refusals.foreignChat);
  });
  return access;
}

async function reply(
  kit: { store: Pick<Statements, "enqueueMessages"> },
  { updateId }: InboxUpdate,
  { place, messageId }: { place: Place; messageId: number },
  text: string,
): Promise<void> {
  const body = { ...toBody(text), replyTo: messageId };
  const { chatId, threadId } = place;
  await kit.store.enqueueMessages([{ chatId, threadId, body, dedupeKey: `update:${updateId}:reply` }]);
}

const firstDelayMs = 1_000;
const longestDelayMs = 10_000;

/** Later again, in its place; only a mistake of our own ends it in the end. */
async function putOff(kit: Kit, update: InboxUpdate, error: unknown): Promise<void> {
  const { store, log } = kit;
  const { updateId, attempts } = update;
  const isPassing = isPassingFailure(error);
  if (!isPassing && attempts + 1 >= mostMistakes) {
    log.error({ err: error, updateId }, "an update could not be worked off; its line goes on without it");
    await tell(kit, update, "Something went wrong here with this message; it is logged. Please try again.");
    await store.endUpdate({ updateId, status: "failed", note: error instanceof Error ? error.message : "unknown" });
    return;
  }
  const askedMs = error instanceof CallError ? error.retryAfterMs : 0;
  const delayMs = Math.max(askedMs, Math.min(longestDelayMs, firstDelayMs * 2 ** Math.min(attempts, 10)));
  log.warn({ err: error, updateId, delayMs }, "an update will be worked off later");
  await store.deferUpdate({ updateId, delayMs });
  if (isPassing && error instanceof CallError) await tellDelay(kit, update, error);
}

/** The fleet, Telegram or the database is away: the update has no part in it. */
function isPassingFailure(error: unknown): boolean {
  if (error instanceof CallError) return error.isPassing;
  return error instanceof BotApiError || isTransient(error);
}

/** Said once for each message, and only when it takes long enough to be noticed. */
async function tellDelay(kit: Kit, update: InboxUpdate, error: CallError): Promise<void> {
  if (error.status === 429)
    await tell(kit, update, "Too many messages in this minute; this one goes on as soon as it may.");
  else if (update.attempts === 2) {
    await tell(
      kit,
      update,
      "The fleet does not answer at the moment. Your message is kept and goes on when it is back.",
    );
  }
}

async function tell(kit: Kit, update: InboxUpdate, text: string): Promise<void> {
  const signal = readUpdate(update.raw, null);
  if (signal.kind !== "message" && signal.kind !== "command") return;
  const { place, messageId } = signal;
  const body = { ...toBody(text), replyTo: messageId, isSilent: true };
  const dedupeKey = `update:${update.updateId}:${text.slice(0, 12)}`;
  await kit.store.enqueueMessages([{ chatId: place.chatId, threadId: place.threadId, body, dedupeKey }]);
  kit.ring("outbox");
}
