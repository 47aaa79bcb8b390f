/* The rest of the fleet: tasks are asked for and looked at through the orchestrator, and it says where other agents are. */
import type { Agent } from "@signalbox/common/contracts/agent.ts";
import type { CreateTask, Task, TaskList, TaskWithEvents } from "@signalbox/common/contracts/task.ts";
import { Agent as Connections, request } from "undici";

/** `status` is null when no answer came. */
export class FleetError extends Error {
  readonly status: number | null;
  readonly code: string;

  constructor(message: string, { status, code }: { status: number | null; code: string }) {
    super(message);
    this.name = "FleetError";
    this.status = status;
    this.code = code;
  }

  get isRetryable(): boolean {
    return this.status === null || this.status === 429 || this.status >= 500;
  }
}

export type Drift = { resource: string; field: string; kind: string; since: string };

export type Fleet = ReturnType<typeof buildFleet>;

const timeoutMs = 8_000;
const maxAnswerBytes = 8_388_608;

type Call = { method?: "GET" | "POST"; body?: unknown; headers?: Record<string, string> };

export function buildFleet({ orchestratorUrl, internalKey }: { orchestratorUrl: string; internalKey: string }) {
  const connections = new Connections({
    connections: 8,
    connect: { timeout: 3_000 },
    headersTimeout: timeoutMs,
    bodyTimeout: timeoutMs,
    maxResponseSize: maxAnswerBytes,
  });
  const root = orchestratorUrl.replace(/\/+$/, "");

  async function ask<T>(url: string, { method = "GET", body, headers }: Call = {}): Promise<T> {
    const response = await request(url, {
      method,
      dispatcher: connections,
      signal: AbortSignal.timeout(timeoutMs),
      headers: { "content-type": "application/json", "x-internal-key": internalKey, ...headers },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    }).catch(() => {
      throw new FleetError("The orchestrator cannot be reached.", { status: null, code: "unreachable" });
    });
    const text = await response.body.text().catch(() => "");
    if (response.statusCode < 300) return JSON.parse(text) as T;
    throw toFleetError(response.statusCode, text);
  }

  return {
    /** The same key again answers the first task. */
    createTask: (task: CreateTask, idempotencyKey: string) =>
      ask<Task>(`${root}/task`, { method: "POST", body: task, headers: { "idempotency-key": idempotencyKey } }),
    getTask: (id: string) => ask<TaskWithEvents>(`${root}/task/${encodeURIComponent(id)}`),
    async listTasks(query: Record<string, string>): Promise<Task[]> {
      return (await ask<TaskList>(`${root}/tasks?${new URLSearchParams(query)}`)).items;
    },
    /** Where infrastructure is not as its blueprint says; empty when nobody looks after that. */
    async listDrifts(): Promise<Drift[]> {
      const { items } = await ask<{ items: Agent[] }>(`${root}/agents`);
      const renderctl = items.find(({ name, state }) => name === "renderctl" && state === "live");
      if (!renderctl) return [];
      return (await ask<{ items: Drift[] }>(`${renderctl.url.replace(/\/+$/, "")}/render/drift`)).items;
    },
    close: () => connections.destroy(),
  };
}

function toFleetError(status: number, text: string): FleetError {
  try {
    const { error } = JSON.parse(text) as { error?: { code?: string; message?: string } };
    return new FleetError(error?.message ?? `status ${status}`, { status, code: error?.code ?? "unknown" });
  } catch {
    return new FleetError(`The orchestrator answered ${status}.`, { status, code: "unknown" });
  }
}
