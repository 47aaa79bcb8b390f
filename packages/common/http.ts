import { createServer, IncomingMessage, type Server, ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import type { Duplex } from "node:stream";
import express from "express";
import type { Logger } from "pino";
import type { Credentials } from "./auth.ts";
import { ClientGoneError } from "./body.ts";
import { answerClientError, answering } from "./client-error.ts";
import type { ConfigReport } from "./contracts/service.ts";
import type { Span } from "./contracts/span.ts";
import { baseHeaders, preflightHeaders } from "./cors.ts";
import { type Call, type CompiledRoute, compileRoute, dispatch, methodNotAllowed, type Service } from "./dispatch.ts";
import { trackInFlight } from "./drain.ts";
import { ApiError, invalidRequest, toApiError } from "./errors.ts";
import { harmless } from "./log.ts";
import type { Metrics } from "./metrics.ts";
import { buildOpenapi } from "./openapi.ts";
import { decodeUrlText } from "./query.ts";
import { sendError, sendJson } from "./reply.ts";
import type { Route } from "./route.ts";
import { buildRouteTable, type Found, pathOf } from "./route-table.ts";
import { noSpans, type Spans, spanClock } from "./spans.ts";
import { buildStandardRoutes, type ReadyCheck } from "./standard-routes.ts";
import { fromHeaderText, newSpanId, newTrace, parseTraceparent, type Trace, withTrace } from "./trace.ts";

export type HttpOptions = {
  service: string;
  version: string;
  routes: readonly Route[];
  credentials: Credentials;
  allowedOrigins: readonly string[];
  log: Logger;
  report: () => ConfigReport;
  metrics: Metrics;
  /** where what was asked and answered is recorded; default nowhere */
  spans?: Spans;
  /** hard dependencies, for `/ready`; must not throw for one that is merely down */
  checks?: () => Promise<ReadyCheck[]>;
  /** false makes `/health` say `degraded` */
  isHealthy?: () => boolean;
  /** requests under way at once in the whole service, 503 beyond; health and heartbeats are not counted */
  maxInFlight?: number;
};

const defaultMaxInFlight = 1_000;
const maxHeaders = 200;
const maxCorrelationId = 200;

/** By app: aborted as soon as its server begins to close, so that streams end and `/ready` says no. */
const closings = new WeakMap<express.Express, AbortController>();

/** The HTTP side of a service: its own routes and the standard ones behind one set of rules. */
export function buildHttp(options: HttpOptions): { app: express.Express; routes: Route[] } {
  const closing = new AbortController();
  const service: Service = {
    credentials: options.credentials,
    allowedOrigins: options.allowedOrigins,
    log: options.log,
    inFlight: trackInFlight(),
    maxInFlight: options.maxInFlight ?? defaultMaxInFlight,
    closing: closing.signal,
  };
  const routes = withStandardRoutes(options, closing.signal);
  const { metrics, spans = noSpans } = options;
  const find = buildRouteTable<Answer>(
    [...byPath(routes)].map(([path, byMethod]) => [path, buildAnswer({ service, metrics, spans, path, byMethod })]),
  );
  const refuse = buildAnswer({ service, metrics, spans, path: "(none)", byMethod: null });
  const app = express();
  app.disable("x-powered-by");
  app.disable("query parser");
  closings.set(app, closing);
  app.use((request, response) => {
    const call = openCall(service, request, response);
    return withTrace(call.trace, () => handle(call, find, refuse));
  });
  return { app, routes };
}

/** Finds the route of the path and lets it answer; what is refused before that is recorded under no route. */
async function handle(call: Call, find: (path: string) => Found<Answer> | null, refuse: Answer): Promise<void> {
  try {
    refuseHead(call);
    const found = find(pathOf(call.request.url ?? ""));
    if (found) return await found.value(call, found.params);
  } catch (error) {
    return await refuse(call, {}, error);
  }
  return await refuse(call, {});
}

function withStandardRoutes(options: HttpOptions, closing: AbortSignal): Route[] {
  const routes = [...options.routes];
  let document: unknown = null;
  const standard = buildStandardRoutes({
    service: options.service,
    version: options.version,
    report: options.report,
    metrics: options.metrics,
    checks: options.checks,
    isHealthy: options.isHealthy,
    isClosing: () => closing.aborted,
    openapi: () => {
      document ??= buildOpenapi(options, routes);
      return document;
    },
  });
  routes.push(...standard);
  return routes;
}

function byPath(routes: readonly Route[]): Map<string, Map<string, CompiledRoute>> {
  const paths = new Map<string, Map<string, CompiledRoute>>();
  for (const route of routes) {
    const compiled = compileRoute(route);
    for (const path of [route.path, ...(route.aliases ?? [])]) {
      const byMethod = paths.get(path) ?? new Map<string, CompiledRoute>();
      if (byMethod.has(route.method)) throw new Error(`two routes are defined for ${route.method} ${path}`);
      paths.set(path, byMethod.set(route.method, compiled));
    }
  }
  return paths;
}

function openCall(service: Service, request: IncomingMessage, response: express.Response): Call {
  answering.set(request.socket, response);
  const trace = openTrace(request);
  const headers = baseHeaders(request, service.allowedOrigins);
  headers["x-request-id"] = `${trace.traceId}-${trace.spanId}`;
  if (service.closing.aborted) headers.connection = "close";
  const exchange = { response, headers, isHead: request.method === "HEAD", traceId: trace.traceId };
  return { request, exchange, trace, startedAt: performance.now() };
}

/** Continues the caller's trace, or begins one. */
function openTrace(request: IncomingMessage): Trace {
  const parent = request.headers.traceparent;
  const known = typeof parent === "string" ? parseTraceparent(parent) : null;
  const trace: Trace = known
    ? { traceId: known.traceId, spanId: newSpanId(), parentSpanId: known.spanId, correlationId: null }
    : newTrace();
  const correlation = request.headers["x-correlation-id"];
  return typeof correlation === "string" && correlation !== ""
    ? { ...trace, correlationId: fromHeaderText(correlation) }
    : trace;
}

/** @throws ApiError for what the headers alone are refused for */
function refuseHead({ request, trace }: Call): void {
  if (request.rawHeaders.length > maxHeaders * 2) {
    throw new ApiError("headers_too_large", `A request may have at most ${maxHeaders} headers.`);
  }
  if ((trace.correlationId?.length ?? 0) > maxCorrelationId) {
    throw invalidRequest("", `has an X-Correlation-Id of more than ${maxCorrelationId} characters`);
  }
  // RFC 9112, 3.2. Node would refuse it by itself, but with an empty answer.
  if (request.headers.host === undefined && request.httpVersion === "1.1") {
    throw invalidRequest("", "has no Host header");
  }
}

type AnswerOptions = {
  service: Service;
  metrics: Metrics;
  spans: Spans;
  path: string;
  /** null when no route has the path */
  byMethod: Map<string, CompiledRoute> | null;
};

type Answer = (call: Call, params: Record<string, string>, refusal?: unknown) => Promise<void>;

/** Answers every request of one path, whatever happens on the way, and records it once. */
function buildAnswer({ service, metrics, spans, path, byMethod }: AnswerOptions): Answer {
  const methods = byMethod ? allowed([...byMethod.keys()]) : null;
  async function answer(call: Call, params: Record<string, string>): Promise<number> {
    const method = call.request.method ?? "";
    if (method === "OPTIONS") return sendPreflight(call, methods);
    const route = routeOf(byMethod, method);
    if (route) return await dispatch(service, route, call, params);
    throw methods === null ? noSuchPath(call) : methodNotAllowed(methods);
  }
  return async (call, params, refusal) => {
    const answered = refusal ? Promise.reject(refusal) : answer(call, params);
    const status = await answered.catch((error: unknown) => answerError(service, call, error));
    const seconds = (performance.now() - call.startedAt) / 1000;
    const { method = "" } = call.request;
    const route = routeOf(byMethod, method);
    metrics.observeRequest({ method, route: path, status }, seconds);
    if (spans !== noSpans && route?.untraced !== true) spans.record(toSpan(call, path, status));
    const level = levelOf(method, status, route?.quiet === true);
    if (!service.log.isLevelEnabled(level)) return;
    const data = { method, route: path, status, durationMs: Math.round(seconds * 10_000) / 10 };
    service.log[level](harmless(data), `${method} ${path} ${status}`);
  };
}

/** By route pattern, as the metrics: the path itself may hold secrets. */
function toSpan({ request, trace, startedAt }: Call, path: string, status: number): Span {
  const { method = "" } = request;
  const endMs = spanClock();
  return {
    traceId: trace.traceId,
    spanId: trace.spanId,
    parentSpanId: trace.parentSpanId ?? null,
    name: `${method} ${path}`,
    kind: "server",
    startMs: endMs - (performance.now() - startedAt),
    endMs,
    attributes: { "http.request.method": method, "http.route": path, "http.response.status_code": status },
    error: status >= 500 ? `answered ${status}` : null,
  };
}

function routeOf(byMethod: Map<string, CompiledRoute> | null, method: string): CompiledRoute | undefined {
  return byMethod?.get(method === "HEAD" ? "GET" : method);
}

/** Reading is routine; what changes something is worth a line. The path itself is never logged: it may hold secrets. */
function levelOf(method: string, status: number, isQuiet: boolean): "debug" | "info" | "warn" {
  if (status >= 500) return "warn";
  return isQuiet || method === "GET" || method === "HEAD" || method === "OPTIONS" ? "debug" : "info";
}

function allowed(methods: string[]): string {
  const all = methods.includes("GET") ? [...methods, "HEAD"] : methods;
  return [...all, "OPTIONS"].sort().join(", ");
}

function sendPreflight(call: Call, allow: string | null): number {
  sendJson(call.exchange, { status: 204, headers: preflightHeaders(allow) });
  return 204;
}

function noSuchPath({ request }: Call): ApiError {
  decodeUrlText(pathOf(request.url ?? ""));
  return new ApiError("not_found", "There is nothing at this path; GET /openapi.json lists what there is.");
}

/** nginx's number for "the client closed the connection"; it is only ever logged and counted. */
const clientClosed = 499;

function answerError(service: Service, call: Call, error: unknown): number {
  const { response } = call.exchange;
  if (error instanceof ClientGoneError || (response.destroyed && !response.writableEnded)) {
    response.destroy();
    return clientClosed;
  }
  const answer = toApiError(error);
  if (answer.cause !== undefined) {
    const level = answer.code === "internal" ? "error" : "warn";
    service.log[level]({ err: answer.cause, code: answer.code }, "a request failed");
  }
  // Half an answer cannot be taken back; cutting the connection is the only way to say that it is not whole.
  if (response.headersSent) response.destroy();
  else sendError(call.exchange, answer);
  return answer.status;
}

export type Listening = {
  server: Server;
  port: number;
  /** Takes no more connections, waits for answers under way, then cuts what is left. */
  close(graceMs?: number): Promise<void>;
};

export type ListenOptions = {
  /** 0: the system picks one */
  port: number;
  host: string;
  onUpgrade?: (request: IncomingMessage, socket: Duplex, head: Buffer) => void;
  /** for tests of the time-outs themselves */
  timeouts?: { headersMs: number; requestMs: number };
};

const defaultTimeouts = { headersMs: 10_000, requestMs: 30_000 };

/** Longer than the pools that call us keep a connection, so that the side that closes an idle one is theirs. */
const keepAliveMs = 75_000;
const closeGraceMs = 20_000;

export async function listen(app: express.Express, options: ListenOptions): Promise<Listening> {
  const timeouts = options.timeouts ?? defaultTimeouts;
  const server = createServer(
    {
      ...buildClasses(app),
      maxHeaderSize: 16_384,
      headersTimeout: timeouts.headersMs,
      requestTimeout: timeouts.requestMs,
      connectionsCheckingInterval: Math.min(1_000, timeouts.headersMs),
      keepAliveTimeout: keepAliveMs,
      requireHostHeader: false, // checked by us, so that the refusal has a body
      noDelay: true,
    },
    app,
  );
  server.maxHeadersCount = 0; // no silent dropping: the count is checked by us
  server.on("clientError", answerClientError);
  // RFC 9110, 10.1.1 lets a server ignore an expectation; Node would answer 417 without a body.
  server.on("checkExpectation", app);
  if (options.onUpgrade) {
    server.on("upgrade", options.onUpgrade);
    Object.assign(server, { shouldUpgradeCallback: isWebSocket });
  }
  const sockets = trackSockets(server);
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(options.port, options.host, () => {
      server.removeListener("error", reject);
      resolve();
    });
  });
  const { port } = server.address() as AddressInfo;
  return { server, port, close: (graceMs = closeGraceMs) => close(app, server, { sockets, graceMs }) };
}

/** What else asks for an upgrade (curl and Java for HTTP/2) is answered as if it had not (RFC 9110, 7.8). */
function isWebSocket({ headers }: IncomingMessage): boolean {
  return headers.upgrade?.toLowerCase() === "websocket";
}

/**
 * What a server makes of each request. Express gives every request and answer its own prototype when it gets them, and V8 then
 * forgets what it knew of their shape, which slows down all that is done with them. These have that prototype from the
 * beginning, so that nothing is changed.
 */
function buildClasses(app: express.Express) {
  class Incoming extends IncomingMessage {}
  class Outgoing extends ServerResponse {}
  Object.setPrototypeOf(Incoming.prototype, app.request);
  Object.setPrototypeOf(Outgoing.prototype, app.response);
  Object.assign(app, { request: Incoming.prototype, response: Outgoing.prototype });
  return { IncomingMessage: Incoming, ServerResponse: Outgoing };
}

/** Node forgets a socket once it is upgraded; at the end those must go too. */
function trackSockets(server: Server): Set<Socket> {
  const sockets = new Set<Socket>();
  server.on("connection", (socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
  });
  return sockets;
}

async function close(
  app: express.Express,
  server: Server,
  { sockets, graceMs }: { sockets: Set<Socket>; graceMs: number },
): Promise<void> {
  if (!server.listening) return;
  closings.get(app)?.abort();
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  // A connection whose answer was already under way is kept alive after it, so idle ones are looked for again.
  const sweep = setInterval(() => server.closeIdleConnections(), 25);
  const cut = setTimeout(() => {
    for (const socket of sockets) socket.destroy();
  }, graceMs);
  await closed;
  clearInterval(sweep);
  clearTimeout(cut);
}
