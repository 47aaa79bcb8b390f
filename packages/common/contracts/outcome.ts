import { type Static, Type } from "typebox";
import { Cursor, Instant, List, Nullable, Uuid } from "./primitives.ts";

const Count = Type.Integer({ minimum: 0 });
const Rate = Type.Number({ minimum: 0, maximum: 1 });
const closed = { additionalProperties: false } as const;

/** Snake case, because the observers that send it were there before; keys that are not named here are kept inside `extra`. */
export const OutcomeInput = Type.Object(
  {
    id: Type.Optional({ ...Uuid, description: "the same id again is stored once; default: made of the whole content" }),
    at: Type.Optional({ ...Instant, description: "default now" }),
    source: Type.String({ minLength: 1, maxLength: 100 }),
    cycle_id: Type.String({ minLength: 1, maxLength: 200 }),
    sig_hash: Type.String({ minLength: 1, maxLength: 200, description: "what was tried: equal for equal attempts" }),
    event_kind: Type.String({ minLength: 1, maxLength: 100 }),
    ok: Type.Boolean(),
    staffer_id: Type.Optional(Nullable(Type.String({ maxLength: 200 }))),
    turns: Type.Optional(Nullable(Type.Number({ minimum: 0, maximum: 2_147_483_647 }))),
    duration_ms: Type.Optional(Nullable(Type.Number({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER }))),
    extra: Type.Optional(Nullable(Type.Record(Type.String(), Type.Unknown()))),
  },
  { additionalProperties: true, $id: "OutcomeInput" },
);
export type OutcomeInput = Static<typeof OutcomeInput>;

/** What became of one attempt at something: of an observer's cycle, or of a task. */
export const Outcome = Type.Object(
  {
    id: Uuid,
    at: Instant,
    source: Type.String(),
    cycle_id: Type.String(),
    sig_hash: Type.String(),
    event_kind: Type.String(),
    ok: Type.Boolean(),
    staffer_id: Nullable(Type.String()),
    turns: Nullable(Count),
    duration_ms: Nullable(Count),
    extra: Type.Record(Type.String(), Type.Unknown()),
  },
  { ...closed, $id: "Outcome" },
);
export type Outcome = Static<typeof Outcome>;

const filters = {
  source: Type.Optional(Type.String({ minLength: 1, maxLength: 100 })),
  sig_hash: Type.Optional(Type.String({ minLength: 1, maxLength: 200 })),
  event_kind: Type.Optional(Type.String({ minLength: 1, maxLength: 100 })),
  ok: Type.Optional(Type.Boolean()),
  since: Type.Optional(Instant),
  until: Type.Optional(Instant),
};

export const OutcomeFilter = Type.Object(filters, closed);
export type OutcomeFilter = Static<typeof OutcomeFilter>;

const paging = {
  limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 1000, description: "default 100" })),
  cursor: Type.Optional(Cursor),
};

export const OutcomeQuery = Type.Object({ ...filters, ...paging }, closed);
export type OutcomeQuery = Static<typeof OutcomeQuery>;

export const OutcomeList = List(Outcome);
export type OutcomeList = Static<typeof OutcomeList>;

/** All outcomes of one signature together. */
export const Signature = Type.Object(
  {
    sig_hash: Type.String(),
    count: Count,
    success_rate: Rate,
    trend: Nullable(
      Type.Number({
        minimum: -1,
        maximum: 1,
        description: "success rate of the last ten, less that of the ten before; null without any before",
      }),
    ),
    recent: Type.Array(Type.Boolean(), { description: "ok of the last ten, the newest first" }),
    first_at: Instant,
    last: Outcome,
  },
  closed,
);
export type Signature = Static<typeof Signature>;

export const SignatureList = List(Signature);
export type SignatureList = Static<typeof SignatureList>;
