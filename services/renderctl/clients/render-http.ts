import { Connections, request } from "@signalbox/common/http-client.ts";
import { version } from "@signalbox/common/version.ts";
import type { Dispatcher } from "undici";

export type Exchange = {
  method: string;
  /** below the base URL, with its query */
  path: string;
  body?: unknown;
  signal: AbortSignal;
};

export type Answer = {
  status: number;
  header(name: string): string | undefined;
  /** parsed JSON; null for an empty body, undefined for one that is not JSON */
  body: unknown;
};

/** No answer came. */
export class NoAnswerError extends Error {
  /** There was no connection, so Render has seen nothing of it. */
  readonly isUnsent: boolean;
  constructor(cause: unknown) {
    super(reasonOf(cause), { cause });
    this.name = "NoAnswerError";
    this.isUnsent = unsentCodes.has(codeOf(cause));
  }
}

export type Http = { exchange(exchange: Exchange): Promise<Answer>; close(): Promise<void> };

/** A list of a hundred services with all their details is a tenth of this. */
const maxAnswerBytes = 8_388_608;

const unsentCodes = new Set([
  "ECONNREFUSED",
  "ENOTFOUND",
  "EAI_AGAIN",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "UND_ERR_CONNECT_TIMEOUT",
]);

/** One exchange at a time over kept connections; redirects are not followed, so the token goes nowhere else. */
export function buildHttp(options: { baseUrl: string; token: string; timeoutMs: number }): Http {
  const { timeoutMs } = options;
  const base = options.baseUrl.replace(/\/+$/, "");
  const connections = new Connections({
    connections: 16,
    connect: { timeout: 5_000 },
    headersTimeout: timeoutMs,
    bodyTimeout: timeoutMs,
    keepAliveTimeout: 30_000,
    maxResponseSize: maxAnswerBytes,
  });
  return {
    async exchange({ method, path, body, signal }) {
      signal.throwIfAborted();
      try {
        const response = await request(`${base}${path}`, {
          method: method as Dispatcher.HttpMethod,
          dispatcher: connections,
          signal: AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]),
          headers: {
            accept: "application/json",
            authorization: `Bearer ${options.token}`,
            "user-agent": `signalbox-renderctl/${version}`,
            ...(body !== undefined && { "content-type": "application/json" }),
          },
          ...(body !== undefined && { body: JSON.stringify(body) }),
        });
        return await toAnswer(response);
      } catch (cause) {
        signal.throwIfAborted();
        throw new NoAnswerError(cause);
      }
    },
    close: () => connections.destroy(),
  };
}

async function toAnswer({ statusCode, headers, body }: Dispatcher.ResponseData): Promise<Answer> {
  const text = await body.text();
  return {
    status: statusCode,
    header(name) {
      const value = headers[name];
      return Array.isArray(value) ? value[0] : value;
    },
    body: text.trim() === "" ? null : parseOrUndefined(text),
  };
}

function parseOrUndefined(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function reasonOf(cause: unknown): string {
  if (cause instanceof AggregateError && cause.errors.length > 0) return reasonOf(cause.errors[0]);
  if (!(cause instanceof Error)) return "the connection failed";
  return cause.name === "TimeoutError" ? "no answer in time" : codeOf(cause) || cause.message;
}

function codeOf(cause: unknown): string {
  if (cause instanceof AggregateError && cause.errors.length > 0) return codeOf(cause.errors[0]);
  return cause instanceof Error && "code" in cause ? String(cause.code) : "";
}
