import { setTimeout as rest } from "node:timers/promises";
import { Agent as Connections, request } from "undici";
import type { Heartbeat } from "./contracts/agent.ts";
import type { TaskError } from "./contracts/task.ts";
import { type Trace, traceHeaders } from "./trace.ts";

/** What proves to the orchestrator that a call belongs to the attempt that runs now. */
export type Fence = { taskId: string; attempt: number; leaseId: string | null; trace: Trace };

export type AttemptEnd = { status: "completed"; result: unknown } | { status: "failed"; error: TaskError };

/** One failed call: its status is null when no answer came at all. */
export class CallError extends Error {
  readonly status: number | null;
  readonly code: string;
  readonly retryable: boolean;
  readonly retryAfterMs: number;

  constructor(
    message: string,
    failure: { status: number | null; code: string; retryAfterMs?: number; cause?: unknown },
  ) {
    super(message, { cause: failure.cause });
    this.name = "CallError";
    this.status = failure.status;
    this.code = failure.code;
    this.retryable = failure.status === null || failure.status === 429 || failure.status >= 500;
    this.retryAfterMs = failure.retryAfterMs ?? 0;
  }
}

/** What an agent asks of the orchestrator. Each call is tried once and throws CallError; `persist` tries again. */
export type AgentCalls = {
  heartbeat(body: Heartbeat): Promise<void>;
  progress(fence: Fence, report: { message: string; percent?: number; agentName: string }): Promise<void>;
  record(fence: Fence, kind: "side_effect" | "note", data: Record<string, unknown>): Promise<void>;
  end(fence: Fence, end: AttemptEnd): Promise<void>;
  close(): Promise<void>;
};

const timeoutMs = 5_000;
const maxAnswerBytes = 4_194_304;

export function buildAgentCalls(options: { url: string; internalKey: string }): AgentCalls {
  const connections = new Connections({
    connections: 16,
    connect: { timeout: 3_000 },
    headersTimeout: timeoutMs,
    bodyTimeout: timeoutMs,
    keepAliveTimeout: 30_000,
    maxResponseSize: maxAnswerBytes,
  });
  const base = options.url.replace(/\/+$/, "");

  async function call(
    method: "POST" | "PATCH",
    path: string,
    content: { body: unknown; fence?: Fence },
  ): Promise<void> {
    const response = await request(`${base}${path}`, {
      method,
      dispatcher: connections,
      signal: AbortSignal.timeout(timeoutMs),
      headers: {
        "content-type": "application/json",
        "x-internal-key": options.internalKey,
        ...(content.fence && fenceHeaders(content.fence)),
      },
      body: JSON.stringify(content.body),
    }).catch((cause: unknown) => {
      throw new CallError("the orchestrator cannot be reached", { status: null, code: "unreachable", cause });
    });
    if (response.statusCode < 300) await response.body.dump();
    else throw toCallError(response.statusCode, response.headers["retry-after"], await response.body.text());
  }

  return {
    heartbeat: (body) => call("POST", "/agents/heartbeat", { body }),
    progress: (fence, report) =>
      call("POST", `/task/${fence.taskId}/progress`, { fence, body: { attempt: fence.attempt, ...report } }),
    record: (fence, kind, data) =>
      call("POST", `/task/${fence.taskId}/events`, { fence, body: { attempt: fence.attempt, kind, data } }),
    end: (fence, end) => call("PATCH", `/task/${fence.taskId}`, { fence, body: { attempt: fence.attempt, ...end } }),
    close: () => connections.destroy(),
  };
}

function fenceHeaders({ leaseId, trace }: Fence): Record<string, string> {
  // The run's own span is what asks.
  const headers = traceHeaders(trace);
  return leaseId === null ? headers : { ...headers, "x-task-lease": leaseId };
}

function toCallError(status: number, retryAfter: string | string[] | undefined, text: string): CallError {
  const { code, message } = parseError(text);
  return new CallError(`the orchestrator answered ${status}: ${message}`, {
    status,
    code,
    retryAfterMs: Math.min(Number(retryAfter) || 0, 3_600) * 1_000,
  });
}

function parseError(text: string): { code: string; message: string } {
  try {
    const { error } = JSON.parse(text) as { error?: { code?: unknown; message?: unknown } };
    return { code: String(error?.code ?? "unknown"), message: String(error?.message ?? "").slice(0, 1_000) };
  } catch {
    return { code: "unknown", message: "something that is not JSON" };
  }
}

const firstDelayMs = 250;
const maxDelayMs = 10_000;

/**
 * Repeats a call until it succeeds, is refused for good, the signal aborts, or the budget is spent; throws its last
 * error then. Delays grow exponentially with full jitter, and are never shorter than the other side asked for.
 */
export async function persist<T>(
  call: () => Promise<T>,
  { signal, budgetMs }: { signal: AbortSignal; budgetMs: number },
): Promise<T> {
  const giveUpAt = performance.now() + budgetMs;
  for (let round = 0; ; round++) {
    try {
      return await call();
    } catch (error) {
      if (!(error instanceof CallError) || !error.retryable || signal.aborted) throw error;
      const delayMs = Math.max(
        error.retryAfterMs,
        Math.random() * Math.min(maxDelayMs, firstDelayMs * 2 ** (round + 1)),
      );
      if (performance.now() + delayMs > giveUpAt) throw error;
      await rest(delayMs, undefined, { signal });
    }
  }
}
