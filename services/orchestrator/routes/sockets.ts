/** The WebSocket side of the live stream: who may open one, and how frames go out on it. */
import { type IncomingMessage, STATUS_CODES } from "node:http";
import type { Duplex } from "node:stream";
import { admit } from "@signalbox/common/admit.ts";
import type { Credentials } from "@signalbox/common/auth.ts";
import { StreamQuery } from "@signalbox/common/contracts/frame.ts";
import { parseStreamCursor } from "@signalbox/common/cursor.ts";
import { ApiError, notFound, toApiError, unavailable } from "@signalbox/common/errors.ts";
import type { Log } from "@signalbox/common/log.ts";
import { compileParameters, parseQuery } from "@signalbox/common/query.ts";
import { type WebSocket, WebSocketServer } from "ws";
import type { FamilyView, Streams } from "../loops/streams.ts";
import type { Sink } from "../loops/subscriber.ts";
import { buildJoiner, toWebSocketMessage } from "../outgoing.ts";
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

  const shared = { atTurnEnd: buildTurnEnd(), join: buildJoiner() };
  // Else ws would answer in words of its own.
  server.on("wsClientError", (error, socket) => refuse(socket, noHandshake(error)));

  function serve(socket: WebSocket, wire: Duplex, { query, lastEventId, family }: Wanted): void {
    const end = new AbortController();
    socket.on("close", () => end.abort());
    socket.on("error", (error) => options.log.debug({ err: error }, "a live client's connection failed"));
    watchPulse(socket, end.signal);
    const since = lastEventId ?? query.since ?? null;
    const sink = buildSink(socket, wire, shared);
    const filter = toStreamFilter(query);
    options.streams.open({ filter, family, since, sink, signal: end.signal }).catch((error: unknown) => {
      options.log.error({ err: error }, "a live stream could not be opened");
      socket.close(1011);
    });
  }

  return {
    upgrade(request, socket, head) {
      socket.on("error", () => socket.destroy());
      judgeUpgrade(request, options)
        .then((wanted) => server.handleUpgrade(request, socket, head, (ws) => serve(ws, socket, wanted)))
        .catch((error: unknown) => refuse(socket, toApiError(error)));
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

const taskStreamPath = /^\/tasks\/([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\/stream$/i;

type Wanted = { query: StreamQuery; lastEventId: string | null; family: FamilyView | null };

/** What the client asks for, if it may. @throws ApiError with which the handshake is refused */
async function judgeUpgrade(request: IncomingMessage, options: SocketOptions): Promise<Wanted> {
  const { streams, credentials, allowedOrigins } = options;
  const [path = "", search = ""] = splitUrl(request.url ?? "");
  const root = taskStreamPath.exec(path)?.[1];
  if (path !== "/ws" && root === undefined) throw notFound("WebSocket", path);
  const given = parseQuery(search);
  admit(request, { rule: "any", credentials, allowedOrigins, queryAuth: given.get("auth") ?? null, isStream: true });
  const query = readQuery(given) as StreamQuery;
  const last = request.headers["last-event-id"];
  const lastEventId = typeof last === "string" && last !== "" ? last : null;
  for (const cursor of [query.since, lastEventId]) if (cursor) parseStreamCursor(cursor);
  const family = root === undefined ? null : await findFamily(streams, root);
  // Last, because nothing may come between this and the opening: a crowd would pass together.
  if (streams.count() >= maxClients) throw unavailable("Too many live streams are open here; try again shortly.", 5);
  return { query, lastEventId, family };
}

async function findFamily(streams: Streams, root: string): Promise<FamilyView> {
  const family = await streams.findFamily(root);
  if (family === null) throw notFound("task", root);
  return family;
}

function splitUrl(url: string): [string, string] {
  const at = url.indexOf("?");
  return at === -1 ? [url, ""] : [url.slice(0, at), url.slice(at + 1)];
}

/** Called once at the end of each turn of the event loop in which something was sent. */
type Flush = () => void;

function buildTurnEnd(): (flush: Flush) => void {
  let waiting: Flush[] = [];
  return (flush) => {
    if (waiting.push(flush) > 1) return;
    setImmediate(() => {
      const flushes = waiting;
      waiting = [];
      for (const one of flushes) one();
    });
  };
}

type Shared = { atTurnEnd: (flush: Flush) => void; join: ReturnType<typeof buildJoiner> };

/**
 * Frames of one turn of the event loop leave in one write, whose bytes all clients share that get the same. They go past ws,
 * which would copy and frame them anew for every client; they stand between its own frames, never inside one.
 */
function buildSink(socket: WebSocket, wire: Duplex, { atTurnEnd, join }: Shared): Sink {
  // Nearly always there is one frame in a turn, and then there is no list to make.
  let first: Buffer | null = null;
  let more: Buffer[] = [];
  let bytes = 0;

  function flush(): void {
    if (first === null) return;
    if (socket.readyState === socket.OPEN) wire.write(more.length === 0 ? first : join([first, ...more]));
    first = null;
    if (more.length > 0) more = [];
    bytes = 0;
  }

  return {
    send(frame) {
      const message = toWebSocketMessage(frame);
      bytes += message.length;
      if (first !== null) return void more.push(message);
      first = message;
      atTurnEnd(flush);
    },
    // All that goes out passes the wire; what ws itself holds back is a ping or a close.
    pendingBytes: () => bytes + wire.writableLength,
    close: (reason) => {
      flush();
      if (reason === "ended") socket.close(1000, "the task has ended");
      else socket.close(1013, "too slow; reconnect with your cursor");
    },
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

/** The version is what RFC 6455, 4.4 has told to who asks for another. */
function noHandshake(error: Error): ApiError {
  const headers = { "sec-websocket-version": "13" };
  return new ApiError("invalid_request", `This is no handshake of a WebSocket: ${error.message}.`, { headers });
}

/** The connection goes as soon as that is written: a peer that keeps its own side open would hold it for ever. */
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
  socket.once("finish", () => socket.destroy());
  socket.end(
    [
      `HTTP/1.1 ${error.status} ${STATUS_CODES[error.status]}`,
      ...headers.map(([name, value]) => `${name}: ${value}`),
      "",
      body,
    ].join("\r\n"),
  );
}
