import type { Log } from "@signalbox/common/log.ts";
import type { WebhookState } from "./clients/bot-api.ts";
import type { Store } from "./store.ts";

/** What a route may use. */
export type Context = {
  store: Store;
  log: Log;
  /** null while polling: there is nothing at the webhook's address then */
  webhookSecret: string | null;
  mode: "polling" | "webhook";
  isLeading(): boolean;
  /** the bot's user name. @throws ApiError 503 while Telegram does not say it */
  botName(): Promise<string>;
  readWebhook(): Promise<WebhookState>;
  /** the version of a task that its buttons are bound to; null when it cannot be asked for */
  findVersion(taskId: string): Promise<number | null>;
  rings(bell: "inbox" | "notices"): void;
  /** judged by the rules; null: nobody is to be told */
  judge(kind: string, severity: "info" | "warning" | "critical"): { chats: number[] | null; isSilent: boolean } | null;
};
