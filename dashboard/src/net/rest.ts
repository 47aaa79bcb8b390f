import type { Auth } from "./auth.ts";
import type { FleetConfig } from "./config.ts";

export type FailureKind = "http" | "network" | "timeout" | "off" | "aborted";
export type Failure = {
  kind: FailureKind;
  status: number;
  code: string;
  message: string;
  details: readonly unknown[];
  traceId: string | null;
  retryAfterMs: number | null;
};
export type Answer<T> = { ok: true; status: number; body: T; headers: Headers } | { ok: false; failure: Failure };

export type Query = Readonly<Record<string, string | number | undefined>>;
export type CallOptions = {
  method?: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  query?: Query;
  body?: unknown;
  headers?: Record<string, string>;
  signal?: AbortSignal;
  /** Another sign-in than the held one, to try it before it is kept. */
  token?: string;
};

export type Rest = {
  call: <T>(service: string, path: string, options?: CallOptions) => Promise<Answer<T>>;
  /** The address a call goes to, without credentials; null for a service that is off. */
  urlOf: (service: string, path: string, query?: Query) => string | null;
};

const TIMEOUT_MS = 20_000;
/** What asks a vendor before it answers, for a whole account or weeks of a metric, may take longer. */
const ASKING_MS = 120_000;
const timeoutOf = (path: string) => (/^\/(?:render|monitors)\//.test(path) ? ASKING_MS : TIMEOUT_MS);

function failureOf(kind: FailureKind, code: string, message: string): Failure {
  return { kind, status: 0, code, message, details: [], traceId: null, retryAfterMs: null };
}

function readError(value: unknown): { code?: unknown; message?: unknown; details?: unknown; traceId?: unknown } {
  if (typeof value !== "object" || value === null || !("error" in value)) return {};
  return typeof value.error === "object" && value.error !== null ? value.error : {};
}

function parseRetryAfter(header: string | null): number | null {
  const seconds = Number(header ?? Number.NaN);
  return Number.isFinite(seconds) ? seconds * 1000 : null;
}

async function toFailure(response: Response): Promise<Failure> {
  const error = readError(await response.json().catch(() => null));
  return {
    kind: "http",
    status: response.status,
    code: typeof error.code === "string" ? error.code : `http_${response.status}`,
    message: typeof error.message === "string" ? error.message : `The service answered ${response.status}.`,
    details: Array.isArray(error.details) ? error.details : [],
    traceId: typeof error.traceId === "string" ? error.traceId : null,
    retryAfterMs: parseRetryAfter(response.headers.get("retry-after")),
  };
}

function toUrl(base: string, path: string, query: Query = {}): string {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) if (value !== undefined) search.append(name, String(value));
  const text = search.toString();
  return `${base}${path}${text === "" ? "" : `?${text}`}`;
}

function toRequest(options: CallOptions, token: string | null, signal: AbortSignal): RequestInit {
  const headers: Record<string, string> = { ...options.headers };
  if (token !== null) headers.Authorization = `Basic ${token}`;
  if (options.body !== undefined) headers["Content-Type"] = "application/json";
  const body = options.body === undefined ? undefined : JSON.stringify(options.body);
  // Omitted credentials keep the browser's own password box away when an answer says `WWW-Authenticate`.
  return {
    method: options.method ?? "GET",
    headers,
    body,
    signal,
    credentials: "omit",
    cache: "no-store",
    referrerPolicy: "no-referrer",
  };
}

type Called = { service: string; path: string; options: CallOptions };

function toThrown(error: unknown, { service, path, options }: Called): Failure {
  if (options.signal?.aborted) return failureOf("aborted", "aborted", "The page no longer needs this answer.");
  if (error instanceof DOMException && error.name === "TimeoutError") {
    return failureOf("timeout", "timeout", `${service} has not answered for ${timeoutOf(path) / 1000} s.`);
  }
  return failureOf("network", "unreachable", `${service} cannot be reached from this page.`);
}

async function readBody<T>(response: Response): Promise<T> {
  const text = await response.text();
  return (text === "" ? null : JSON.parse(text)) as T;
}

function toSignal(signal: AbortSignal | undefined, timeoutMs: number): AbortSignal {
  const deadline = AbortSignal.timeout(timeoutMs);
  return signal ? AbortSignal.any([signal, deadline]) : deadline;
}

const refuse = (failure: Failure) => ({ ok: false as const, failure });

export function buildRest(config: FleetConfig, auth: Auth): Rest {
  async function call<T>(service: string, path: string, options: CallOptions = {}): Promise<Answer<T>> {
    const base = config.services[service];
    if (!base) return refuse(failureOf("off", "off", `${service} is not part of this fleet.`));
    const token = options.token ?? auth.token();
    try {
      const request = toRequest(options, token, toSignal(options.signal, timeoutOf(path)));
      const response = await fetch(toUrl(base, path, options.query), request);
      const { status, headers } = response;
      if (response.ok) return { ok: true, status, body: await readBody<T>(response), headers };
      if (status === 401 && options.token === undefined) auth.expire(token);
      return refuse(await toFailure(response));
    } catch (error) {
      return refuse(toThrown(error, { service, path, options }));
    }
  }
  return {
    call,
    urlOf(service, path, query) {
      const base = config.services[service];
      return base ? toUrl(base, path, query) : null;
    },
  };
}

export type Verdict =
  | { kind: "up" }
  | { kind: "unauthorised" }
  | { kind: "forbidden"; message: string }
  | { kind: "down"; message: string };

/**
 * Tells apart why a stream could not be opened: scripts cannot see a handshake's status, so the same door is tried by REST. An
 * answer that only a no-cors request gets through to means that the service runs and refuses this page's origin.
 */
export async function probeService(rest: Rest, service: string): Promise<Verdict> {
  const answer = await rest.call(service, "/config/validate");
  if (answer.ok) return { kind: "up" };
  const { status, kind, message } = answer.failure;
  if (status === 401) return { kind: "unauthorised" };
  if (status === 403) return { kind: "forbidden", message };
  const health = rest.urlOf(service, "/health");
  if (kind !== "network" || health === null) return { kind: "down", message };
  try {
    await fetch(health, {
      mode: "no-cors",
      credentials: "omit",
      cache: "no-store",
      signal: AbortSignal.timeout(5_000),
    });
    const origin = globalThis.location?.origin ?? "this page";
    return {
      kind: "forbidden",
      message: `${service} runs but does not accept ${origin}: add it to its WS_ALLOWED_ORIGINS.`,
    };
  } catch {
    return { kind: "down", message };
  }
}
