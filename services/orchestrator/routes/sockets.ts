/** The WebSocket side of the live stream: who may open one, and how frames go out on it. */
import { type IncomingMessage, STATUS_CODES } from "node:http";
import type { Duplex } from "node:stream";
import { admit } from "@signalbox/common/admit.ts";
import type { Credentials } from "@signalbox/common/auth.ts";
import { StreamQuery } from "@signalbox/common/contracts/frame.ts";
import { isAllowedOrigin } from "@signalbox/common/cors.ts";
import { parseStreamCursor } from "@signalbox/common/cursor.ts";
import { ApiError, notFound, toApiError, unavailable } from "@signalbox/common/errors.ts";
import type { Log } from "@signalbox/common/log.ts";
import { compileParameters, parseQuery } from "@signalbox/common/query.ts";
import { type WebSocket, WebSocketServer } from "ws";
import type { Streams } from "../loops/streams.ts";
import type { Sink } from "../loops/subscriber.ts";
import { maxClients, toStreamFilter } from "../stream-filter.ts";

const maxInboundBytes = 65_536;
const pingMs = 15_000;

export type Sockets = {
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void;
  /** Tells every client to come back later; resolves when all are gone, or were cut after the time given. */
  close(graceMs: number): Promise<void>;
};

export type SocketOptions = { streams: Streams; credentials: Credentials; allowedOrigins: readonly string[]; log: Log };

export function buildSockets(options: SocketOptions): Sockets {
  // Frames are small and many: compressing each costs more than it saves.
  const server = new WebSocketServer({
    noServer: true,
    perMessageDeflate: false,
    maxPayload: maxInboundBytes,
    clientTracking: true,
  });

  function serve(socket: WebSocket, wire: Duplex, query: StreamQuery, lastEventId: string | null): void {
    const end = new AbortController();
    socket.on("close", () => end.abort());
    socket.on("error", (error) => options.log.debug({ err: error }, "a live client's connection failed"));
    watchPulse(socket, end.signal);
    const since = query.since ?? lastEventId;
    const sink = buildSink(socket, wire);
    options.streams.open({ filter: toStreamFilter(query), since, sink, signal: end.signal }).catch((error: unknown) => {
      options.log.error({ err: error }, "a live stream could not be opened");
      socket.close(1011);
    });
  }

  return {
    upgrade(request, socket, head) {
      socket.on("error", () => socket.destroy());
      try {
        const query = judgeUpgrade(request, options);
        const last = request.headers["last-event-id"];
        const lastEventId = typeof last === "string" && last !== "" ? last : null;
        if (lastEventId !== null) parseStreamCursor(lastEventId);
        server.handleUpgrade(request, socket, head, (ws) => serve(ws, socket, query, lastEventId));
      } catch (error) {
        refuse(socket, toApiError(error));
      }
    },
    async close(graceMs) {
      const gone = [...server.clients].map((client) => new Promise((resolve) => client.once("close", resolve)));
      for (const client of server.clients)
        client.close(1001, "the orchestrator is stopping; reconnect with your cursor");
      const timer = setTimeout(() => {
        for (const client of server.clients) client.terminate();
      }, graceMs);
      await Promise.all(gone);
      clearTimeout(timer);
    },
  };
}

const readQuery = compileParameters(StreamQuery, "query parameter");

/** What the client asks for, if it may. @throws ApiError with which the handshake is refused */
function judgeUpgrade(request: IncomingMessage, { streams, credentials, allowedOrigins }: SocketOptions): StreamQuery {
  const [path = "", search = ""] = splitUrl(request.url ?? "");
  if (path !== "/ws") throw notFound("WebSocket", path);
  const given = parseQuery(search);
  admit(request, { rule: "any", credentials, allowedOrigins, queryAuth: given.get("auth") ?? null });
  const { origin } = request.headers;
  if (origin !== undefined && !isAllowedOrigin(origin, allowedOrigins)) {
    throw new ApiError("forbidden", "This page's origin is not in WS_ALLOWED_ORIGINS.");
  }
  const query = readQuery(given) as StreamQuery;
  if (query.since !== undefined) parseStreamCursor(query.since);
  if (streams.count() >= maxClients) throw unavailable("Too many live streams are open here; try again shortly.", 5);
  return query;
}

function splitUrl(url: string): [string, string] {
  const at = url.indexOf("?");
  return at === -1 ? [url, ""] : [url.slice(0, at), url.slice(at + 1)];
}

/** Frames of one turn of the event loop leave in one write. */
function buildSink(socket: WebSocket, wire: Duplex): Sink {
  let isCorked = false;
  return {
    send(text) {
      if (socket.readyState !== socket.OPEN) return;
      if (!isCorked) {
        isCorked = true;
        wire.cork();
        setImmediate(() => {
          isCorked = false;
          wire.uncork();
        });
      }
      socket.send(text);
    },
    pendingBytes: () => socket.bufferedAmount,
    close: () => socket.close(1013, "too slow; reconnect with your cursor"),
  };
}

/** A peer that vanished without a word answers no ping, and is let go at the second. */
function watchPulse(socket: WebSocket, signal: AbortSignal): void {
  let isAlive = true;
  socket.on("pong", () => {
    isAlive = true;
  });
  const timer = setInterval(() => {
    if (!isAlive) return socket.terminate();
    isAlive = false;
    socket.ping();
  }, pingMs);
  signal.addEventListener("abort", () => clearInterval(timer), { once: true });
}

function refuse(socket: Duplex, error: ApiError): void {
  const body = JSON.stringify({
    error: { code: error.code, message: error.message, ...(error.details && { details: error.details }) },
  });
  const headers = Object.entries({
    "content-type": "application/json; charset=utf-8",
    "content-length": String(Buffer.byteLength(body)),
    connection: "close",
    ...error.headers,
  });
  socket.end(
    [
      `HTTP/1.1 ${error.status} ${STATUS_CODES[error.status]}`,
      ...headers.map(([name, value]) => `${name}: ${value}`),
      "",
      body,
    ].join("\r\n"),
  );
}
