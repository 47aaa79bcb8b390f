import { randomBytes } from "node:crypto";
import {
  CreateSubscription,
  NewSubscription,
  PatchSubscription,
  Subscription,
  SubscriptionList,
  SubscriptionQuery,
} from "@signalbox/common/contracts/subscription.ts";
import { ApiError, invalidRequest, notFound, unavailable } from "@signalbox/common/errors.ts";
import { defineRoute } from "@signalbox/common/route.ts";
import { uuidv7 } from "@signalbox/common/uuid.ts";
import { Type } from "typebox";
import { judgeReceiverUrl } from "../address.ts";
import type { Context } from "../context.ts";
import { seal } from "../secret-members.ts";
import { secretBytes, toSecret, toSecretPlace } from "../subscription-secret.ts";
import { TaskId } from "./task-id.ts";

/** Each event is written down once for each of them. */
const mostSubscriptions = 100;

export const createSubscription = (context: Context) =>
  defineRoute({
    method: "POST",
    path: "/subscriptions",
    auth: "any",
    summary: "Be told of events: each is posted to the URL as a signed Standard Webhook; the secret is shown once",
    body: CreateSubscription,
    replies: { 201: NewSubscription },
    async handle({ body, actor }) {
      const { sealingKey } = context;
      checkUrl(context, body.url);
      if (sealingKey === null) {
        throw unavailable(
          "The secret of a subscription cannot be kept, because SECRETS_KEY is not set; set it and restart. Nothing was stored.",
          60,
        );
      }
      const id = uuidv7();
      const secret = toSecret(randomBytes(secretBytes));
      const sealed = seal({ key: sealingKey, nonce: () => randomBytes(12) }, toSecretPlace(id), secret);
      const fields = { url: body.url, kinds: body.kinds, types: body.types ?? null, enabled: body.enabled ?? true };
      const made = { by: actor, secret: sealed, most: mostSubscriptions };
      const subscription = await context.store.insertSubscription(id, fields, made);
      if (subscription === null) {
        throw new ApiError("limit_reached", `There are ${mostSubscriptions} subscriptions already; delete one first.`);
      }
      context.subscribed();
      context.log.info({ subscriptionId: id, actor, kinds: body.kinds }, "somebody subscribed to events");
      return { status: 201, body: { ...subscription, secret }, headers: { "cache-control": "no-store" } };
    },
  });

export const listSubscriptions = ({ store }: Context) =>
  defineRoute({
    method: "GET",
    path: "/subscriptions",
    auth: "any",
    summary: "Who is told of events and how that goes, newest first",
    query: SubscriptionQuery,
    replies: { 200: SubscriptionList },
    async handle({ query }) {
      return { status: 200, body: await store.listSubscriptions({ limit: query.limit ?? 50, cursor: query.cursor }) };
    },
  });

export const patchSubscription = (context: Context) =>
  defineRoute({
    method: "PATCH",
    path: "/subscriptions/:id",
    auth: "any",
    summary: "Change a subscription, pause it (enabled: false) or resume it with the events from then on",
    params: TaskId,
    body: PatchSubscription,
    replies: { 200: Subscription },
    async handle({ params, body, actor }) {
      if (body.url !== undefined) checkUrl(context, body.url);
      const changed = await context.store.changeSubscription(params.id, ({ url, kinds, types, enabled }) => ({
        url: body.url ?? url,
        kinds: body.kinds ?? kinds,
        types: body.types === undefined ? types : body.types,
        enabled: body.enabled ?? enabled,
      }));
      if (changed === null) throw notFound("subscription", params.id);
      context.subscribed();
      context.log.info({ subscriptionId: params.id, actor, members: Object.keys(body) }, "a subscription was changed");
      return { status: 200, body: changed };
    },
  });

export const deleteSubscription = (context: Context) =>
  defineRoute({
    method: "DELETE",
    path: "/subscriptions/:id",
    auth: "any",
    summary: "Delete a subscription; what it was still to be told is dropped",
    params: TaskId,
    replies: { 204: Type.Null() },
    async handle({ params, actor }) {
      if (!(await context.store.deleteSubscription(params.id))) throw notFound("subscription", params.id);
      context.subscribed();
      context.log.info({ subscriptionId: params.id, actor }, "a subscription was deleted");
      return { status: 204 };
    },
  });

/** @throws ApiError 400 */
function checkUrl({ allowPrivateReceivers }: Context, url: string): void {
  const refusal = judgeReceiverUrl(url, allowPrivateReceivers);
  if (refusal !== null) throw invalidRequest("/url", refusal);
}
