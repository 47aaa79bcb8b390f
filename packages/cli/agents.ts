import { setTimeout as delay } from "node:timers/promises";
import { httpGet } from "@signalbox/testing/http-get.ts";
import { SetupError } from "@signalbox/testing/setup-error.ts";

export type AgentsOptions = {
  orchestratorUrl: string;
  internalKey: string;
  agents: { name: string; url: string }[];
  signal: AbortSignal;
};

type Listed = { name: string; url: string; state: string; lastSeenAt: string };

const timeoutMs = 60_000;

/**
 * Waits until each agent has registered in this life of the fleet. After a quick restart the orchestrator still lists the
 * former lives as live, so an agent counts when a heartbeat of it arrives while we look.
 */
export async function waitForAgents({ orchestratorUrl, internalKey, agents, signal }: AgentsOptions): Promise<void> {
  const giveUpAt = performance.now() + timeoutMs;
  const startedAt = Date.now();
  const firstSeen = new Map<string, string>();
  for (;;) {
    const listed = await listAgents(orchestratorUrl, internalKey);
    const missing = agents.filter((agent) => !listed.some((entry) => isFresh(entry, agent, { firstSeen, startedAt })));
    if (missing.length === 0) return;
    if (performance.now() > giveUpAt) {
      const names = missing.map(({ name }) => name).join(", ");
      throw new SetupError(
        `${names} did not register with the orchestrator within ${timeoutMs / 1_000} s; its log above says why`,
      );
    }
    await delay(40, undefined, { signal });
  }
}

/** The service was up seconds before we look, the database's clock may be another machine's. */
const recentMs = 3_000;

function isFresh(
  entry: Listed,
  agent: { name: string; url: string },
  seen: { firstSeen: Map<string, string>; startedAt: number },
): boolean {
  if (entry.name !== agent.name || entry.url !== agent.url || entry.state !== "live") return false;
  const first = seen.firstSeen.get(entry.url) ?? entry.lastSeenAt;
  seen.firstSeen.set(entry.url, first);
  return entry.lastSeenAt !== first || Date.parse(entry.lastSeenAt) > seen.startedAt - recentMs;
}

async function listAgents(orchestratorUrl: string, internalKey: string): Promise<Listed[]> {
  try {
    const { status, text } = await httpGet(`${orchestratorUrl}/agents`, { "x-internal-key": internalKey }, 5_000);
    return status === 200 ? (JSON.parse(text) as { items: Listed[] }).items : [];
  } catch {
    return [];
  }
}
