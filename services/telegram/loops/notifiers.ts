/**
 * Brings notices to the other channels. What a channel has been told is written down after it took it, so each notice arrives at least once;
 * a channel that is away is told later, and holds up no other. Notices that come together go out together.
 */
import { rest } from "@signalbox/common/tail.ts";
import { type Notifier, NotifierError, toTold } from "../notifier.ts";
import type { Kit } from "./kit.ts";

const mostAtOnce = 50;
const longestWaitMs = 60_000;

export async function tellOthers(
  { store, log }: Pick<Kit, "store" | "log">,
  { notifier, everyMs }: { notifier: Notifier; everyMs: number },
  signal: AbortSignal,
): Promise<void> {
  let failures = 0;
  while (!signal.aborted) {
    const waitMs = await turn(store, notifier).then(
      () => {
        failures = 0;
        return everyMs;
      },
      (error: unknown) => {
        if (failures === 0)
          log.warn({ err: error, channel: notifier.name }, "a channel could not be told; this goes on");
        return Math.min(longestWaitMs, everyMs * 2 ** Math.min(++failures, 10));
      },
    );
    await rest(waitMs, signal);
  }
}

async function turn(store: Kit["store"], { name, tell }: Notifier): Promise<void> {
  const notices = await store.listUntold({ channel: name, limit: mostAtOnce });
  if (notices.length === 0) return;
  let refusal: string | null = null;
  try {
    await tell(toTold(notices));
  } catch (error) {
    if (!(error instanceof NotifierError) || !error.isFinal) throw error;
    // The same text would be refused for ever, and everything after it would wait.
    refusal = error.message;
  }
  await store.markTold({ channel: name, ids: notices.map(({ id }) => id), error: refusal });
}
