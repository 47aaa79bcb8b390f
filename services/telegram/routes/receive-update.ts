import { isSame } from "@signalbox/common/auth.ts";
import { ApiError, invalidRequest } from "@signalbox/common/errors.ts";
import { defineRoute } from "@signalbox/common/route.ts";
import { Type } from "typebox";
import type { Context } from "../context.ts";
import { toNewUpdates } from "../inbox-update.ts";

/** How long an update waits for one with a lower number: Telegram posts several at once. */
const gapMs = 3_000;

/** 200 means that it is stored; what it asks for is done later. Anything else makes Telegram post it again. */
export const receiveUpdate = (context: Context) =>
  defineRoute({
    method: "POST",
    path: "/telegram/webhook",
    auth: "signed",
    summary: "Telegram posts an update: stored under its number, then 200; 404 while polling",
    replies: { 200: Type.Object({ stored: Type.Boolean() }, { additionalProperties: false }) },
    quiet: true,
    async handle({ rawBody, headers }) {
      if (context.webhookSecret === null) {
        throw new ApiError("not_found", "There is no webhook here: this bot asks for its messages (polling).");
      }
      const shown = headers["x-telegram-bot-api-secret-token"];
      if (typeof shown !== "string" || !isSame(shown, context.webhookSecret)) {
        throw new ApiError("unauthorized", "The secret token is missing or wrong.");
      }
      const updates = readUpdates(rawBody);
      const stored = (await context.store.insertUpdates({ updates, gapMs })) > 0;
      if (stored) context.rings("inbox");
      return { status: 200, body: { stored } };
    },
  });

/**
 * Telegram's own JSON, so more is forgiven than to others: what PostgreSQL could not hold is taken out, because a refusal would only make
 * the same update come again.
 *
 * @throws ApiError 400
 */
function readUpdates(rawBody: Buffer): ReturnType<typeof toNewUpdates> {
  let updates: ReturnType<typeof toNewUpdates>;
  try {
    updates = toNewUpdates([JSON.parse(rawBody.toString("utf8"))]);
  } catch {
    throw invalidRequest("", "is no JSON that can be read");
  }
  if (updates.length === 0) throw invalidRequest("/update_id", "must be the number of an update");
  return updates;
}
