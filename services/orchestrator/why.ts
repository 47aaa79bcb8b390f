import type { Task, Why } from "@signalbox/common/contracts/task.ts";
import { type LiveAgent, type Load, planSlots, slotKey } from "./slots.ts";

/** Why a task that is queued does not run, as far as its row, its line and the runs of its type tell. */
export type WaitFacts = {
  due: boolean;
  runAt: string;
  ahead: string | null;
  ready: boolean;
  /** Runs of its type by instance, whichever orchestrator holds them. */
  running: Readonly<Record<string, number>>;
};

/** Who could run it, and which of them are left alone. */
export type Routing = { agents: readonly LiveAgent[]; circuits?: Load["circuits"] };

/**
 * Why a queued or waiting task does not run at this moment.
 *
 * @param facts of its row and its line; null when it has left the queue since it was read
 */
export function explainWhy(task: Task, facts: WaitFacts | null, { agents, circuits }: Routing): Why | undefined {
  if (task.status === "waiting" && task.waitingFor !== null)
    return { reason: task.waitingFor, detail: task.approval?.prompt ?? task.approval?.reason ?? null };
  if (facts === null) return undefined;
  if (facts.ahead !== null) return { reason: "behind_key", detail: facts.ahead };
  if (!facts.due) return { reason: "run_at", detail: facts.runAt };
  const able = agents.map((agent) => ({ ...agent, types: agent.types.filter(({ type }) => type === task.type) }));
  if (able.every((agent) => agent.types.length === 0))
    return { reason: "no_agent", detail: `no live agent has registered ${task.type}` };
  const running = new Map(
    Object.entries(facts.running).map(([instance, count]) => [slotKey(instance, task.type), count]),
  );
  if (planSlots(able, { running, ...(circuits && { circuits }) }, 1).length > 0)
    return { reason: "next", detail: null };
  if (planSlots(able, { running }, 1).length > 0)
    return {
      reason: "circuit_open",
      detail: `the agents that run ${task.type} failed too often and are left alone for a while`,
    };
  return { reason: "agents_busy", detail: `every agent that runs ${task.type} is busy` };
}
