/** Which agents live, as routing sees them: the heartbeats of all orchestrators, read every few seconds and at each new one. */

import type { Heartbeat } from "@signalbox/common/contracts/agent.ts";
import { buildBell } from "@signalbox/common/tail.ts";
import { staleMs } from "../lease.ts";
import { type LiveAgent, slotKey } from "../slots.ts";
import type { Store } from "../store.ts";

const refreshMs = 5_000;

export type Roster = {
  agents(): readonly LiveAgent[];
  /** Where a run of this type is posted to; null when that instance is gone or no longer runs it. */
  urlOf(instance: string, type: string): string | null;
  /** Runs by instance and type that this orchestrator does not hold itself. */
  others(): ReadonlyMap<string, number>;
  /** A run of ours was deferred: it goes on there without us, before the next count says so. */
  addOther(instance: string, type: string): void;
  hear(beat: Heartbeat): void;
  ring(): void;
  run(signal: AbortSignal): Promise<void>;
};

type Seen = LiveAgent & { seenAt: number };

export function buildRoster(options: {
  store: Store;
  owner: string;
  /** A heartbeat said something new: every orchestrator wants to know. */
  onHeard: () => void;
  /** What was read may have made room here. */
  onRefreshed: () => void;
  onError: (error: unknown) => void;
}): Roster {
  const bell = buildBell();
  const seen = new Map<string, Seen>();
  let others = new Map<string, number>();
  /** Deferred while the running ones were being counted: the count may have missed them, and too many is the safe side. */
  let added: string[] = [];

  function add(key: string): void {
    others.set(key, (others.get(key) ?? 0) + 1);
  }

  async function refresh(): Promise<void> {
    added = [];
    const [rows, running] = await Promise.all([
      options.store.listLiveAgents(staleMs),
      options.store.countOthersRunning(options.owner),
    ]);
    const now = performance.now();
    const isNews = rows.some((row) => !seen.has(row.instance));
    for (const { name, instance, url, types, ageMs } of rows)
      seen.set(instance, { name, instance, url, types, seenAt: now - ageMs });
    for (const [instance, agent] of seen) if (now - agent.seenAt > staleMs) seen.delete(instance);
    const wasBusy = others.size > 0;
    others = new Map(running.map((row) => [slotKey(row.instance, row.type), row.running]));
    for (const key of added) add(key);
    if (isNews || wasBusy) options.onRefreshed();
  }

  return {
    agents() {
      const now = performance.now();
      return [...seen.values()].filter((agent) => now - agent.seenAt <= staleMs);
    },
    urlOf(instance, type) {
      const agent = seen.get(instance);
      const path = agent?.types.find((one) => one.type === type)?.path;
      return agent && path !== undefined ? agent.url.replace(/\/+$/, "") + path : null;
    },
    others: () => others,
    addOther(instance, type) {
      const key = slotKey(instance, type);
      added.push(key);
      add(key);
    },
    hear(beat) {
      const known = seen.get(beat.instance);
      seen.set(beat.instance, { ...beat, seenAt: performance.now() });
      if (!known || JSON.stringify(known.types) !== JSON.stringify(beat.types)) options.onHeard();
    },
    ring: bell.ring,
    async run(signal) {
      while (!signal.aborted) {
        await refresh().catch(options.onError);
        await bell.heard(refreshMs * (0.9 + 0.2 * Math.random()), signal);
      }
    },
  };
}
