import type { Log } from "@signalbox/common/log.ts";
import type { AccessList } from "../access.ts";
import type { BotApi, BotIdentity } from "../clients/bot-api.ts";
import type { Fleet } from "../clients/fleet.ts";
import type { RuleFile } from "../notify-rules.ts";
import type { Store } from "../store.ts";

/** Which loop has something to do. */
export type Bell = "inbox" | "outbox" | "notices";

/** Milliseconds between two messages, and messages a second in all, as Telegram's FAQ asks for; `tellMs` is for other channels. */
export type Pace = { privateMs: number; groupMs: number; perSecond: number; editMs: number; tellMs: number };

export const defaultPace: Pace = { privateMs: 1_000, groupMs: 3_000, perSecond: 30, editMs: 3_000, tellMs: 5_000 };

/** What the loops share. */
export type Kit = {
  bot: string;
  store: Store;
  api: BotApi;
  fleet: Fleet;
  log: Log;
  access: AccessList;
  /** chats that are told of everything; empty: the personal chats of all who may use the bot */
  notifyChats: readonly number[];
  rules: RuleFile;
  pace: Pace;
  /** the bot's own name; asked for until it is known */
  identity(): Promise<BotIdentity>;
  /** A word for a button that nobody can guess, the same each time for the same button. */
  toToken(...parts: (string | number)[]): string;
  ring(bell: Bell): void;
  /** counted for the metrics */
  count(what: "received" | "sent" | "edited" | "refused" | "retried"): void;
};
