import { Nullable } from "@signalbox/common/contracts/primitives.ts";
import { defineRoute } from "@signalbox/common/route.ts";
import { Type } from "typebox";
import type { Context } from "../context.ts";

const closed = { additionalProperties: false } as const;

export const readState = (context: Context) =>
  defineRoute({
    method: "GET",
    path: "/telegram/state",
    auth: "any",
    summary: "How messages come in, what waits to be worked off and to be sent, and what Telegram says of its webhook",
    replies: {
      200: Type.Object(
        {
          mode: Type.Enum(["polling", "webhook"]),
          isLeading: Type.Boolean({ description: "this instance polls and sends" }),
          bot: Nullable(Type.String()),
          inbox: Type.Integer(),
          outbox: Type.Integer(),
          webhook: Nullable(
            Type.Object({ url: Type.String(), pending: Type.Integer(), lastError: Nullable(Type.String()) }, closed),
          ),
        },
        closed,
      ),
    },
    async handle() {
      const [waiting, bot, webhook] = await Promise.all([
        context.store.countWaiting(),
        context.botName().catch(() => null),
        context.readWebhook().catch(() => null),
      ]);
      const { mode } = context;
      return { status: 200, body: { mode, isLeading: context.isLeading(), bot, ...waiting, webhook } };
    },
  });
