import { type Static, Type } from "typebox";
import { Instant, Uuid } from "./primitives.ts";

export const eventKinds = [
  "created",
  "started",
  "progress",
  "completed",
  "failed",
  "retry_scheduled",
  "lease_expired",
  "canceled",
  "patched",
  "approval_requested",
  "approved",
  "rejected",
  "input_requested",
  "input_received",
  "side_effect",
  "result_discarded",
  "note",
] as const;
export type EventKind = (typeof eventKinds)[number];

/** One row of a task's append-only ledger. */
export const TaskEvent = Type.Object(
  {
    id: Uuid,
    taskId: Uuid,
    kind: Type.Enum([...eventKinds]),
    actor: Type.String({ description: "who: `person:<name>`, `agent:<name>`, `service:<name>`" }),
    at: Instant,
    version: Type.Integer({ minimum: 1, description: "the task's version after this event" }),
    data: Type.Record(Type.String(), Type.Unknown()),
  },
  { additionalProperties: false, $id: "TaskEvent" },
);
export type TaskEvent = Static<typeof TaskEvent>;
