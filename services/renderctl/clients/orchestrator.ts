import type { TaskStatus, TaskWithEvents } from "@signalbox/common/contracts/task.ts";
import { ApiError, unavailable } from "@signalbox/common/errors.ts";
import { newSpanId, newTrace, type Trace, traceHeaders } from "@signalbox/common/trace.ts";
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

/** What the operators are told, once for each key. */
export type Notice = {
  text: string;
  severity: "info" | "warning" | "critical";
  kind: "drift" | "deploy.failed" | "deploy.repaired";
  dedupeKey: string;
  /** notices of one incident are one thread */
  incident: string;
  taskId?: string;
};

/** Of a task, what is asked about here. */
export type SeenTask = Pick<
  TaskWithEvents,
  "id" | "type" | "status" | "waitingFor" | "payload" | "result" | "error" | "attempt" | "version"
> & { events?: TaskWithEvents["events"] };

export type TaskClient = {
  /** @throws ApiError as the orchestrator said it, 503 when it cannot be reached */
  create(task: WantedTask, wanting: Wanting, signal: AbortSignal): Promise<SeenTask>;
  /**
   * The id of the one task of its key. Whoever died after making it may judge a little otherwise the next time, so what was
   * made first stays, whatever it says.
   *
   * @throws ApiError as `create`
   */
  ensure(task: WantedTask, wanting: Wanting & { idempotencyKey: string }, signal: AbortSignal): Promise<string>;
  /** Tells the operators, where somebody takes notices; a fleet without a chat has nobody to tell. @throws ApiError 503 */
  tell(notice: Notice, signal: AbortSignal): Promise<void>;
  /** Those of a source that wait for approval, newest first. @throws ApiError 503 */
  listAsking(source: string, signal: AbortSignal): Promise<SeenTask[]>;
  /** One that has ended meanwhile stays as it is. @throws ApiError 503 */
  cancel(id: string, reason: string, signal: AbortSignal): Promise<void>;
  /** Into the audit of a task, also after its end. @throws ApiError */
  note(id: string, data: Record<string, unknown>, signal: AbortSignal): Promise<void>;
  /** Null when there is no such task. @throws ApiError 503 */
  find(id: string, signal: AbortSignal): Promise<SeenTask | null>;
  close(): Promise<void>;
};

const timeoutMs = 10_000;
const maxAnswerBytes = 16_777_216;

export const endedStatuses: readonly TaskStatus[] = ["completed", "failed", "canceled"];

type Options = { url: string; internalKey: string };
type Sent = { signal: AbortSignal; headers?: Record<string, string>; body?: unknown };

function isClosed(error: unknown): boolean {
  const code = error instanceof Error && "code" in error ? error.code : null;
  return code === "UND_ERR_SOCKET" || code === "ECONNRESET" || code === "EPIPE";
}

function buildCaller(options: Options) {
  const base = options.url.replace(/\/+$/, "");
  const connections = new Connections({
    connections: 16,
    connect: { timeout: 3_000 },
    headersTimeout: timeoutMs,
    bodyTimeout: timeoutMs,
    maxResponseSize: maxAnswerBytes,
  });

  async function send(method: "GET" | "POST", path: string, { signal, headers = {}, body }: Sent): Promise<Answer> {
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
  }

  async function call(method: "GET" | "POST", path: string, sent: Sent): Promise<Answer> {
    const isRepeatable = method === "GET" || sent.headers?.["idempotency-key"] !== undefined;
    try {
      return await send(method, path, sent).catch((error: unknown) => {
        // A connection that was kept may have been closed at the other end in the moment in which it was used.
        if (isRepeatable && isClosed(error)) return send(method, path, sent);
        throw error;
      });
    } catch (cause) {
      sent.signal.throwIfAborted();
      throw unavailable("The orchestrator cannot be reached, and without a task nothing is done; try again.", 2, cause);
    }
  }

  return { call, close: () => connections.destroy() };
}

/** What this service asks of the orchestrator besides what every agent does. */
export function buildTaskClient(options: Options): TaskClient {
  const { call, close } = buildCaller(options);

  async function make(task: WantedTask, { onBehalfOf, trace, idempotencyKey }: Wanting, signal: AbortSignal) {
    const headers = {
      ...traceHeaders({ ...trace, spanId: newSpanId() }),
      ...(onBehalfOf !== null && { "x-on-behalf-of": onBehalfOf }),
      // A prefix, so that a key of a direct call never meets one of `POST /task`.
      ...(idempotencyKey && { "idempotency-key": `renderctl:${idempotencyKey}`.slice(0, 255) }),
    };
    return await call("POST", "/task", { signal, headers, body: task });
  }

  async function create(task: WantedTask, wanting: Wanting, signal: AbortSignal): Promise<SeenTask> {
    const reply = await make(task, wanting, signal);
    if (isMade(reply)) return reply.body as SeenTask;
    throw toRefusal(reply);
  }

  return {
    create,
    async ensure(task, wanting, signal) {
      try {
        return (await create(task, wanting, signal)).id;
      } catch (error) {
        const [first] = error instanceof ApiError && error.code === "idempotency_conflict" ? (error.details ?? []) : [];
        const { taskId } = (first ?? {}) as { taskId?: string };
        if (taskId === undefined) throw error;
        return taskId;
      }
    },
    async tell(payload, signal) {
      const wanting = { onBehalfOf: null, trace: newTrace(), idempotencyKey: `tell:${payload.dedupeKey}` };
      const task = { type: "telegram.notify", payload, source: "renderctl" };
      const reply = await make(task, wanting, signal);
      if (isMade(reply) || ["unsupported_task_type", "idempotency_conflict"].includes(codeOf(reply))) return;
      throw toRefusal(reply);
    },
    async listAsking(source, signal) {
      const query = new URLSearchParams({ source, status: "waiting", waitingFor: "approval", limit: "200" });
      const reply = await call("GET", `/tasks?${query}`, { signal });
      if (reply.status !== 200) throw toRefusal(reply);
      return (reply.body as { items: SeenTask[] }).items;
    },
    async cancel(id, reason, signal) {
      const reply = await call("POST", `/task/${encodeURIComponent(id)}/cancel`, { signal, body: { reason } });
      if (reply.status !== 200 && codeOf(reply) !== "illegal_transition") throw toRefusal(reply);
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
    close,
  };
}

type Answer = { status: number; body: unknown };

const isMade = ({ status }: Answer) => status === 200 || status === 201;

function codeOf({ body }: Answer): string {
  return (body as { error?: { code?: string } } | null)?.error?.code ?? "";
}

/** What the orchestrator refuses for its caller's sake is told as it is; the rest means that it is not well. */
function toRefusal({ status, body }: Answer): ApiError {
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
