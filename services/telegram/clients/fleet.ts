/** The other services of the fleet, by their public API: all that a chat does is done here, in the name of the person who asked. */
import type { Agent } from "@signalbox/common/contracts/agent.ts";
import type { SignalEvent } from "@signalbox/common/contracts/run.ts";
import type { CreateTask, Task, TaskList, TaskWithEvents } from "@signalbox/common/contracts/task.ts";
import { buildFleetCaller, CallError, type FleetCall, type FleetCaller } from "@signalbox/common/fleet-call.ts";
import { toHeaderText } from "@signalbox/common/trace.ts";
import { buildTaskStream } from "./task-stream.ts";

/** For whom a call is made, and what makes it safe to repeat. */
export type Wish = { userKey: string; idempotencyKey: string; correlationId: string };
export type TaskAction = "approve" | "reject" | "cancel" | "retry" | "input";

export type Fleet = ReturnType<typeof buildFleet>;

const timeoutMs = 8_000;
const maxAnswerBytes = 8_388_608;

type Options = { orchestratorUrl: string; loggingUrl: string; internalKey: string };

export function buildFleet({ orchestratorUrl, loggingUrl, internalKey }: Options) {
  const caller = buildFleetCaller({ internalKey, timeoutMs, maxAnswerBytes, connections: 16 });
  const root = orchestratorUrl.replace(/\/+$/, "");
  const stream = buildTaskStream({ url: root, internalKey });

  const service = "The service";

  return {
    ...buildTaskCalls(caller, root),
    listLogs: (query: Record<string, string>) =>
      caller.ask<{ items: { at: string; level: string; service: string; message: string }[] }>(
        `${loggingUrl.replace(/\/+$/, "")}/logs?${new URLSearchParams(query)}`,
        { service },
      ),
    /** A list of another agent's own API. */
    listOf: <T>(agentUrl: string, path: string) =>
      caller.ask<{ items: T[] }>(`${agentUrl.replace(/\/+$/, "")}${path}`, { service }),
    follow: stream.follow,
    close: async () => void (await Promise.all([caller.close(), stream.close()])),
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
function buildTaskCalls({ ask, tell }: FleetCaller, root: string) {
  const taskUrl = (id: string) => `${root}/task/${encodeURIComponent(id)}`;
  return {
    /** @returns the id of the run, which is its task's */
    async sendEvent(event: SignalEvent, wish: Wish): Promise<string> {
      const call: FleetCall = { method: "POST", body: event, headers: toHeaders(wish) };
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
      await tell(`${taskUrl(id)}/notes`, { method: "POST", body: { kind: "side_effect", data } });
    },
  };
}

function nullIfAbsent(error: unknown): null {
  if (error instanceof CallError && (error.status === 404 || error.status === 400)) return null;
  throw error;
}
