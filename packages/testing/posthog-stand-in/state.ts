import type { EventStore } from "./event-store.ts";
import type { Fault } from "./faults.ts";

/** JSON as it goes over the wire. */
export type Json = Record<string, unknown>;

export type Flag = Json & {
  id: number;
  key: string;
  active: boolean;
  version: number;
  deleted: boolean;
  filters: Json;
};
export type Insight = Json & { id: number; short_id: string; name: string; query: Json };
export type Annotation = Json & { id: number; content: string; date_marker: string; scope: string };
export type Issue = Json & { id: string; name: string; status: string };

/** A query that is answered later. */
export type Pending = { answer: Json; polls: number; endedAtMs: number | null };

export type SeenRequest = {
  method: string;
  path: string;
  query: Record<string, string>;
  body: unknown;
  status: number | null;
  /** changed something */
  isWrite: boolean;
  atMs: number;
};

export type Options = {
  projectId: number;
  /** a personal API key, or a project secret key */
  apiKey: string;
  /** what the key may do */
  scopes: string[];
  /** whether calls beyond PostHog's limits are refused */
  hasLimits: boolean;
  /** how often an asynchronous query is asked for before it is complete */
  asyncPolls: number;
  /** its clock; what has not happened by it cannot be seen */
  now: () => number;
};

export type State = Options & {
  events: EventStore;
  flags: Flag[];
  insights: Insight[];
  annotations: Annotation[];
  issues: Issue[];
  pending: Map<string, Pending>;
  /** queries under way */
  running: number;
  requests: SeenRequest[];
  faults: Fault[];
  spending: Map<string, number[]>;
  nextId: number;
};

export const allScopes = [
  "query:read",
  "insight:read",
  "feature_flag:read",
  "feature_flag:write",
  "error_tracking:read",
  "annotation:read",
  "annotation:write",
];

export type Reply = { status: number; body: unknown; headers?: Record<string, string> };

/** Why a call is refused, as PostHog says it. */
export class Refusal extends Error {
  readonly status: number;
  readonly type: string;
  readonly code: string;
  readonly attr: string | null;
  readonly headers: Record<string, string>;

  constructor(
    status: number,
    detail: string,
    {
      code = "invalid_input",
      attr = null,
      headers = {},
    }: { code?: string; attr?: string | null; headers?: Record<string, string> } = {},
  ) {
    super(detail);
    this.status = status;
    this.type = typeOf(status);
    this.code = code;
    this.attr = attr;
    this.headers = headers;
  }

  toBody(): Json {
    return { type: this.type, code: this.code, detail: this.message, attr: this.attr };
  }
}

function typeOf(status: number): string {
  if (status === 400 || status === 409) return "validation_error";
  if (status === 401 || status === 403) return "authentication_error";
  if (status === 429) return "throttled_error";
  return status < 500 ? "invalid_request" : "server_error";
}

export function toTime(ms: number): string {
  return new Date(ms).toISOString();
}

/** One page of a list, as PostHog's REST lists are. */
export function toPage<T>(items: readonly T[], query: URLSearchParams): Json {
  const limit = Math.min(Number(query.get("limit") ?? 100) || 100, 1_000);
  const offset = Number(query.get("offset") ?? 0) || 0;
  const shown = items.slice(offset, offset + limit);
  const next = offset + limit < items.length ? `?limit=${limit}&offset=${offset + limit}` : null;
  return { count: items.length, next, previous: null, results: shown };
}
