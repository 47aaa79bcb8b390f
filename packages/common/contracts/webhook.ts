import { type Static, Type } from "typebox";
import { Cursor, Instant, List, Nullable, Uuid } from "./primitives.ts";

const closed = { additionalProperties: false } as const;

export const deliveryOutcomes = ["accepted", "ignored", "failed", "ping", "unreadable"] as const;
export type DeliveryOutcome = (typeof deliveryOutcomes)[number];

/** What became of one rule that took a delivery. */
export const RuleResult = Type.Object(
  {
    rule: Type.String(),
    run: Type.Integer({ minimum: 1, description: "1 is the delivery itself, each replay is one more" }),
    outcome: Type.Enum(["made", "duplicate", "failed"]),
    taskId: Nullable(Uuid),
    reason: Nullable(Type.String({ description: "why no task was made" })),
    by: Type.Optional(Type.String({ description: "who asked for the replay" })),
  },
  closed,
);
export type RuleResult = Static<typeof RuleResult>;

const deliveryFields = {
  id: Uuid,
  source: Type.String({ description: "`github`, or a name of WEBHOOK_SECRETS" }),
  event: Nullable(Type.String()),
  action: Nullable(Type.String()),
  deliveryId: Type.String({ description: "the sender's own id of it" }),
  receivedAt: Instant,
  signature: Type.String({ description: "which secret it was signed with: current or previous" }),
  rules: Type.Array(RuleResult),
  rulesHash: Type.String({ description: "sha256 of the rules that judged it last" }),
  taskIds: Type.Array(Uuid),
  duplicates: Type.Integer({ minimum: 0, description: "how often it came again" }),
  outcome: Type.Enum([...deliveryOutcomes], {
    description: "failed: a rule took it and could not make its task; unreadable: signed, but no JSON",
  }),
};

export const Delivery = Type.Object(deliveryFields, { ...closed, $id: "Delivery" });
export type Delivery = Static<typeof Delivery>;
export const DeliveryList = List(Delivery);

export const DeliveryWithBody = Type.Object(
  {
    ...deliveryFields,
    headers: Type.Record(Type.String(), Type.String()),
    body: Type.Unknown({ description: "JSON, or text that is none; null once it is forgotten, after 30 days" }),
  },
  closed,
);
export type DeliveryWithBody = Static<typeof DeliveryWithBody>;

export const DeliveryQuery = Type.Object(
  {
    source: Type.Optional(Type.String({ minLength: 1, maxLength: 100 })),
    outcome: Type.Optional(Type.Enum([...deliveryOutcomes])),
    event: Type.Optional(Type.String({ minLength: 1, maxLength: 200 })),
    limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 200, description: "default 50" })),
    cursor: Type.Optional(Cursor),
  },
  closed,
);
export type DeliveryQuery = Static<typeof DeliveryQuery>;

export const DeliveryAccepted = Type.Object(
  { deliveryId: Type.String(), tasks: Type.Array(Uuid, { description: "the tasks that its rules made" }) },
  closed,
);
export type DeliveryAccepted = Static<typeof DeliveryAccepted>;

/** A delivery that makes nothing: a ping, or one that no rule takes. */
export const DeliveryNoted = Type.Object(
  { ignored: Type.Optional(Type.Boolean()), pong: Type.Optional(Type.Boolean()) },
  closed,
);
