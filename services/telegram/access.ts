/** Who is served: people who are listed or paired, in their personal chats and in listed groups. Everything else is refused. */
import type { Place, Sender } from "./update.ts";

export type AccessList = { users: ReadonlySet<number>; chats: ReadonlySet<number> };

export type Access = "served" | "stranger" | "foreign_chat";

/** @param isMember paired, as the database says. @param movedFrom the group that this one was before it got a new number */
export function judgeAccess(
  { place, sender }: { place: Place; sender: Sender },
  list: AccessList,
  known: { isMember: boolean; movedFrom: number | null },
): Access {
  const isListedChat = list.chats.has(place.chatId) || (known.movedFrom !== null && list.chats.has(known.movedFrom));
  if (!place.isPrivate && !isListedChat) return "foreign_chat";
  // To be in a listed group makes nobody an operator.
  return list.users.has(sender.id) || known.isMember ? "served" : "stranger";
}

/** Codes that a stranger may try within an hour. A code has 128 random bits; this keeps the noise down. */
export const mostTries = 5;

export const pairingSeconds = 600;

/** A code as `/start` carries it; null for what cannot be one. */
export function readCode(text: string): string | null {
  return /^[A-Za-z0-9_-]{16,64}$/.test(text) ? text : null;
}

export const refusals = {
  stranger: "This bot is private. Ask whoever runs it for a pairing link.",
  badCode: "This pairing code is not valid (any more). Ask for a new link; each works once, for ten minutes.",
  foreignChat: "This bot does not listen in this group.",
} as const;
