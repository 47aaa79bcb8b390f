import { once } from "node:events";
import type { ServerResponse } from "node:http";
import { LogFilter, Log as LogSchema } from "@signalbox/common/contracts/log.ts";
import { Cursor } from "@signalbox/common/contracts/primitives.ts";
import { DeadlineError, withDeadline } from "@signalbox/common/drain.ts";
import { invalidRequest, unavailable } from "@signalbox/common/errors.ts";
import { defineRoute } from "@signalbox/common/route.ts";
import { rest } from "@signalbox/common/tail.ts";
import { isInstant } from "@signalbox/common/validate.ts";
import { type Static, Type } from "typebox";
import type { Context } from "../context.ts";
import type { Sink } from "../loops/stream-client.ts";

const { since: _time, ...filters } = LogFilter.properties;

const StreamQuery = Type.Object(
  {
    ...filters,
    since: Type.Optional({ ...Cursor, description: "an `id:` of this stream, as Last-Event-ID; or a time" }),
    positions: Type.Optional(
      Type.Boolean({ description: "true: where the log stands, without its records; for who may want them later" }),
    ),
    auth: Type.Optional(Type.String({ maxLength: 2_000, description: "base64 of user:pass, for browsers" })),
  },
  { additionalProperties: false },
);

export const streamLogs = ({ store, streams }: Context) =>
  defineRoute({
    method: "GET",
    path: "/logs/stream",
    auth: "any",
    summary: "New records as server-sent events; `id:` is a resume point for Last-Event-ID",
    query: StreamQuery,
    replies: { 200: LogSchema },
    replyType: "text/event-stream",
    async handle({ query, headers, signal }) {
      const { filter, after } = toStart(query, headers["last-event-id"]);
      if (streams.isFull()) throw unavailable("Too many streams are open here; try again shortly.", 5);
      await untilStarted(streams.started());
      const { hasGap, from } = await judgeStart(store, after);
      return {
        status: 200,
        headers: { "content-type": "text/event-stream; charset=utf-8", "x-accel-buffering": "no" },
        async stream(response) {
          const isSilent = query.positions === true;
          await streams.open({ filter, isSilent, after: from, hasGap, sink: toSink(response), signal });
          // Of a client that has not read for too long the rest would wait for ever.
          if (!signal.aborted && response.writableLength > 0) response.destroy();
        },
      };
    },
  });

type Start = { filter: LogFilter; after: number | null };

/** A number continues after a record; a time is a filter like the others, and starts from now. */
function toStart(
  { auth: _auth, positions: _positions, since, ...filter }: Static<typeof StreamQuery>,
  lastEventId: string | string[] | undefined,
): Start {
  const isTime = since !== undefined && isInstant(since);
  const header = typeof lastEventId === "string" && lastEventId !== "" ? lastEventId : undefined;
  const cursor = header ?? (isTime ? undefined : since);
  return {
    filter: { ...filter, ...(isTime && { since }) },
    after: cursor === undefined ? null : parsePosition(cursor, header === undefined ? "/since" : "/Last-Event-ID"),
  };
}

function parsePosition(text: string, path: string): number {
  const position = /^(?:0|[1-9][0-9]{0,15})$/.test(text) ? Number(text) : Number.NaN;
  if (Number.isSafeInteger(position)) return position;
  throw invalidRequest(path, "is not an id that this stream gave; start again without one");
}

/** Some of what came after the position may be gone; and a position from another life of the database means nothing here. */
async function judgeStart(
  store: Context["store"],
  after: number | null,
): Promise<{ hasGap: boolean; from: number | null }> {
  if (after === null) return { hasGap: false, from: null };
  const [droppedUpTo, lastDrawn] = await Promise.all([store.droppedUpTo(), store.lastDrawnSeq()]);
  if (after > lastDrawn) return { hasGap: true, from: null };
  return { hasGap: after < droppedUpTo, from: after };
}

async function untilStarted(started: Promise<void>): Promise<void> {
  await withDeadline(started, 3_000, "finding the end of the log").catch((error: unknown) => {
    throw error instanceof DeadlineError ? unavailable("PostgreSQL is away; try again shortly.", 1, error) : error;
  });
}

const nearlyDrainedBytes = 131_072;

function toSink(response: ServerResponse): Sink {
  return {
    write: (text) => void response.write(text),
    pendingBytes: () => response.writableLength,
    async drained(timeoutMs, signal) {
      if (response.writableLength > nearlyDrainedBytes && !signal.aborted) {
        const waiting = new AbortController();
        const both = AbortSignal.any([signal, waiting.signal]);
        const drain = once(response, "drain", { signal: both }).catch(() => undefined);
        await Promise.race([drain, rest(timeoutMs, both)]);
        waiting.abort();
      }
      return !signal.aborted && !response.destroyed && response.writableLength <= nearlyDrainedBytes;
    },
  };
}
