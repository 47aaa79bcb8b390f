import { setTimeout as rest } from "node:timers/promises";
import type { Heartbeat } from "./contracts/agent.ts";
import type { TaskError } from "./contracts/task.ts";
import { buildFleetCaller, CallError } from "./fleet-call.ts";
import { type Trace, traceHeaders } from "./trace.ts";

/** What proves to the orchestrator that a call belongs to the attempt that runs now. */
export type Fence = { taskId: string; attempt: number; leaseId: string | null; trace: Trace };

export type AttemptEnd = { status: "completed"; result: unknown } | { status: "failed"; error: TaskError };

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
  const { internalKey } = options;
  const caller = buildFleetCaller({ internalKey, timeoutMs, maxAnswerBytes, connections: 16 });
  const base = options.url.replace(/\/+$/, "");
  const call = (method: "POST" | "PATCH", path: string, { body, fence }: { body: unknown; fence?: Fence }) =>
    caller.tell(base + path, { method, body, headers: fence ? fenceHeaders(fence) : {} });

  return {
    heartbeat: (body) => call("POST", "/agents/heartbeat", { body }),
    progress: (fence, report) =>
      call("POST", `/task/${fence.taskId}/progress`, { fence, body: { attempt: fence.attempt, ...report } }),
    record: (fence, kind, data) =>
      call("POST", `/task/${fence.taskId}/events`, { fence, body: { attempt: fence.attempt, kind, data } }),
    end: (fence, end) => call("PATCH", `/task/${fence.taskId}`, { fence, body: { attempt: fence.attempt, ...end } }),
    close: caller.close,
  };
}

function fenceHeaders({ leaseId, trace }: Fence): Record<string, string> {
  // The run's own span is what asks.
  const headers = traceHeaders(trace);
  return leaseId === null ? headers : { ...headers, "x-task-lease": leaseId };
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
      if (!(error instanceof CallError) || !error.isPassing || signal.aborted) throw error;
      const delayMs = Math.max(
        error.retryAfterMs,
        Math.random() * Math.min(maxDelayMs, firstDelayMs * 2 ** (round + 1)),
      );
      if (performance.now() + delayMs > giveUpAt) throw error;
      await rest(delayMs, undefined, { signal });
    }
  }
}
