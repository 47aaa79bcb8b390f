import { type Static, Type } from "typebox";
import { eventKinds } from "./event.ts";
import { Cursor, Instant, List, Nullable, Uuid } from "./primitives.ts";
import { TaskTypeName } from "./task.ts";

const closed = { additionalProperties: false } as const;

const Url = Type.String({
  minLength: 1,
  maxLength: 2_000,
  description: "http(s) URL that each event is posted to, as a Standard Webhook",
});
const Kinds = Type.Array(Type.Enum([...eventKinds]), {
  minItems: 1,
  uniqueItems: true,
  description: "kinds of events",
});
const Types = Type.Array(TaskTypeName, {
  minItems: 1,
  maxItems: 100,
  uniqueItems: true,
  description: "events of tasks of these types only; null or left out: of every type",
});
const Enabled = Type.Boolean({ description: "false: no event is taken and none is sent" });

export const CreateSubscription = Type.Object(
  {
    url: Url,
    kinds: Kinds,
    types: Type.Optional(Nullable(Types)),
    enabled: Type.Optional(Enabled),
  },
  closed,
);
export type CreateSubscription = Static<typeof CreateSubscription>;

export const PatchSubscription = Type.Object(
  {
    url: Type.Optional(Url),
    kinds: Type.Optional(Kinds),
    types: Type.Optional(Nullable(Types)),
    enabled: Type.Optional(Enabled),
  },
  closed,
);
export type PatchSubscription = Static<typeof PatchSubscription>;

export const attemptOutcomes = ["delivered", "failed"] as const;
export type AttemptOutcome = (typeof attemptOutcomes)[number];

const subscriptionFields = {
  id: Uuid,
  url: Type.String(),
  kinds: Type.Array(Type.Enum([...eventKinds])),
  types: Nullable(Type.Array(Type.String())),
  enabled: Type.Boolean(),
  disabledReason: Nullable(Type.String({ description: "why it was disabled, when nobody did it by hand" })),
  createdAt: Instant,
  updatedAt: Instant,
  lastDeliveryAt: Nullable(Type.String({ format: "date-time", description: "when the last attempt ended" })),
  lastOutcome: Nullable(Type.Enum([...attemptOutcomes], { description: "how it ended" })),
  lastStatus: Nullable(Type.Integer({ description: "what the receiver answered; null when it did not" })),
  lastError: Nullable(Type.String({ description: "why it failed" })),
  failures: Type.Integer({ minimum: 0, description: "failed attempts since one succeeded" }),
  pending: Type.Integer({ minimum: 0, description: "events that wait to be sent, now or again" }),
};

export const Subscription = Type.Object(subscriptionFields, { ...closed, $id: "Subscription" });
export type Subscription = Static<typeof Subscription>;
export const SubscriptionList = List(Subscription);

export const NewSubscription = Type.Object(
  {
    ...subscriptionFields,
    secret: Type.String({ description: "`whsec_` and the key in base64; never shown again" }),
  },
  closed,
);

export const SubscriptionQuery = Type.Object(
  {
    limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 200, description: "default 50" })),
    cursor: Type.Optional(Cursor),
  },
  closed,
);
export type SubscriptionQuery = Static<typeof SubscriptionQuery>;
