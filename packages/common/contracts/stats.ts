import { type Static, Type } from "typebox";
import { Instant, Nullable } from "./primitives.ts";

const Percentiles = Type.Object({
  p50: Nullable(Type.Number()),
  p95: Nullable(Type.Number()),
  p99: Nullable(Type.Number()),
});
export type Percentiles = Static<typeof Percentiles>;

const Counts = Type.Record(Type.String(), Type.Integer());
const Rate = Type.Object({
  completed: Type.Integer(),
  failed: Type.Integer(),
  successRate: Nullable(Type.Number()),
});
export type Rate = Static<typeof Rate>;
const Rates = Type.Record(Type.String(), Rate);

/** Figures over the tasks that were created in a window. */
export const TaskStats = Type.Object({
  since: Instant,
  until: Instant,
  bucketMs: Type.Integer(),
  total: Type.Integer(),
  byStatus: Counts,
  byType: Type.Record(Type.String(), Counts),
  waitMs: Percentiles,
  runMs: Percentiles,
  success: Type.Object({ byType: Rates, byAgent: Rates }),
  buckets: Type.Array(
    Type.Object({
      at: Instant,
      created: Type.Integer(),
      completed: Type.Integer(),
      failed: Type.Integer(),
      canceled: Type.Integer(),
    }),
  ),
});
export type TaskStats = Static<typeof TaskStats>;
