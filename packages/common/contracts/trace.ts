import { type Static, Type } from "typebox";
import { TaskEvent } from "./event.ts";
import { Log } from "./log.ts";
import { Instant, Nullable, TraceId } from "./primitives.ts";
import { Task } from "./task.ts";

const closed = { additionalProperties: false } as const;

/** One call of an agent: an attempt, as its events tell it. */
export const AgentCall = Type.Object(
  {
    attempt: Type.Integer(),
    agent: Nullable(Type.String()),
    startedAt: Instant,
    endedAt: Nullable(Instant),
    durationMs: Nullable(Type.Number()),
    outcome: Type.Enum([
      "running",
      "completed",
      "failed",
      "retried",
      "expired",
      "canceled",
      "waiting",
      "ended_by_hand",
    ]),
  },
  closed,
);
export type AgentCall = Static<typeof AgentCall>;

/** A node again; JSON Schema's recursion is left out, because no client generator agrees with another about it. */
const Same = Type.Unknown({ description: "the shape of the node that holds it" });

export const TaskTree = Type.Object(
  {
    task: Task,
    children: Type.Array(Same),
    notes: Type.Optional(Type.Array(Type.String(), { description: "what is not in it, and where that is" })),
  },
  closed,
);

export type TaskTree = Static<typeof TaskTree>;

export type TaskNode = { task: Static<typeof Task>; children: TaskNode[] };

export type TraceNode = {
  task: Static<typeof Task>;
  events: TaskEvent[];
  calls: AgentCall[];
  logs: Static<typeof Log>[];
  children: TraceNode[];
};

/** One line of a trace's story; the whole of it stands in the tree under the same id. */
export const TraceEntry = Type.Object(
  {
    at: Instant,
    kind: Type.Enum(["event", "log"]),
    taskId: Nullable(Type.String()),
    id: Type.String(),
    text: Type.String({ description: "the event's kind, or service and message of the record, shortened" }),
  },
  closed,
);
export type TraceEntry = Static<typeof TraceEntry>;

/** Everything with one trace id, as one tree: tasks below their parents, each with its events, agent calls and logs. */
export type TraceTree = {
  traceId: string;
  tasks: TraceNode[];
  /** Records of the trace that belong to no task of it. */
  logs: Static<typeof Log>[];
  /** All events and records in causal order. */
  timeline: TraceEntry[];
  /** Why something is missing: the logging service was away, or there was more than is shown. */
  notes: string[];
};

export const TraceTree = Type.Object(
  {
    traceId: TraceId,
    tasks: Type.Array(
      Type.Object(
        {
          task: Task,
          events: Type.Array(TaskEvent),
          calls: Type.Array(AgentCall),
          logs: Type.Array(Log),
          children: Type.Array(Same),
        },
        closed,
      ),
    ),
    logs: Type.Array(Log),
    timeline: Type.Array(TraceEntry, { description: "all events and records, causes before effects" }),
    notes: Type.Array(Type.String()),
  },
  closed,
);
