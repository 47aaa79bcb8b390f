import type { TaskStatus, TaskWithEvents } from "@signalbox/common/contracts/task.ts";
import { ApiError, unavailable } from "@signalbox/common/errors.ts";
import { buildFleetCaller, CallError } from "@signalbox/common/fleet-call.ts";
import { newSpanId, newTrace, type Trace, traceHeaders } from "@signalbox/common/trace.ts";

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
/** What this service asks of the orchestrator besides what every agent does. */
export function buildTaskClient(options: Options): TaskClient {
  const { internalKey } = options;
  const { ask, tell, close } = buildFleetCaller({ internalKey, timeoutMs, maxAnswerBytes, connections: 16 });
  const base = options.url.replace(/\/+$/, "");
  const taskUrl = (id: string) => `${base}/task/${encodeURIComponent(id)}`;

  function make(task: WantedTask, { onBehalfOf, trace, idempotencyKey }: Wanting, signal: AbortSignal) {
    const headers = {
      ...traceHeaders({ ...trace, spanId: newSpanId() }),
      ...(onBehalfOf !== null && { "x-on-behalf-of": onBehalfOf }),
      // A prefix, so that a key of a direct call never meets one of `POST /task`.
      ...(idempotencyKey && { "idempotency-key": `renderctl:${idempotencyKey}`.slice(0, 255) }),
    };
    return ask<SeenTask>(`${base}/task`, { method: "POST", signal, headers, body: task });
  }

  return {
    create: (task, wanting, signal) => make(task, wanting, signal).catch(refuse),
    async ensure(task, wanting, signal) {
      try {
        return (await make(task, wanting, signal)).id;
      } catch (error) {
        const [first] = codeOf(error) === "idempotency_conflict" ? (error as CallError).details : [];
        return (first as { taskId?: string } | undefined)?.taskId ?? refuse(error);
      }
    },
    async tell(payload, signal) {
      const wanting = { onBehalfOf: null, trace: newTrace(), idempotencyKey: `tell:${payload.dedupeKey}` };
      const task = { type: "telegram.notify", payload, source: "renderctl" };
      await make(task, wanting, signal).catch(orNull("unsupported_task_type", "idempotency_conflict"));
    },
    async listAsking(source, signal) {
      const query = new URLSearchParams({ source, status: "waiting", waitingFor: "approval", limit: "200" });
      return (await ask<{ items: SeenTask[] }>(`${base}/tasks?${query}`, { signal }).catch(refuse)).items;
    },
    async cancel(id, reason, signal) {
      const call = { method: "POST", signal, body: { reason } } as const;
      await tell(`${taskUrl(id)}/cancel`, call).catch(orNull("illegal_transition"));
    },
    async note(id, data, signal) {
      const body = { kind: "side_effect", data };
      await tell(`${taskUrl(id)}/notes`, { method: "POST", signal, body }).catch(refuse);
    },
    find: (id, signal) => ask<SeenTask>(taskUrl(id), { signal }).catch(orNull("not_found")),
    close,
  };
}

function codeOf(error: unknown): string {
  return error instanceof CallError ? error.code : "";
}

/** What is no trouble here is null. */
function orNull(...codes: string[]): (error: unknown) => null {
  return (error) => (codes.includes(codeOf(error)) ? null : refuse(error));
}

/** What the orchestrator refuses for its caller's sake is told as it is; the rest means that it is not well. */
function refuse(error: unknown): never {
  if (!(error instanceof CallError)) throw error;
  const { code, message, details, status } = error;
  if (status === null)
    throw unavailable("The orchestrator cannot be reached, and without a task nothing is done; try again.", 2, error);
  if (code === "unsupported_task_type")
    throw unavailable("The orchestrator does not know this service's tasks yet; try again in a moment.", 2);
  const passed = ["invalid_request", "idempotency_conflict", "forbidden", "payload_too_large"] as const;
  const known = passed.find((one) => one === code);
  throw known ? new ApiError(known, message, { details }) : unavailable(message, 2);
}
