/**
 * Asks Telegram for updates and stores them. An update counts as confirmed as soon as a later call asks for what comes after it, so a batch
 * is committed first. Where it stands is not kept anywhere: after a restart Telegram sends again what was not confirmed, and the inbox
 * knows each number once. When nothing new comes the position is forgotten too: numbers may begin anew, lower, after a silent week.
 */
import { rest } from "@signalbox/common/tail.ts";
import { BotApiError, judgePoll } from "../api-failure.ts";
import { toNewUpdates } from "../inbox-update.ts";
import type { Kit } from "./kit.ts";

/** Telegram holds a call until there is something new; of what answers at once with nothing, this often is asked. */
const emptyHandedMs = 1_000;

export async function poll(kit: Kit, signal: AbortSignal): Promise<void> {
  const { api, store, log } = kit;
  let offset: number | null = null;
  let hasWebhook = true;
  let failures = 0;

  /** @returns how long to rest before the next turn */
  async function turn(): Promise<number> {
    if (hasWebhook) {
      await api.deleteWebhook();
      hasWebhook = false;
    }
    const askedAt = performance.now();
    const found = await api.getUpdates(offset, signal);
    const updates = toNewUpdates(found);
    if (updates.length < found.length) log.warn("Telegram sent something that is no update");
    const last = updates.at(-1);
    offset = last === undefined ? null : last.updateId + 1;
    const stored = await store.insertUpdates({ updates, gapMs: null });
    if (stored > 0) kit.ring("inbox");
    if (updates.length > 0) kit.count("received");
    failures = 0;
    return stored > 0 ? 0 : emptyHandedMs - (performance.now() - askedAt);
  }

  while (!signal.aborted) {
    const restMs = await turn().catch((error: unknown) => {
      const wait = toWait(error, failures++);
      hasWebhook ||= wait.hasWebhook;
      if (failures === 1 && !signal.aborted) log.warn({ err: error }, "messages could not be asked for; this goes on");
      return wait.ms;
    });
    if (restMs > 0 && !signal.aborted) await rest(restMs, signal);
  }
}

function toWait(error: unknown, failures: number): { ms: number; hasWebhook: boolean } {
  return error instanceof BotApiError ? judgePoll(error.failure, failures) : { ms: 1_000, hasWebhook: false };
}

/** Tells Telegram where to post to, until it has taken it. */
export async function setWebhook(
  { api, log }: Pick<Kit, "api" | "log">,
  { url, secret }: { url: string; secret: string },
  signal: AbortSignal,
): Promise<void> {
  for (let failures = 0; !signal.aborted; failures++) {
    try {
      await api.setWebhook(url, secret);
      return;
    } catch (error) {
      if (failures === 0) log.warn({ err: error }, "the webhook could not be set; this goes on");
      await rest(toWait(error, failures).ms, signal);
    }
  }
}
