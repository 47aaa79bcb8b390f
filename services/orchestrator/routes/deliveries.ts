import {
  DeliveryAccepted,
  DeliveryList,
  DeliveryQuery,
  DeliveryWithBody,
} from "@signalbox/common/contracts/webhook.ts";
import { ApiError, notFound } from "@signalbox/common/errors.ts";
import { defineRoute } from "@signalbox/common/route.ts";
import { Type } from "typebox";
import type { Context } from "../context.ts";
import { parseBody, toStoredSignal } from "./receive-delivery.ts";
import { announce, draftTasks } from "./run-rules.ts";

export const listDeliveries = ({ store }: Context) =>
  defineRoute({
    method: "GET",
    path: "/webhooks/deliveries",
    auth: "any",
    summary: "Webhook deliveries, newest first: what came, and what the rules made of it",
    query: DeliveryQuery,
    replies: { 200: DeliveryList },
    async handle({ query }) {
      return { status: 200, body: await store.listDeliveries(query) };
    },
  });

const DeliveryId = Type.Object(
  { id: Type.String({ minLength: 1, maxLength: 200, description: "ours, or the sender's" }) },
  { additionalProperties: false },
);

export const getDelivery = ({ store }: Context) =>
  defineRoute({
    method: "GET",
    path: "/webhooks/deliveries/:id",
    auth: "any",
    summary: "One delivery with its headers and body",
    params: DeliveryId,
    replies: { 200: DeliveryWithBody },
    async handle({ params }) {
      const found = await store.findDelivery(params.id);
      if (found === null) throw notFound("delivery", params.id);
      const { raw, ...delivery } = found;
      return { status: 200, body: { ...delivery, body: raw === null ? null : toShownBody(raw) } };
    },
  });

function toShownBody(raw: Buffer): unknown {
  const parsed = parseBody(raw);
  return "body" in parsed ? parsed.body : raw.toString("utf8");
}

export const replayDelivery = (context: Context) =>
  defineRoute({
    method: "POST",
    path: "/webhooks/deliveries/:id/replay",
    auth: "any",
    summary: "Run the rules of now on a stored delivery; they make new tasks, also where `dedupe` would not",
    params: DeliveryId,
    replies: { 202: DeliveryAccepted },
    async handle({ params, actor, trace }) {
      const found = await context.store.findDelivery(params.id);
      if (found === null) throw notFound("delivery", params.id);
      const signal = found.raw === null ? null : toStoredSignal(found, found.raw);
      if (signal === null) throw cannotReplay(found.raw !== null);
      const occasion = { traceId: trace.traceId, bodyBytes: found.raw?.length ?? 0, isReplay: true };
      const drafts = await draftTasks(context, signal, occasion);
      const replay = { by: actor, rulesHash: context.webhooks.book.hash };
      const recorded = await context.store.replayDelivery(found.id, replay, drafts);
      if (recorded === null) throw notFound("delivery", params.id);
      announce(context, recorded);
      const made = recorded.made.map(({ id }) => id);
      return { status: 202, body: { deliveryId: found.deliveryId, tasks: made } };
    },
  });

function cannotReplay(isKept: boolean): ApiError {
  const why = isKept ? "it is not readable JSON" : "its body is forgotten after 30 days";
  return new ApiError("illegal_transition", `This delivery cannot be replayed: ${why}.`);
}
