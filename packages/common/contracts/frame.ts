import { type Static, Type } from "typebox";
import { TaskEvent } from "./event.ts";
import { Log, logLevels } from "./log.ts";
import { CommaList, CorrelationId, Cursor, Instant, Nullable, TraceId, Uuid } from "./primitives.ts";
import { Task } from "./task.ts";

const closed = { additionalProperties: false } as const;

export const HelloFrame = Type.Object(
  {
    type: Type.Literal("hello"),
    cursor: Cursor,
    heartbeatMs: Type.Integer(),
    instance: Type.String(),
    version: Type.String(),
  },
  closed,
);
export const TaskFrame = Type.Object(
  { type: Type.Literal("task"), cursor: Cursor, event: TaskEvent, task: Task },
  closed,
);
export const LogFrame = Type.Object({ type: Type.Literal("log"), cursor: Cursor, log: Log }, closed);
export const GapFrame = Type.Object(
  {
    type: Type.Literal("gap"),
    cursor: Cursor,
    reason: Type.Enum(["slow_client", "retention"]),
    dropped: Nullable(Type.Integer({ minimum: 0 })),
  },
  closed,
);
export const HeartbeatFrame = Type.Object({ type: Type.Literal("heartbeat"), cursor: Cursor, at: Instant }, closed);

/** One message of the live stream. */
export const Frame = Type.Union([HelloFrame, TaskFrame, LogFrame, GapFrame, HeartbeatFrame]);
export type Frame = Static<typeof Frame>;
export type HelloFrame = Static<typeof HelloFrame>;
export type TaskFrame = Static<typeof TaskFrame>;
export type LogFrame = Static<typeof LogFrame>;
export type GapFrame = Static<typeof GapFrame>;

/** Query of `/ws` and `/stream`. */
export const StreamQuery = Type.Object(
  {
    auth: Type.Optional(Type.String({ maxLength: 2_000, description: "base64 of user:pass, for browsers' sockets" })),
    since: Type.Optional(Cursor),
    types: Type.Optional(CommaList(["task", "log"], "which frames: `task`, `log` or both")),
    taskId: Type.Optional(Uuid),
    traceId: Type.Optional(TraceId),
    correlationId: Type.Optional(CorrelationId),
    level: Type.Optional(Type.Enum([...logLevels], { description: "log frames of this level and above" })),
    service: Type.Optional(Type.String({ minLength: 1, maxLength: 100, description: "log frames of this service" })),
  },
  closed,
);
export type StreamQuery = Static<typeof StreamQuery>;
