import type { ErrorReply } from "./contracts/errors.ts";
import { Connections, request } from "./http-client.ts";

/** A call of another service that did not go well; its status is null when no answer came that can be read. */
export class CallError extends Error {
  readonly status: number | null;
  readonly code: string;
  readonly retryAfterMs: number;
  readonly details: unknown[];

  constructor(
    message: string,
    failure: { status: number | null; code: string; retryAfterMs?: number; details?: unknown[]; cause?: unknown },
  ) {
    super(message, { cause: failure.cause });
    this.name = "CallError";
    this.status = failure.status;
    this.code = failure.code;
    this.retryAfterMs = failure.retryAfterMs ?? 0;
    this.details = failure.details ?? [];
  }

  /** The same call may go well later. */
  get isPassing(): boolean {
    return this.status === null || this.status === 408 || this.status === 429 || this.status >= 500;
  }
}

export type FleetCall = {
  method?: "GET" | "POST" | "PATCH";
  headers?: Record<string, string>;
  body?: unknown;
  /** Gives up before the time-out does. */
  signal?: AbortSignal;
  /** as a person knows it; default the orchestrator */
  service?: string;
};

export type FleetCaller = {
  /** The answer of a service of this fleet. @throws CallError; the signal's reason when that is why */
  ask<T>(url: string, call?: FleetCall): Promise<T>;
  /** The same where the answer's body is of no interest. */
  tell(url: string, call: FleetCall): Promise<void>;
  close(): Promise<void>;
};

export type FleetCallerOptions = {
  internalKey: string;
  /** of each call, from its beginning to the last byte of its answer */
  timeoutMs: number;
  maxAnswerBytes: number;
  connections: number;
};

/** How a service calls the others of its fleet: by their public API, with the internal key, and with every bound set. */
export function buildFleetCaller({ internalKey, timeoutMs, maxAnswerBytes, ...rest }: FleetCallerOptions): FleetCaller {
  const connections = new Connections({
    connections: rest.connections,
    connect: { timeout: 3_000 },
    headersTimeout: timeoutMs,
    bodyTimeout: timeoutMs,
    keepAliveTimeout: 30_000,
    maxResponseSize: maxAnswerBytes,
  });

  async function send(url: string, { method = "GET", headers, body, signal }: FleetCall) {
    const deadline = AbortSignal.timeout(timeoutMs);
    const response = await request(url, {
      method,
      dispatcher: connections,
      signal: signal ? AbortSignal.any([signal, deadline]) : deadline,
      headers: { "x-internal-key": internalKey, ...(body !== undefined && json), ...headers },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    const retryAfterSeconds = Number(response.headers["retry-after"]) || 0;
    return { status: response.statusCode, retryAfterSeconds, text: await response.body.text() };
  }

  async function exchange(url: string, call: FleetCall): Promise<string> {
    const { service = orchestrator, signal } = call;
    const answer = await send(url, call)
      .catch((error: unknown) => {
        // A connection that was kept may have been closed at the other end in the moment in which it was used.
        if (isRepeatable(call) && isClosed(error)) return send(url, call);
        throw error;
      })
      .catch((cause: unknown) => {
        signal?.throwIfAborted();
        throw new CallError(`${service} cannot be reached.`, { status: null, code: "unreachable", cause });
      });
    if (answer.status >= 300) throw toCallError(service, answer);
    return answer.text;
  }

  return {
    ask: async <T>(url: string, call: FleetCall = {}) => parse(await exchange(url, call), call) as T,
    tell: async (url, call) => void (await exchange(url, call)),
    close: () => connections.destroy(),
  };
}

const orchestrator = "The orchestrator";
const json = { "content-type": "application/json" };

function isRepeatable({ method = "GET", headers }: FleetCall): boolean {
  return method === "GET" || headers?.["idempotency-key"] !== undefined;
}

function isClosed(error: unknown): boolean {
  const code = error instanceof Error && "code" in error ? error.code : null;
  return code === "UND_ERR_SOCKET" || code === "ECONNRESET" || code === "EPIPE";
}

function parse(text: string, { service = orchestrator }: FleetCall): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new CallError(`${service} answered something that is not JSON.`, { status: null, code: "unreadable", cause });
  }
}

/** @param service as a person knows it */
export function toCallError(
  service: string,
  answer: { status: number; retryAfterSeconds: number; text: string },
): CallError {
  const { status, retryAfterSeconds } = answer;
  const { code, message, details } = readError(answer.text);
  const retryAfterMs = Math.min(Math.max(0, retryAfterSeconds), 3_600) * 1_000;
  return new CallError(message || `${service} answered ${status}.`, { status, code, retryAfterMs, details });
}

function readError(text: string): { code: string; message: string; details: unknown[] } {
  try {
    const { error } = JSON.parse(text) as Partial<ErrorReply>;
    return {
      code: String(error?.code ?? "unknown"),
      message: String(error?.message ?? "").slice(0, 1_000),
      details: error?.details ?? [],
    };
  } catch {
    return { code: "unknown", message: "", details: [] };
  }
}
