/** Which agents live, as routing sees them: the heartbeats of all orchestrators, read every few seconds and at each new one. */

import type { AgentType, Heartbeat } from "@signalbox/common/contracts/agent.ts";
import { buildBell, rest } from "@signalbox/common/tail.ts";
import { staleMs } from "../lease.ts";
import { type LiveAgent, slotKey } from "../slots.ts";
import type { Store } from "../store.ts";

const refreshMs = 5_000;
/** Between two looks, however often it is rung. */
const spacingMs = 50;
/** An orchestrator that did not look for so long has no share of the slots. */
const absentMs = 15_000;

export type Roster = {
  agents(): readonly LiveAgent[];
  /** Somebody alive takes this type. */
  offers(type: string): boolean;
  /** Where a run of this type is posted to; null when that instance is gone or no longer runs it. */
  urlOf(instance: string, type: string): string | null;
  /** Runs by instance and type that this orchestrator does not hold itself. */
  others(): ReadonlyMap<string, number>;
  /** The place of this orchestrator among all that live, for sharing out slots. */
  standing(): { rank: number; of: number };
  /** A run of ours was deferred: it goes on there without us, before the next count says so. */
  addOther(instance: string, type: string): void;
  hear(beat: Heartbeat): void;
  ring(): void;
  /** The slots of this orchestrator are the others' from now on. */
  leave(): Promise<void>;
  run(signal: AbortSignal): Promise<void>;
};

type Seen = LiveAgent & { seenAt: number };

export type RosterOptions = {
  store: Store;
  owner: string;
  /** A heartbeat said something new: every orchestrator wants to know. */
  onHeard: () => void;
  /** Somebody's offer was read for the first time. Tasks of these types may have been stored here meanwhile without a word. */
  onNews: () => void;
  onRefreshed: (hasMadeRoom: boolean) => void;
  onError: (error: unknown) => void;
};

export function buildRoster(options: RosterOptions): Roster {
  const bell = buildBell();
  const seen = new Map<string, Seen>();
  let others = new Map<string, number>();
  const standing = buildStanding(options.owner, options.onHeard);
  /** Deferred while the running ones were being counted: the count may have missed them, and too many is the safe side. */
  let added: string[] = [];

  function add(key: string): void {
    others.set(key, (others.get(key) ?? 0) + 1);
  }

  async function refresh(): Promise<void> {
    added = [];
    const peers = await options.store.attend(options.owner, absentMs);
    const [rows, running] = await Promise.all([
      options.store.listLiveAgents(staleMs),
      options.store.countOthersRunning(options.owner),
    ]);
    const hasNews = take(rows, seen);
    const wasBusy = others.size > 0;
    others = new Map(running.map((row) => [slotKey(row.instance, row.type), row.running]));
    for (const key of added) add(key);
    const isElsewhere = standing.take(peers);
    if (hasNews) options.onNews();
    options.onRefreshed(wasBusy || isElsewhere);
  }

  return {
    agents() {
      const now = performance.now();
      return [...seen.values()].filter((agent) => now - agent.seenAt <= staleMs);
    },
    offers: (type) => [...seen.values()].some(({ types }) => types.some((one) => one.type === type)),
    urlOf(instance, type) {
      const agent = seen.get(instance);
      const path = agent?.types.find((one) => one.type === type)?.path;
      return agent && path !== undefined ? agent.url.replace(/\/+$/, "") + path : null;
    },
    others: () => others,
    standing: standing.now,
    addOther(instance, type) {
      const key = slotKey(instance, type);
      added.push(key);
      add(key);
    },
    hear(beat) {
      const isNew = isNews(seen.get(beat.instance), beat);
      seen.set(beat.instance, { ...beat, seenAt: performance.now() });
      if (isNew) options.onHeard();
    },
    ring: bell.ring,
    async leave() {
      await options.store.leave(options.owner).catch(options.onError);
      options.onHeard();
    },
    async run(signal) {
      while (!signal.aborted) {
        await refresh().catch(options.onError);
        await rest(spacingMs, signal);
        await bell.heard(refreshMs * (0.9 + 0.2 * Math.random()), signal);
      }
    },
  };
}

/** What routing makes of the types; the database keeps their members in an order of its own, so they are not compared as text. */
function toOffer(types: readonly AgentType[]): string {
  const offers = types.map(({ type, path, maxConcurrency, priority }) => [type, path, maxConcurrency, priority]);
  return JSON.stringify(offers);
}

/** Keeps what was read; true when an instance is new, or offers something else than before. */
function take(rows: readonly (LiveAgent & { ageMs: number })[], seen: Map<string, Seen>): boolean {
  const now = performance.now();
  let isAnyNew = false;
  for (const { name, instance, url, types, ageMs } of rows) {
    const known = seen.get(instance);
    isAnyNew ||= isNews(known, { types });
    // A heartbeat that was heard while this was being read is newer than what was read.
    const seenAt = now - ageMs;
    if (!known || known.seenAt < seenAt) seen.set(instance, { name, instance, url, types, seenAt });
  }
  for (const [instance, agent] of seen) if (now - agent.seenAt > staleMs) seen.delete(instance);
  return isAnyNew;
}

/** It was not there, or had been silent for so long that nobody counted on it, or offers something else. */
function isNews(known: Seen | undefined, { types }: Pick<LiveAgent, "types">): boolean {
  return !known || performance.now() - known.seenAt > staleMs || toOffer(known.types) !== toOffer(types);
}

function buildStanding(owner: string, onJoined: () => void) {
  let standing: { rank: number; of: number } | null = null;
  const now = () => standing ?? { rank: 0, of: 1 };
  return {
    now,
    /** True when it is another place than before. A newcomer says so: the others make room before their next look. */
    take(peers: readonly string[]): boolean {
      const before = now();
      const isNew = standing === null;
      standing = { rank: Math.max(0, peers.indexOf(owner)), of: Math.max(1, peers.length) };
      if (isNew && standing.of > 1) onJoined();
      return standing.rank !== before.rank || standing.of !== before.of;
    },
  };
}
