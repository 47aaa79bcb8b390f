import type { IncomingHttpHeaders, IncomingMessage } from "node:http";
import type { Logger } from "pino";
import { admit } from "./admit.ts";
import { actorOf, type Credentials, type Principal } from "./auth.ts";
import { ClientGoneError, checkBodyHeaders, hasBody, isJsonType, mediaTypeOf, readBody, refuseForm } from "./body.ts";
import { type BodyBudget, buildBodyBudget } from "./body-budget.ts";
import { type InFlight, trackInFlight } from "./drain.ts";
import { ApiError, invalidInput, rateLimited, unavailable } from "./errors.ts";
import { parseJson } from "./json.ts";
import { compileParameters, parseQuery, propertiesOf } from "./query.ts";
import { type Exchange, isStream, sendJson, sendStream } from "./reply.ts";
import type { Route, RouteInput, StreamReply } from "./route.ts";
import type { Trace } from "./trace.ts";
import { compileCheck } from "./validate.ts";

/** What all routes of one service share. */
export type Service = {
  credentials: Credentials;
  allowedOrigins: readonly string[];
  log: Logger;
  inFlight: InFlight;
  maxInFlight: number;
  /** aborted when the service stops: streams end then */
  closing: AbortSignal;
};

/** A route with everything about its schemas done beforehand. */
export type CompiledRoute = Route & {
  readParams: (given: Iterable<[string, string]>) => Record<string, unknown>;
  readQuery: (given: Iterable<[string, string]>) => Record<string, unknown>;
  checkBody: ReturnType<typeof compileCheck> | null;
  takesQueryAuth: boolean;
  inFlight: InFlight;
  bodies: BodyBudget | null;
};

export type Call = {
  request: IncomingMessage;
  exchange: Exchange;
  trace: Trace;
  /** of `performance.now()` */
  startedAt: number;
};

const defaultBodyLimit = 1_048_576;
/** A path may name parameters that its handler does not ask for. */
const anyParams = { type: "object", additionalProperties: true } as const;
const noBody = Buffer.alloc(0);

export function compileRoute(route: Route): CompiledRoute {
  return {
    ...route,
    handle: (input) => route.handle(input),
    readParams: compileParameters(route.params ?? anyParams, "path parameter"),
    readQuery: compileParameters(route.query, "query parameter"),
    checkBody: route.body ? compileCheck(route.body) : null,
    takesQueryAuth: "auth" in propertiesOf(route.query),
    inFlight: trackInFlight(),
    bodies:
      route.bodyBudgetBytes === undefined
        ? null
        : buildBodyBudget(route.bodyBudgetBytes, route.bodyLimitBytes ?? defaultBodyLimit),
  };
}

/** From an opened request to its answer; whatever is thrown on the way is mapped by the caller. */
export async function dispatch(
  service: Service,
  route: CompiledRoute,
  call: Call,
  params: Record<string, string>,
): Promise<number> {
  const principal = admit(call.request, {
    rule: route.auth,
    credentials: service.credentials,
    allowedOrigins: service.allowedOrigins,
    queryAuth: route.takesQueryAuth ? (queryOf(call.request).get("auth") ?? null) : null,
    isStream: route.replyType === "text/event-stream",
  });
  const leave = enter(service, route, call.request);
  try {
    const reply = await route.handle(await readInput(route, call, { principal, params }));
    if (isStream(reply)) {
      // A stream stays for hours; it has its own bounds and must not eat the places of short calls.
      leave();
      await streamUntilClosing(service, call.exchange, reply);
    } else sendJson(call.exchange, reply);
    return reply.status;
  } finally {
    leave();
  }
}

function queryOf(request: IncomingMessage): Map<string, string> {
  const url = request.url ?? "";
  const at = url.indexOf("?");
  return parseQuery(at === -1 ? "" : url.slice(at + 1));
}

function enter(service: Service, route: CompiledRoute, request: IncomingMessage): () => void {
  if (route.maxInFlight === null) return () => undefined;
  if (service.inFlight.count >= service.maxInFlight) {
    throw unavailable("Too many requests are under way; try again in a moment.", 1);
  }
  if (route.maxInFlight !== undefined && route.inFlight.count >= route.maxInFlight) {
    throw rateLimited(`Too many of these requests are under way (${route.maxInFlight}); try again in a moment.`, 1);
  }
  const leaveBodies = route.bodies?.enter(request);
  const leaveService = service.inFlight.enter();
  const leaveRoute = route.inFlight.enter();
  return () => {
    leaveBodies?.();
    leaveRoute();
    leaveService();
  };
}

type Body = { rawBody: Buffer; body: unknown; contentType: string | null };

/** A class, because of its one lazy member: a getter in an object that is made per request costs as much as the routing. */
class Input implements RouteInput<unknown, unknown, unknown> {
  readonly params: unknown;
  readonly query: unknown;
  readonly body: unknown;
  readonly rawBody: Buffer;
  readonly contentType: string | null;
  readonly headers: IncomingHttpHeaders;
  readonly principal: Principal | null;
  readonly actor: string;
  readonly trace: Trace;
  readonly request: IncomingMessage;
  readonly #exchange: Exchange;

  constructor(call: Call, read: { params: unknown; query: unknown; principal: Principal | null }, taken: Body) {
    this.params = read.params;
    this.query = read.query;
    this.body = taken.body;
    this.rawBody = taken.rawBody;
    this.contentType = taken.contentType;
    this.headers = call.request.headers;
    this.principal = read.principal;
    this.actor = read.principal ? actorOf(read.principal) : "public";
    this.trace = call.trace;
    this.request = call.request;
    this.#exchange = call.exchange;
  }

  /** Made when it is first asked for: most handlers never do. */
  get signal(): AbortSignal {
    return abortWhenGone(this.#exchange);
  }
}

async function readInput(
  route: CompiledRoute,
  call: Call,
  given: { principal: Principal | null; params: Record<string, string> },
): Promise<Input> {
  // Schemas judge before the body is read: a bad URL needs no megabyte to be told.
  const params = route.readParams(Object.entries(given.params));
  const query = route.readQuery(queryOf(call.request));
  const taken = await takeBody(route, call.request);
  return new Input(call, { params, query, principal: given.principal }, taken);
}

async function takeBody(route: CompiledRoute, request: IncomingMessage): Promise<Body> {
  const takesBody = route.method !== "GET" && (route.checkBody !== null || route.auth === "signed");
  if (!takesBody) return { rawBody: noBody, body: undefined, contentType: null };
  if (!hasBody(request)) {
    return { rawBody: noBody, body: route.checkBody ? checked(route, {}, 0) : undefined, contentType: null };
  }
  const types = route.bodyTypes ?? (route.checkBody ? ["application/json"] : null);
  const limitBytes = route.bodyLimitBytes ?? defaultBodyLimit;
  checkBodyHeaders(request, { limitBytes, types });
  const rawBody = await readBody(request, limitBytes);
  const contentType = mediaTypeOf(request);
  // A route without a schema judges the bytes itself: GitHub may sign a form.
  if (route.checkBody === null) return { rawBody, contentType, body: undefined };
  if (contentType === "application/json") refuseForm(request, rawBody);
  return {
    rawBody,
    contentType,
    body: readsJson(route, contentType) ? checked(route, parseBody(rawBody), rawBody.length) : undefined,
  };
}

function readsJson(route: CompiledRoute, contentType: string | null): boolean {
  return !route.bodyUnparsed && contentType !== null && isJsonType(contentType);
}

/** `Transfer-Encoding: chunked` with nothing in it is no body either. */
function parseBody(rawBody: Buffer): unknown {
  return rawBody.length === 0 ? {} : parseJson(rawBody);
}

function checked(route: CompiledRoute, value: unknown, sizeBytes: number): unknown {
  const problems = route.checkBody?.(value, sizeBytes);
  if (problems) throw invalidInput(problems);
  return value;
}

const controllers = new WeakMap<Exchange, AbortController>();

function abortWhenGone(exchange: Exchange): AbortSignal {
  return controllerOf(exchange).signal;
}

function controllerOf(exchange: Exchange): AbortController {
  const known = controllers.get(exchange);
  if (known) return known;
  const controller = new AbortController();
  controllers.set(exchange, controller);
  const { response } = exchange;
  if (response.destroyed) controller.abort(new ClientGoneError());
  response.once("close", () => {
    if (!response.writableFinished) controller.abort(new ClientGoneError());
  });
  return controller;
}

async function streamUntilClosing(service: Service, exchange: Exchange, reply: StreamReply): Promise<void> {
  const controller = controllerOf(exchange);
  const stop = () => controller.abort(service.closing.reason);
  if (service.closing.aborted) stop();
  service.closing.addEventListener("abort", stop, { once: true });
  try {
    await sendStream(exchange, reply);
  } finally {
    service.closing.removeEventListener("abort", stop);
  }
}

/** 405 names what the path does take (RFC 9110, 15.5.6). */
export function methodNotAllowed(allow: string): ApiError {
  return new ApiError("method_not_allowed", `This path takes ${allow}.`, { headers: { allow } });
}
