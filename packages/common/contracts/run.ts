import { type Static, Type } from "typebox";
import { Uuid } from "./primitives.ts";
import { TaskError, TaskTypeName } from "./task.ts";

const closed = { additionalProperties: false } as const;

/** What every chat, hook and command line turns into. Version 1 is the only one there is. */
export const SignalEvent = Type.Object(
  {
    schema_version: Type.Literal(1),
    type: TaskTypeName,
    conversation_key: Type.String({
      minLength: 1,
      maxLength: 500,
      description: "events of one conversation run in order",
    }),
    user_key: Type.String({ minLength: 1, maxLength: 500, description: "who sent it" }),
    text: Type.String({ maxLength: 500_000 }),
    raw: Type.Optional(Type.Unknown({ description: "the original; reaches the agent only" })),
  },
  closed,
);
export type SignalEvent = Static<typeof SignalEvent>;

export const RunAccepted = Type.Object({ run_id: Uuid }, closed);

export const Run = Type.Object(
  {
    run_id: Uuid,
    status: Type.Enum(["running", "succeeded", "failed"]),
    output: Type.Optional(Type.Unknown()),
    error: Type.Optional(TaskError),
  },
  closed,
);
export type Run = Static<typeof Run>;
