import type { Task, Why } from "@signalbox/common/contracts/task.ts";
import type { LiveAgent } from "./slots.ts";

/** Why a task that is queued does not run, as far as its row and its line tell. */
export type WaitFacts = { due: boolean; runAt: string; ahead: string | null; ready: boolean };

/**
 * Why a queued or waiting task does not run at this moment.
 *
 * @param facts of its row and its line; null when it has left the queue since it was read
 */
export function explainWhy(task: Task, facts: WaitFacts | null, agents: readonly LiveAgent[]): Why | undefined {
  if (task.status === "waiting" && task.waitingFor !== null)
    return { reason: task.waitingFor, detail: task.approval?.prompt ?? task.approval?.reason ?? null };
  if (facts === null) return undefined;
  if (facts.ahead !== null) return { reason: "behind_key", detail: facts.ahead };
  if (!facts.due) return { reason: "run_at", detail: facts.runAt };
  const able = agents.filter((agent) => agent.types.some((type) => type.type === task.type));
  if (able.length === 0) return { reason: "no_agent", detail: `no live agent has registered ${task.type}` };
  return { reason: "next", detail: null };
}
