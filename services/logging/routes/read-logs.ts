import { LogFilter, LogList, LogQuery, Log as LogSchema } from "@signalbox/common/contracts/log.ts";
import { Uuid } from "@signalbox/common/contracts/primitives.ts";
import { decodeCursor, encodeCursor } from "@signalbox/common/cursor.ts";
import { invalidRequest, notFound, unavailable } from "@signalbox/common/errors.ts";
import { defineRoute } from "@signalbox/common/route.ts";
import { sqlState, sqlStates } from "@signalbox/common/sql-state.ts";
import { Type } from "typebox";
import type { Context } from "../context.ts";
import { dayMs } from "../record.ts";
import { chooseBucketSeconds, LogStats, type Storage } from "../stats.ts";
import type { LogPage, Place } from "../store/read-logs.ts";
import type { SearchedLogs } from "../store/search-logs.ts";

const defaultLimit = 100;

export const listLogs = ({ store }: Context) =>
  defineRoute({
    method: "GET",
    path: "/logs",
    auth: "any",
    summary:
      "Records newest first. `q` is looked for in every record of the range, for 2 s at most: `searchedSince` says how far, `nextCursor` goes on",
    query: LogQuery,
    replies: { 200: LogList },
    maxInFlight: 50,
    async handle({ query: { cursor, limit = defaultLimit, ...filter } }) {
      const [at, id] = cursor === undefined ? [] : decodeCursor(cursor, ["instant", "uuid"]);
      const page = { filter, limit, below: at === undefined || id === undefined ? null : { at, id } };
      const { items, hasMore, scannedTo } = await findPage(store, page).catch(sayWhatToNarrow);
      const nextCursor = hasMore ? toCursor(scannedTo ?? items.at(-1)) : null;
      const searched = filter.q === undefined ? {} : { searchedSince: scannedTo?.at ?? null };
      return { status: 200, body: { items, nextCursor, ...searched } };
    },
  });

/** What one id ties together is little, and is found by its index; only a text alone has to be walked for. */
async function findPage(store: Context["store"], page: LogPage): Promise<SearchedLogs> {
  const { q, traceId, correlationId, taskId } = page.filter;
  const isNarrow = [traceId, correlationId, taskId].some((wanted) => wanted !== undefined);
  if (q !== undefined && !isNarrow) return store.searchLogs(page);
  return { ...(await store.listLogs(page)), scannedTo: null };
}

function toCursor(last: Place | undefined): string | null {
  return last ? encodeCursor([last.at, last.id]) : null;
}

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

export const getLogStats = ({ store, keeping }: Context) =>
  defineRoute({
    method: "GET",
    path: "/logs/stats",
    auth: "any",
    summary:
      "Rows and bytes by day and service, a histogram by time and level (of the last 24 hours, unless told otherwise), what all of it takes on disk and what was dropped",
    query: LogFilter,
    replies: { 200: LogStats },
    maxInFlight: 4,
    async handle({ query }) {
      const untilMs = query.until === undefined ? Date.now() : Date.parse(query.until);
      const sinceMs = query.since === undefined ? untilMs - dayMs : Date.parse(query.since);
      if (sinceMs > untilMs) throw invalidRequest("/since", "is after until");
      const bucketSeconds = chooseBucketSeconds(sinceMs, untilMs);
      const range = { since: new Date(sinceMs).toISOString(), until: new Date(untilMs).toISOString(), bucketSeconds };
      const [{ days, buckets }, storage] = await Promise.all([
        store.countLogs(range, query).catch(sayWhatToNarrow),
        readStorage(store, keeping),
      ]);
      const rows = days.reduce((sum, day) => sum + day.rows, 0);
      const bytes = days.reduce((sum, day) => sum + day.bytes, 0);
      return { status: 200, body: { ...range, rows, bytes, days, buckets, storage } };
    },
  });

const dropsShown = 30;

async function readStorage(store: Context["store"], { retentionDays, maxBytes }: Context["keeping"]): Promise<Storage> {
  const [partitions, dropped, taskHistoryBytes] = await Promise.all([
    store.listPartitions(),
    store.listDrops(dropsShown),
    store.readHistoryBytes(),
  ]);
  const days = partitions.map(({ day, rowsEstimate, sizeBytes }) => ({ day, rowsEstimate, sizeBytes }));
  const bytes = days.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  return { retentionDays, maxBytes, bytes, days, dropped, taskHistoryBytes };
}

function sayWhatToNarrow(error: unknown): never {
  if (sqlState(error) !== sqlStates.queryCanceled) throw error;
  throw unavailable(
    "The search took longer than 5 s and was stopped: narrow the time range with since and until, or filter by service, traceId or taskId.",
    1,
    error,
  );
}
