import { type Static, Type } from "typebox";
import { CorrelationId, Cursor, Instant, List, Nullable, TraceId, Uuid } from "./primitives.ts";

export const logLevels = ["trace", "debug", "info", "warn", "error", "fatal"] as const;
export type LogLevel = (typeof logLevels)[number];

/** One stored log record. */
export const Log = Type.Object(
  {
    id: Uuid,
    at: Instant,
    level: Type.Enum([...logLevels]),
    service: Type.String(),
    message: Type.String(),
    traceId: Nullable(TraceId),
    correlationId: Nullable(CorrelationId),
    taskId: Nullable(Uuid),
    data: Type.Record(Type.String(), Type.Unknown()),
  },
  { additionalProperties: false, $id: "Log" },
);
export type Log = Static<typeof Log>;

/** What a sender posts. Keys that are not named here are kept inside `data`, so that no sender loses a field. */
export const LogInput = Type.Object(
  {
    id: Type.Optional(Uuid),
    at: Type.Optional(Instant),
    level: Type.Enum([...logLevels]),
    service: Type.String({ minLength: 1, maxLength: 100 }),
    message: Type.String({ maxLength: 1_048_576 }),
    traceId: Type.Optional(Nullable(TraceId)),
    correlationId: Type.Optional(Nullable(CorrelationId)),
    taskId: Type.Optional(Nullable(Uuid)),
    data: Type.Optional(Nullable(Type.Record(Type.String(), Type.Unknown()))),
  },
  { additionalProperties: true, $id: "LogInput" },
);
export type LogInput = Static<typeof LogInput>;

export const LogReceipt = Type.Object(
  {
    accepted: Type.Integer({ minimum: 0 }),
    rejected: Type.Array(
      Type.Object({ index: Type.Integer({ minimum: 0 }), message: Type.String() }, { additionalProperties: false }),
    ),
  },
  { additionalProperties: false },
);
export type LogReceipt = Static<typeof LogReceipt>;

export const LogFilter = Type.Object(
  {
    service: Type.Optional(Type.String({ minLength: 1, maxLength: 100 })),
    level: Type.Optional(Type.Enum([...logLevels], { description: "this level and above" })),
    traceId: Type.Optional(TraceId),
    correlationId: Type.Optional(CorrelationId),
    taskId: Type.Optional(Uuid),
    q: Type.Optional(Type.String({ minLength: 1, maxLength: 200, description: "text in message or data" })),
    since: Type.Optional(Instant),
    until: Type.Optional(Instant),
  },
  { additionalProperties: false },
);
export type LogFilter = Static<typeof LogFilter>;

export const LogQuery = Type.Object(
  {
    ...LogFilter.properties,
    limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 1000, description: "default 100" })),
    cursor: Type.Optional(Cursor),
  },
  { additionalProperties: false },
);
export type LogQuery = Static<typeof LogQuery>;

export const LogList = Type.Object(
  {
    ...List(Log).properties,
    searchedSince: Type.Optional(
      Nullable({
        ...Instant,
        description: "with q: how far back it was looked for in the time there was; null when through all of the range",
      }),
    ),
  },
  { additionalProperties: false },
);
export type LogList = Static<typeof LogList>;
