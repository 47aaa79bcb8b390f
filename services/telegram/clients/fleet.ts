/** The other services of the fleet, by their public API: all that a chat does is done here, in the name of the person who asked. */
import type { Agent } from "@signalbox/common/contracts/agent.ts";
import type { SignalEvent } from "@signalbox/common/contracts/run.ts";
import type { CreateTask, Task, TaskList, TaskWithEvents } from "@signalbox/common/contracts/task.ts";
import { toHeaderText } from "@signalbox/common/trace.ts";
import { Agent as Connections, request } from "undici";
import { FleetError, toFleetError } from "../fleet-failure.ts";
import { buildTaskStream } from "./task-stream.ts";

/** For whom a call is made, and what makes it safe to repeat. */
export type Wish = { userKey: string; idempotencyKey: string; correlationId: string };
export type TaskAction = "approve" | "reject" | "cancel" | "retry" | "input";

export type Fleet = ReturnType<typeof buildFleet>;

const timeoutMs = 8_000;
const maxAnswerBytes = 8_388_608;

type Options = { orchestratorUrl: string; loggingUrl: string; internalKey: string };
type Call = { method?: "GET" | "POST"; body?: unknown; headers?: Record<string, string> };
type Ask = <T>(url: string, call?: Call) => Promise<T>;

export function buildFleet({ orchestratorUrl, loggingUrl, internalKey }: Options) {
  const connections = new Connections({
    connections: 16,
    connect: { timeout: 3_000 },
    headersTimeout: timeoutMs,
    bodyTimeout: timeoutMs,
    maxResponseSize: maxAnswerBytes,
  });
  const root = orchestratorUrl.replace(/\/+$/, "");
  const stream = buildTaskStream({ url: root, internalKey });

  async function ask<T>(url: string, { method = "GET", body, headers }: Call = {}): Promise<T> {
    const service = url.startsWith(root) ? "The orchestrator" : "The service";
    const response = await request(url, {
      method,
      dispatcher: connections,
      signal: AbortSignal.timeout(timeoutMs),
      headers: { "content-type": "application/json", "x-internal-key": internalKey, ...headers },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    }).catch(() => {
      throw new FleetError(`${service} cannot be reached.`, { status: null, code: "unreachable" });
    });
    const text = await response.body.text().catch(() => "");
    if (response.statusCode < 300) return JSON.parse(text) as T;
    const retryAfterSeconds = Number(response.headers["retry-after"]) || 0;
    throw toFleetError(service, { status: response.statusCode, retryAfterSeconds, text });
  }

  return {
    ...buildTaskCalls(ask, root),
    listLogs: (query: Record<string, string>) =>
      ask<{ items: { at: string; level: string; service: string; message: string }[] }>(
        `${loggingUrl.replace(/\/+$/, "")}/logs?${new URLSearchParams(query)}`,
      ),
    /** A list of another agent's own API. */
    listOf: <T>(agentUrl: string, path: string) => ask<{ items: T[] }>(`${agentUrl.replace(/\/+$/, "")}${path}`),
    follow: stream.follow,
    close: async () => void (await Promise.all([connections.destroy(), stream.close()])),
  };
}

const forPerson = (userKey: string) => ({ "x-on-behalf-of": userKey });

function toHeaders({ userKey, idempotencyKey, correlationId }: Wish): Record<string, string> {
  return {
    ...forPerson(userKey),
    "idempotency-key": idempotencyKey,
    "x-correlation-id": toHeaderText(correlationId) ?? "",
  };
}

/** The orchestrator's part. */
function buildTaskCalls(ask: Ask, root: string) {
  const taskUrl = (id: string) => `${root}/task/${encodeURIComponent(id)}`;
  return {
    /** @returns the id of the run, which is its task's */
    async sendEvent(event: SignalEvent, wish: Wish): Promise<string> {
      const call: Call = { method: "POST", body: event, headers: toHeaders(wish) };
      return (await ask<{ run_id: string }>(`${root}/v1/events`, call)).run_id;
    },
    createTask: (task: CreateTask, wish: Wish) =>
      ask<Task>(`${root}/task`, { method: "POST", body: task, headers: toHeaders(wish) }),
    async findTask(id: string): Promise<TaskWithEvents | null> {
      return await ask<TaskWithEvents>(taskUrl(id)).catch(nullIfAbsent);
    },
    async listTasks(query: Record<string, string>): Promise<Task[]> {
      return (await ask<TaskList>(`${root}/tasks?${new URLSearchParams(query)}`)).items;
    },
    readStats: () => ask<{ byStatus: Record<string, number>; total: number }>(`${root}/tasks/stats?window=24h`),
    async listAgents(): Promise<Agent[]> {
      return (await ask<{ items: Agent[] }>(`${root}/agents`)).items;
    },
    /** Approve and reject are bound to the version of `body`. */
    act: (id: string, action: TaskAction, body: object, userKey: string) =>
      ask<Task>(`${taskUrl(id)}/${action}`, { method: "POST", body, headers: forPerson(userKey) }),
    /** Leaves in a task's audit what was done outside because of it. */
    async recordSideEffect(id: string, data: Record<string, unknown>): Promise<void> {
      await ask(`${taskUrl(id)}/notes`, { method: "POST", body: { kind: "side_effect", data } });
    },
  };
}

function nullIfAbsent(error: unknown): null {
  if (error instanceof FleetError && (error.status === 404 || error.status === 400)) return null;
  throw error;
}
