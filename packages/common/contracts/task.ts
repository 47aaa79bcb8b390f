import { type Static, Type } from "typebox";
import { TaskEvent } from "./event.ts";
import { CommaList, CorrelationId, Cursor, Instant, List, Nullable, TraceId, Uuid } from "./primitives.ts";

export const taskStatuses = ["queued", "running", "waiting", "completed", "failed", "canceled"] as const;
export type TaskStatus = (typeof taskStatuses)[number];
export const endedStatuses = ["completed", "failed", "canceled"] as const satisfies readonly TaskStatus[];

export const waitReasons = ["approval", "input"] as const;
export type WaitReason = (typeof waitReasons)[number];

const closed = { additionalProperties: false } as const;

/** A task type's name: dotted lower-case words such as `render.deploy`. */
export const TaskTypeName = Type.String({
  minLength: 1,
  maxLength: 100,
  pattern: "^[A-Za-z0-9][A-Za-z0-9._-]*$",
  description: "Task type, such as `render.deploy`",
});

export const TaskError = Type.Object(
  {
    code: Type.String({ minLength: 1, maxLength: 100 }),
    message: Type.String({ maxLength: 10_000 }),
    retryable: Type.Optional(Type.Boolean()),
    details: Type.Optional(Type.Unknown()),
  },
  closed,
);
export type TaskError = Static<typeof TaskError>;

export const Approval = Type.Object(
  {
    reason: Nullable(Type.String()),
    prompt: Nullable(Type.String()),
    requestedBy: Nullable(Type.String()),
    expiresAt: Nullable(Instant),
    decidedBy: Nullable(Type.String()),
    decidedAt: Nullable(Instant),
  },
  closed,
);
export type Approval = Static<typeof Approval>;

export const Progress = Type.Object(
  {
    message: Type.String(),
    percent: Nullable(Type.Number({ minimum: 0, maximum: 100 })),
    agentName: Nullable(Type.String()),
    at: Instant,
  },
  closed,
);
export type Progress = Static<typeof Progress>;

/** Why a queued or waiting task does not run at this moment. */
export const Why = Type.Object(
  {
    reason: Type.Enum(["run_at", "behind_key", "no_agent", "agents_busy", "circuit_open", "approval", "input", "next"]),
    detail: Nullable(Type.String({ description: "for `behind_key` the id of the task ahead" })),
  },
  closed,
);
export type Why = Static<typeof Why>;

const taskFields = {
  id: Uuid,
  type: TaskTypeName,
  source: Type.String(),
  status: Type.Enum([...taskStatuses]),
  version: Type.Integer({ minimum: 1, description: "grows by one with every change" }),
  payload: Type.Unknown(),
  result: Type.Unknown(),
  error: Nullable(TaskError),
  correlationId: Nullable(CorrelationId),
  traceId: TraceId,
  priority: Type.Integer({ minimum: -100, maximum: 100, description: "higher first" }),
  attempt: Type.Integer({ minimum: 0, description: "the attempt that runs or ran last; 0 before the first" }),
  maxAttempts: Type.Integer({ minimum: 1 }),
  runAt: Instant,
  timeoutMs: Type.Integer({ minimum: 1 }),
  concurrencyKey: Nullable(Type.String()),
  parentId: Nullable(Uuid),
  agent: Nullable(Type.String({ description: "name of the agent that runs or ran it last" })),
  userKey: Nullable(Type.String()),
  waitingFor: Nullable(Type.Enum([...waitReasons])),
  approval: Nullable(Approval),
  progress: Nullable(Progress),
  createdAt: Instant,
  updatedAt: Instant,
  startedAt: Nullable(Instant),
  finishedAt: Nullable(Instant),
};

export const Task = Type.Object(taskFields, { ...closed, $id: "Task" });
export type Task = Static<typeof Task>;

export const TaskWithEvents = Type.Object(
  { ...taskFields, events: Type.Array(TaskEvent), why: Type.Optional(Why) },
  closed,
);
export type TaskWithEvents = Static<typeof TaskWithEvents>;

export const TaskList = List(Task);
export type TaskList = Static<typeof TaskList>;

export const limits = { priority: 100, maxAttempts: 25, timeoutMs: 86_400_000 } as const;

const Priority = Type.Integer({ minimum: -limits.priority, maximum: limits.priority });
const Key = Type.String({ minLength: 1, maxLength: 500 });

export const CreateTask = Type.Object(
  {
    type: TaskTypeName,
    payload: Type.Optional(Type.Unknown({ description: "any JSON; default {}" })),
    source: Type.Optional(Type.String({ minLength: 1, maxLength: 200, description: "where the signal came from" })),
    correlationId: Type.Optional(CorrelationId),
    traceId: Type.Optional(TraceId),
    priority: Type.Optional(Priority),
    runAt: Type.Optional(Instant),
    maxAttempts: Type.Optional(Type.Integer({ minimum: 1, maximum: limits.maxAttempts, description: "default 3" })),
    timeoutMs: Type.Optional(Type.Integer({ minimum: 1, maximum: limits.timeoutMs, description: "default 30000" })),
    concurrencyKey: Type.Optional(Key),
    userKey: Type.Optional(Key),
    parentId: Type.Optional(Uuid),
    approval: Type.Optional(
      Type.Object(
        {
          required: Type.Boolean(),
          reason: Type.Optional(Type.String({ maxLength: 2_000 })),
          expiresInSeconds: Type.Optional(Type.Integer({ minimum: 1, maximum: 31_536_000 })),
        },
        closed,
      ),
    ),
  },
  closed,
);
export type CreateTask = Static<typeof CreateTask>;

export const PatchTask = Type.Object(
  {
    ifVersion: Type.Optional(Type.Integer({ minimum: 1 })),
    attempt: Type.Optional(Type.Integer({ minimum: 1, description: "for agents, in place of ifVersion" })),
    status: Type.Optional(Type.Enum([...taskStatuses])),
    waitingFor: Type.Optional(Nullable(Type.Enum([...waitReasons]))),
    payload: Type.Optional(Type.Unknown()),
    result: Type.Optional(Type.Unknown()),
    error: Type.Optional(Nullable(TaskError)),
    correlationId: Type.Optional(Nullable(CorrelationId)),
    priority: Type.Optional(Priority),
    runAt: Type.Optional(Instant),
    reason: Type.Optional(Type.String({ maxLength: 2_000 })),
  },
  closed,
);
export type PatchTask = Static<typeof PatchTask>;

export const TaskQuery = Type.Object(
  {
    status: Type.Optional(CommaList(taskStatuses, "one status or several, comma separated")),
    waitingFor: Type.Optional(Type.Enum([...waitReasons])),
    type: Type.Optional(Type.String({ minLength: 1, maxLength: 100 })),
    userKey: Type.Optional(Type.String({ minLength: 1, maxLength: 500 })),
    source: Type.Optional(Type.String({ minLength: 1, maxLength: 200 })),
    correlationId: Type.Optional(CorrelationId),
    traceId: Type.Optional(TraceId),
    parentId: Type.Optional(Uuid),
    concurrencyKey: Type.Optional(Type.String({ minLength: 1, maxLength: 500 })),
    since: Type.Optional(Instant),
    until: Type.Optional(Instant),
    q: Type.Optional(
      Type.String({ minLength: 1, maxLength: 200, description: "text in type, source, payload or error" }),
    ),
    limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 200, description: "default 50" })),
    cursor: Type.Optional(Cursor),
  },
  closed,
);
export type TaskQuery = Static<typeof TaskQuery>;
