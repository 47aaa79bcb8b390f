import { logLevels } from "@signalbox/common/contracts/log.ts";
import { Instant } from "@signalbox/common/contracts/primitives.ts";
import { type Static, Type } from "typebox";

const closed = { additionalProperties: false } as const;
const Count = Type.Integer({ minimum: 0 });

const DroppedDay = Type.Object(
  { day: Type.String(), rowsEstimate: Count, sizeBytes: Count, droppedAt: Instant },
  closed,
);
export type DroppedDay = Static<typeof DroppedDay>;

const Storage = Type.Object(
  {
    retentionDays: Count,
    maxBytes: Type.Integer({ minimum: 0, description: "beyond it the oldest days are dropped" }),
    bytes: Type.Integer({ minimum: 0, description: "of all log records and their indexes, on disk" }),
    days: Type.Array(Type.Object({ day: Type.String(), rowsEstimate: Count, sizeBytes: Count }, closed)),
    dropped: Type.Array(DroppedDay, { description: "what retention has dropped, the newest drop first" }),
    taskHistoryBytes: Type.Integer({
      minimum: 0,
      description: "of tasks, their events and outcomes, which are kept for ever",
    }),
  },
  closed,
);
export type Storage = Static<typeof Storage>;

export const LogStats = Type.Object(
  {
    storage: Storage,
    since: Instant,
    until: Instant,
    bucketSeconds: Type.Integer({ minimum: 1 }),
    rows: Count,
    bytes: Type.Integer({ minimum: 0, description: "of messages and data, as stored" }),
    days: Type.Array(Type.Object({ day: Type.String(), service: Type.String(), rows: Count, bytes: Count }, closed)),
    buckets: Type.Array(
      Type.Object(
        {
          at: Instant,
          rows: Count,
          levels: Type.Partial(Type.Object(Object.fromEntries(logLevels.map((level) => [level, Count])), closed)),
        },
        closed,
      ),
      { description: "empty buckets are left out" },
    ),
  },
  closed,
);
export type LogStats = Static<typeof LogStats>;

/** Round lengths that people read easily, in seconds. */
const lengths = [1, 5, 10, 30, 60, 300, 600, 1_800, 3_600, 10_800, 21_600, 86_400];
const bucketsMax = 120;

/** The shortest round bucket of which the range has at most 120. */
export function chooseBucketSeconds(sinceMs: number, untilMs: number): number {
  const seconds = (untilMs - sinceMs) / 1_000;
  return lengths.find((length) => seconds / length <= bucketsMax) ?? Math.ceil(seconds / bucketsMax / 86_400) * 86_400;
}
