import type { Agent } from "@signalbox/common/contracts/agent.ts";

/** What is known of each agent by name. */
export type Known = Record<string, "live" | "gone">;
export type AgentChange = { name: string; kind: "agent.gone" | "agent.back"; since: string };

/** An agent is gone when none of its instances lives; one that said goodbye (it runs no types any more) is not missed. */
export function judgeAgents(known: Known, agents: readonly Agent[]): { known: Known; changes: AgentChange[] } {
  const next: Known = {};
  const changes: AgentChange[] = [];
  for (const [name, instances] of Map.groupBy(agents, (agent) => agent.name)) {
    const before = known[name];
    const now = stateOf(instances);
    // Who was never seen alive is not missed either.
    if (now === null || (now === "gone" && before === undefined)) continue;
    next[name] = now;
    if (before === undefined || before === now) continue;
    changes.push({ name, kind: now === "gone" ? "agent.gone" : "agent.back", since: lastSeen(instances) });
  }
  return { known: next, changes };
}

function stateOf(instances: readonly Agent[]): "live" | "gone" | null {
  const working = instances.filter(({ types }) => types.length > 0);
  if (working.length === 0) return null;
  return working.some(({ state }) => state === "live") ? "live" : "gone";
}

function lastSeen(instances: readonly Agent[]): string {
  return (
    instances
      .map(({ lastSeenAt }) => lastSeenAt)
      .sort()
      .at(-1) ?? ""
  );
}
