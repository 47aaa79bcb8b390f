import { LogFilter, LogList, LogQuery, Log as LogSchema } from "@signalbox/common/contracts/log.ts";
import { Uuid } from "@signalbox/common/contracts/primitives.ts";
import { decodeCursor, encodeCursor } from "@signalbox/common/cursor.ts";
import { invalidRequest, notFound, unavailable } from "@signalbox/common/errors.ts";
import { defineRoute } from "@signalbox/common/route.ts";
import { sqlState } from "@signalbox/common/sql-state.ts";
import { Type } from "typebox";
import type { Context } from "../context.ts";
import { dayMs } from "../record.ts";
import { chooseBucketSeconds, LogStats } from "../stats.ts";

const defaultLimit = 100;

export const listLogs = ({ store }: Context) =>
  defineRoute({
    method: "GET",
    path: "/logs",
    auth: "any",
    summary: "Records newest first; `q` is looked for in every record of the time range, so give it one",
    query: LogQuery,
    replies: { 200: LogList },
    maxInFlight: 50,
    async handle({ query: { cursor, limit = defaultLimit, ...filter } }) {
      const [at, id] = cursor === undefined ? [] : decodeCursor(cursor, ["instant", "uuid"]);
      const below = at === undefined || id === undefined ? null : { at, id };
      const { items, hasMore } = await store.listLogs({ filter, limit, below }).catch(sayWhatToNarrow);
      const last = items.at(-1);
      return { status: 200, body: { items, nextCursor: hasMore && last ? encodeCursor([last.at, last.id]) : null } };
    },
  });

export const getLog = ({ store }: Context) =>
  defineRoute({
    method: "GET",
    path: "/logs/:id",
    auth: "any",
    summary: "One record",
    params: Type.Object({ id: Uuid }, { additionalProperties: false }),
    replies: { 200: LogSchema },
    async handle({ params }) {
      const log = await store.findLog(params.id.toLowerCase());
      if (!log) throw notFound("log record", params.id);
      return { status: 200, body: log };
    },
  });

export const getLogStats = ({ store }: Context) =>
  defineRoute({
    method: "GET",
    path: "/logs/stats",
    auth: "any",
    summary: "Rows and bytes by day and service, and a histogram by time and level; by default of the last 24 hours",
    query: LogFilter,
    replies: { 200: LogStats },
    maxInFlight: 4,
    async handle({ query }) {
      const untilMs = query.until === undefined ? Date.now() : Date.parse(query.until);
      const sinceMs = query.since === undefined ? untilMs - dayMs : Date.parse(query.since);
      if (sinceMs > untilMs) throw invalidRequest("/since", "is after until");
      const bucketSeconds = chooseBucketSeconds(sinceMs, untilMs);
      const range = { since: new Date(sinceMs).toISOString(), until: new Date(untilMs).toISOString(), bucketSeconds };
      const { days, buckets } = await store.countLogs(range, query).catch(sayWhatToNarrow);
      const rows = days.reduce((sum, day) => sum + day.rows, 0);
      const bytes = days.reduce((sum, day) => sum + day.bytes, 0);
      return { status: 200, body: { ...range, rows, bytes, days, buckets } };
    },
  });

const queryCanceled = "57014";

function sayWhatToNarrow(error: unknown): never {
  if (sqlState(error) !== queryCanceled) throw error;
  throw unavailable(
    "The search took longer than 5 s and was stopped: narrow the time range with since and until, or filter by service, traceId or taskId.",
    1,
    error,
  );
}
