import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from "node:http";
import type { Static, TSchema } from "typebox";
import type { Principal } from "./auth.ts";
import type { Trace } from "./trace.ts";

/**
 * Who may call a route:
 * - `public`: anyone
 * - `any`: Basic or the internal key
 * - `internal`: the internal key; Basic alone is refused with 403
 * - `signed`: anyone; the route itself verifies a signature over `rawBody`
 */
export type AuthRule = "public" | "any" | "internal" | "signed";

export type Method = "GET" | "POST" | "PUT" | "PATCH" | "DELETE";

export type RouteInput<P, Q, B> = {
  params: P;
  query: Q;
  body: B;
  /** the bytes as sent, inflated; empty when there was no body */
  rawBody: Buffer;
  /** media type of the body, lower case and without parameters; null when there was no body */
  contentType: string | null;
  headers: IncomingHttpHeaders;
  /** null on `public` and `signed` routes */
  principal: Principal | null;
  /** who is recorded in the audit */
  actor: string;
  trace: Trace;
  /** aborts when the client is gone, and for streams when the service stops */
  signal: AbortSignal;
  request: IncomingMessage;
};

export type JsonReply = {
  status: number;
  body?: unknown;
  /** a version; becomes `ETag: "n"` */
  etag?: number;
  location?: string;
  headers?: Record<string, string>;
};

/** The head is written before `stream` is called; when it resolves the response is ended. */
export type StreamReply = {
  status: number;
  headers?: Record<string, string>;
  stream: (response: ServerResponse) => Promise<void>;
};

export type Reply = JsonReply | StreamReply;

type Value<S> = S extends TSchema ? Static<S> : undefined;

export type RouteContract = {
  method: Method;
  /** like express: `/task/:id` */
  path: string;
  /** other paths of the same route */
  aliases?: readonly string[];
  auth: AuthRule;
  /** one line, for the OpenAPI document */
  summary: string;
  params?: TSchema | undefined;
  /**
   * A parameter that it does not name is refused, unless `additionalProperties` is true. When it names `auth`,
   * `?auth=<base64(user:pass)>` is taken as a credential: only for streams.
   */
  query?: TSchema | undefined;
  /** Without one a body is not read, except on a `signed` route, which gets `rawBody` unparsed. */
  body?: TSchema | undefined;
  /** bytes, after inflating; default 1 MiB */
  bodyLimitBytes?: number;
  /** A JSON type is parsed and validated; any other reaches `handle` as `rawBody` only. Default `application/json`. */
  bodyTypes?: readonly string[];
  /** The handler judges `rawBody` itself, JSON too, because one bad part must not refuse the whole; `body` is undefined. */
  bodyUnparsed?: boolean;
  /** says in the OpenAPI document that the body may be left out; a missing body is always read as `{}` */
  bodyOptional?: boolean;
  /** by status; errors need not be listed, they all have the one shape */
  replies: Record<number, TSchema>;
  /** media type of a good answer; default `application/json` */
  replyType?: string;
  /** Requests of this route under way at once, 429 beyond; null: never refused for load (health, heartbeats). */
  maxInFlight?: number | null;
  /** Bytes of bodies of this route under way at once, 429 beyond, before the body is read; default unbounded. */
  bodyBudgetBytes?: number;
  /** its request log line is `debug` even when it writes, because it comes often: `/log`, heartbeats */
  quiet?: boolean;
  /** it makes no span: machines call it all the time, and nobody looks for why */
  untraced?: boolean;
};

export type Route = RouteContract & {
  handle(input: RouteInput<unknown, unknown, unknown>): Promise<Reply>;
};

type Optional = TSchema | undefined;

export type RouteSpec<P extends Optional, Q extends Optional, B extends Optional> = RouteContract & {
  params?: P;
  query?: Q;
  body?: B;
  handle(input: RouteInput<Value<P>, Value<Q>, Value<B>>): Promise<Reply>;
};

/** One route: its contract validates requests, makes the OpenAPI document and types its handler. */
export function defineRoute<
  P extends Optional = undefined,
  Q extends Optional = undefined,
  B extends Optional = undefined,
>(spec: RouteSpec<P, Q, B>): Route {
  // `handle` only ever sees input that its own schemas have accepted, so forgetting its exact type is safe.
  return spec;
}
