/* The rest of the fleet: tasks are asked for and looked at through the orchestrator, and it says where other agents are. */
import type { Agent } from "@signalbox/common/contracts/agent.ts";
import type { CreateTask, Task, TaskList, TaskWithEvents } from "@signalbox/common/contracts/task.ts";
import { buildFleetCaller } from "@signalbox/common/fleet-call.ts";

export type Drift = { resource: string; field: string; kind: string; since: string };

export type Fleet = ReturnType<typeof buildFleet>;

const timeoutMs = 8_000;
const maxAnswerBytes = 8_388_608;

export function buildFleet({ orchestratorUrl, internalKey }: { orchestratorUrl: string; internalKey: string }) {
  const { ask, close } = buildFleetCaller({ internalKey, timeoutMs, maxAnswerBytes, connections: 8 });
  const root = orchestratorUrl.replace(/\/+$/, "");

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
      return (
        await ask<{ items: Drift[] }>(`${renderctl.url.replace(/\/+$/, "")}/render/drift`, { service: "renderctl" })
      ).items;
    },
    close,
  };
}
