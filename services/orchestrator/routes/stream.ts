import type { IncomingHttpHeaders } from "node:http";
import { Frame, StreamQuery } from "@signalbox/common/contracts/frame.ts";
import { parseStreamCursor } from "@signalbox/common/cursor.ts";
import { ApiError, notFound, unavailable } from "@signalbox/common/errors.ts";
import { defineRoute, type Reply } from "@signalbox/common/route.ts";
import type { Context } from "../context.ts";
import type { Outgoing } from "../frame.ts";
import type { FamilyView } from "../loops/streams.ts";
import { toServerSentEvent } from "../outgoing.ts";
import { maxClients, toStreamFilter } from "../stream-filter.ts";
import { TaskId } from "./task-id.ts";

const goodbyeMs = 5_000;

const eventStream = {
  replies: { 200: Frame },
  replyType: "text/event-stream",
} as const;

/** The live stream as server-sent events: the same frames as `/ws`, `id:` is their cursor. */
export const stream = (context: Context) =>
  defineRoute({
    method: "GET",
    path: "/stream",
    auth: "any",
    summary: "Task and log frames as server-sent events; Last-Event-ID or `since` resumes",
    query: StreamQuery,
    ...eventStream,
    async handle({ query, headers, signal }) {
      return openEvents(context, { query, headers, signal, family: null });
    },
  });

/** One task and what it has made: from its first event to its end, then the stream closes. */
export const taskStream = (context: Context) =>
  defineRoute({
    method: "GET",
    path: "/tasks/:id/stream",
    auth: "any",
    summary: "Frames of one task and its children, from its first event to its end; a WebSocket on Upgrade",
    params: TaskId,
    query: StreamQuery,
    ...eventStream,
    async handle({ params, query, headers, signal }) {
      const family = await context.streams.findFamily(params.id);
      if (family === null) throw notFound("task", params.id);
      return openEvents(context, { query, headers, signal, family });
    },
  });

type Wanted = { query: StreamQuery; headers: IncomingHttpHeaders; signal: AbortSignal; family: FamilyView | null };

function openEvents({ streams }: Context, { query, headers, signal, family }: Wanted): Reply {
  const last = headers["last-event-id"];
  // A browser that comes back by itself asks for the URL that it began with, and says in the header how far it has come.
  const since = (typeof last === "string" && last !== "" ? last : query.since) ?? null;
  if (since !== null) parseStreamCursor(since);
  if (streams.count() >= maxClients) throw unavailable("Too many live streams are open here; try again shortly.", 5);
  return {
    status: 200,
    headers: { "content-type": "text/event-stream; charset=utf-8", "x-accel-buffering": "no" },
    async stream(response) {
      const end = new AbortController();
      signal.addEventListener("abort", () => end.abort(), { once: true });
      response.on("close", () => end.abort());
      const sink = {
        send: (frame: Outgoing) => void response.write(toServerSentEvent(frame)),
        pendingBytes: () => response.writableLength,
        close: () => {
          end.abort();
          // One that does not read would not read the end either, and would keep its megabyte for ever.
          setTimeout(() => response.destroy(), goodbyeMs).unref();
        },
      };
      await streams.open({ filter: toStreamFilter(query), family, since, sink, signal: end.signal });
      if (!end.signal.aborted)
        await new Promise((resolve) => end.signal.addEventListener("abort", resolve, { once: true }));
    },
  };
}

/** A plain GET where a WebSocket is spoken. */
export const socketOnly = (_context: Context) =>
  defineRoute({
    method: "GET",
    path: "/ws",
    auth: "any",
    summary: "Task and log frames over a WebSocket",
    query: StreamQuery,
    replies: { 101: Frame },
    async handle() {
      throw new ApiError(
        "upgrade_required",
        "This is a WebSocket: connect with Upgrade: websocket, or read GET /stream.",
        {
          headers: { upgrade: "websocket", connection: "upgrade" },
        },
      );
    },
  });
