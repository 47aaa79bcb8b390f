import { type Static, Type } from "typebox";
import { CorrelationId, Instant, List, Nullable, TraceId, Uuid } from "./primitives.ts";
import { limits, TaskTypeName, waitReasons } from "./task.ts";

const closed = { additionalProperties: false } as const;

/** A JSON Schema, as a value; its own validity is checked where it is registered. */
export const JsonSchema = Type.Record(Type.String(), Type.Unknown());

const Name = Type.String({ minLength: 1, maxLength: 200, pattern: "^[A-Za-z0-9][A-Za-z0-9._:@-]*$" });

export const AgentType = Type.Object(
  {
    type: TaskTypeName,
    path: Type.String({ minLength: 1, maxLength: 500, pattern: "^/[^?#\\s]*$", description: "where it is posted to" }),
    description: Type.Optional(Type.String({ maxLength: 2_000 })),
    timeoutMs: Type.Optional(Type.Integer({ minimum: 1, maximum: limits.timeoutMs })),
    maxConcurrency: Type.Optional(
      Type.Integer({ minimum: 1, maximum: 1_000, description: "runs at once; default 10" }),
    ),
    priority: Type.Optional(
      Type.Integer({ minimum: -100, maximum: 100, description: "of several live agents the highest gets it" }),
    ),
    payloadSchema: Type.Optional(JsonSchema),
    approval: Type.Optional(Type.Literal("required")),
  },
  closed,
);
export type AgentType = Static<typeof AgentType>;

/** Sent by every agent instance every 10 s; missing for 30 s makes it stale. */
export const Heartbeat = Type.Object(
  {
    name: Name,
    instance: Name,
    url: Type.String({ maxLength: 2_000, pattern: "^https?://" }),
    types: Type.Array(AgentType, { maxItems: 200 }),
  },
  closed,
);
export type Heartbeat = Static<typeof Heartbeat>;

export const Agent = Type.Object(
  {
    name: Type.String(),
    instance: Type.String(),
    url: Type.String(),
    types: Type.Array(AgentType),
    lastSeenAt: Instant,
    state: Type.Enum(["live", "stale"]),
    running: Type.Integer({ minimum: 0 }),
  },
  closed,
);
export type Agent = Static<typeof Agent>;
export const AgentList = List(Agent);

export const TaskType = Type.Object(
  {
    type: TaskTypeName,
    description: Nullable(Type.String()),
    payloadSchema: Nullable(JsonSchema),
    timeoutMs: Nullable(Type.Integer()),
    agents: Type.Array(Type.String()),
    live: Type.Boolean(),
  },
  closed,
);
export type TaskType = Static<typeof TaskType>;
export const TaskTypeList = List(TaskType);

/** What the orchestrator posts to an agent. */
export const RunRequest = Type.Object(
  {
    taskId: Uuid,
    type: TaskTypeName,
    payload: Type.Unknown(),
    attempt: Type.Integer({ minimum: 1 }),
    traceId: TraceId,
    correlationId: Nullable(CorrelationId),
    deadline: Instant,
    input: Type.Optional(Type.Unknown({ description: "what a person answered after `waiting` for input" })),
  },
  closed,
);
export type RunRequest = Static<typeof RunRequest>;

/** An agent's 200: the end of the task, or a wait for a person. */
export const RunAnswer = Type.Union([
  Type.Object({ result: Type.Unknown() }, closed),
  Type.Object(
    {
      waiting: Type.Object(
        { for: Type.Enum([...waitReasons]), prompt: Type.Optional(Type.String({ maxLength: 10_000 })) },
        closed,
      ),
    },
    closed,
  ),
]);
export type RunAnswer = Static<typeof RunAnswer>;

export const ProgressReport = Type.Object(
  {
    attempt: Type.Integer({ minimum: 1 }),
    message: Type.String({ minLength: 1, maxLength: 2_000 }),
    percent: Type.Optional(Type.Number({ minimum: 0, maximum: 100 })),
    agentName: Type.Optional(Type.String({ minLength: 1, maxLength: 200 })),
  },
  closed,
);
export type ProgressReport = Static<typeof ProgressReport>;
