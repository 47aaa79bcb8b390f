import type { TaskStatus, TaskWithEvents } from "@signalbox/common/contracts/task.ts";
import { ApiError, unavailable } from "@signalbox/common/errors.ts";
import { newSpanId, type Trace, traceHeaders } from "@signalbox/common/trace.ts";
import { Agent as Connections, request } from "undici";

/** Who wants a task: a person by the key that stands in the audit, or null for this service itself. */
export type Wanting = { onBehalfOf: string | null; trace: Trace; idempotencyKey?: string | null };

export type WantedTask = {
  type: string;
  payload: unknown;
  source?: string;
  parentId?: string;
  maxAttempts?: number;
  approval?: { required: true; reason?: string };
};

/** Of a task, what is asked about here. */
export type SeenTask = Pick<
  TaskWithEvents,
  "id" | "type" | "status" | "waitingFor" | "result" | "error" | "attempt" | "version"
> & { events?: TaskWithEvents["events"] };

export type TaskClient = {
  /** @throws ApiError as the orchestrator said it, 503 when it cannot be reached */
  create(task: WantedTask, wanting: Wanting, signal: AbortSignal): Promise<SeenTask>;
  /** Into the audit of a task, also after its end. @throws ApiError */
  note(id: string, data: Record<string, unknown>, signal: AbortSignal): Promise<void>;
  /** Null when there is no such task. @throws ApiError 503 */
  find(id: string, signal: AbortSignal): Promise<SeenTask | null>;
  close(): Promise<void>;
};

const timeoutMs = 10_000;
const maxAnswerBytes = 16_777_216;

export const endedStatuses: readonly TaskStatus[] = ["completed", "failed", "canceled"];

/** What this service asks of the orchestrator besides what every agent does. */
export function buildTaskClient(options: { url: string; internalKey: string }): TaskClient {
  const base = options.url.replace(/\/+$/, "");
  const connections = new Connections({
    connections: 16,
    connect: { timeout: 3_000 },
    headersTimeout: timeoutMs,
    bodyTimeout: timeoutMs,
    maxResponseSize: maxAnswerBytes,
  });

  async function call(
    method: "GET" | "POST",
    path: string,
    { signal, headers = {}, body }: { signal: AbortSignal; headers?: Record<string, string>; body?: unknown },
  ): Promise<{ status: number; body: unknown }> {
    try {
      const response = await request(base + path, {
        method,
        dispatcher: connections,
        signal: AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]),
        headers: {
          "x-internal-key": options.internalKey,
          ...headers,
          ...(body !== undefined && { "content-type": "application/json" }),
        },
        ...(body !== undefined && { body: JSON.stringify(body) }),
      });
      return { status: response.statusCode, body: await response.body.json() };
    } catch (cause) {
      signal.throwIfAborted();
      throw unavailable("The orchestrator cannot be reached, and without a task nothing is done; try again.", 2, cause);
    }
  }

  return {
    async create(task, { onBehalfOf, trace, idempotencyKey }, signal) {
      const headers = {
        ...traceHeaders({ ...trace, spanId: newSpanId() }),
        ...(onBehalfOf !== null && { "x-on-behalf-of": onBehalfOf }),
        // A prefix, so that a key of a direct call never meets one of `POST /task`.
        ...(idempotencyKey && { "idempotency-key": `renderctl:${idempotencyKey}`.slice(0, 255) }),
      };
      const reply = await call("POST", "/task", { signal, headers, body: task });
      if (reply.status === 200 || reply.status === 201) return reply.body as SeenTask;
      throw toRefusal(reply);
    },
    async note(id, data, signal) {
      const body = { kind: "side_effect", data };
      const reply = await call("POST", `/task/${encodeURIComponent(id)}/notes`, { signal, body });
      if (reply.status !== 201) throw toRefusal(reply);
    },
    async find(id, signal) {
      const reply = await call("GET", `/task/${encodeURIComponent(id)}`, { signal });
      if (reply.status === 200) return reply.body as SeenTask;
      if (reply.status === 404) return null;
      throw toRefusal(reply);
    },
    close: () => connections.destroy(),
  };
}

/** What the orchestrator refuses for its caller's sake is told as it is; the rest means that it is not well. */
function toRefusal({ status, body }: { status: number; body: unknown }): ApiError {
  const { error } = (body ?? {}) as { error?: { code?: string; message?: string; details?: unknown[] } };
  const message = error?.message ?? `The orchestrator answered ${status}.`;
  if (error?.code === "unsupported_task_type") {
    return unavailable("The orchestrator does not know this service's tasks yet; try again in a moment.", 2);
  }
  const passed = ["invalid_request", "idempotency_conflict", "forbidden", "payload_too_large"] as const;
  const code = passed.find((one) => one === error?.code);
  if (code) return new ApiError(code, message, { details: error?.details ?? [] });
  return unavailable(message, 2);
}
