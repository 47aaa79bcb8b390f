import type { Task, Why } from "@signalbox/common/contracts/task.ts";
import { type LiveAgent, type Load, planSlots } from "./slots.ts";

/** Why a task that is queued does not run, as far as its row and its line tell. */
export type WaitFacts = { due: boolean; runAt: string; ahead: string | null; ready: boolean };

/** Who could run it, and what is known of them. */
export type Routing = { agents: readonly LiveAgent[]; load: Load };

/**
 * Why a queued or waiting task does not run at this moment.
 *
 * @param facts of its row and its line; null when it has left the queue since it was read
 */
export function explainWhy(task: Task, facts: WaitFacts | null, { agents, load }: Routing): Why | undefined {
  if (task.status === "waiting" && task.waitingFor !== null)
    return { reason: task.waitingFor, detail: task.approval?.prompt ?? task.approval?.reason ?? null };
  if (facts === null) return undefined;
  if (facts.ahead !== null) return { reason: "behind_key", detail: facts.ahead };
  if (!facts.due) return { reason: "run_at", detail: facts.runAt };
  const able = agents.map((agent) => ({ ...agent, types: agent.types.filter(({ type }) => type === task.type) }));
  if (able.every((agent) => agent.types.length === 0))
    return { reason: "no_agent", detail: `no live agent has registered ${task.type}` };
  if (planSlots(able, load, 1).length > 0) return { reason: "next", detail: null };
  if (planSlots(able, { running: load.running }, 1).length > 0)
    return {
      reason: "circuit_open",
      detail: `the agents that run ${task.type} failed too often and are left alone for a while`,
    };
  return { reason: "agents_busy", detail: `every agent that runs ${task.type} is busy` };
}
