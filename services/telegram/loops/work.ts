/** All that the leader of a bot does, side by side. */
import { rest } from "@signalbox/common/tail.ts";
import { commands } from "../command.ts";
import type { Notifier } from "../notifier.ts";
import { follow, sweep } from "./follower.ts";
import { buildInbox } from "./inbox.ts";
import type { Bell, Kit } from "./kit.ts";
import { buildLeader, type LeadPace } from "./leader.ts";
import { tellOthers } from "./notifiers.ts";
import { poll, setWebhook } from "./poller.ts";
import { buildPresenter } from "./presenter.ts";
import { buildSender } from "./sender.ts";
import { buildTyping } from "./typing.ts";
import { audit, forget, watchAgents } from "./watcher.ts";

export type WorkOptions = {
  holder: string;
  leadPace: LeadPace;
  /** null: polling; without a url the webhook is set by hand */
  webhook: { url: string | null; secret: string } | null;
  retentionDays: number;
  /** other channels than Telegram */
  notifiers: readonly Notifier[];
};

export function buildWork(kit: Kit, { holder, leadPace, webhook, retentionDays, notifiers }: WorkOptions) {
  const inbox = buildInbox(kit);
  const sender = buildSender(kit);
  const presenter = buildPresenter(kit);
  const typing = buildTyping(kit);

  async function ingest(signal: AbortSignal): Promise<void> {
    if (webhook === null) return poll(kit, signal);
    if (webhook.url !== null) return setWebhook(kit, { url: webhook.url, secret: webhook.secret }, signal);
    kit.log.warn("neither TELEGRAM_WEBHOOK_URL nor RENDER_EXTERNAL_URL is set: the webhook must be set by hand");
  }

  async function lead(epoch: number, signal: AbortSignal): Promise<void> {
    await Promise.all([
      ingest(signal),
      inbox.run(signal),
      sender.run(epoch, signal),
      presenter.run(signal),
      presenter.calm(signal),
      follow(kit, typing, signal),
      sweep(kit, signal),
      typing.run(signal),
      watchAgents(kit, signal),
      audit(kit, signal),
      forget(kit, retentionDays, signal),
      showCommands(kit, signal),
      ...notifiers.map((notifier) => tellOthers(kit, { notifier, everyMs: kit.pace.tellMs }, signal)),
    ]);
  }

  const leader = buildLeader({ store: kit.store, holder, pace: leadPace, log: kit.log, lead });
  const bells = { inbox, outbox: sender, notices: presenter };
  return {
    isLeading: leader.isLeading,
    run: leader.run,
    ring: (bell: Bell) => bells[bell].ring(),
  };
}

const commandRetryMs = 30_000;

/** The menu of commands in the chats; a bot without it works as well. */
async function showCommands({ api, log }: Kit, signal: AbortSignal): Promise<void> {
  for (let tries = 0; tries < 5 && !signal.aborted; tries++) {
    const isShown = await api.setCommands(commands).then(
      () => true,
      (error: unknown) => {
        log.debug({ err: error }, "the menu of commands was not taken");
        return false;
      },
    );
    if (isShown) return;
    await rest(commandRetryMs, signal);
  }
}
