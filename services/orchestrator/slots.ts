import type { AgentType } from "@signalbox/common/contracts/agent.ts";

/** A live agent instance as routing sees it. */
export type LiveAgent = { name: string; instance: string; url: string; types: AgentType[] };

/** One free slot of one live agent instance for one type. */
export type FreeSlot = { type: string; agent: string; instance: string };

const defaultConcurrency = 10;

/** One key for a type on an instance. */
export function slotKey(instance: string, type: string): string {
  return `${instance}\n${type}`;
}

/** What is known of the instances beside what they offer. */
export type Load = {
  /** Runs by `slotKey`, whoever holds them. */
  running: ReadonlyMap<string, number>;
  /** Instances whose circuit is not closed: an open one gets nothing, a half-open one a single run as a probe. */
  circuits?: ReadonlyMap<string, "open" | "half_open">;
  share?: Share;
  /** This type comes first: a half-open instance runs one of its types, and there may be no task of the others. */
  first?: string;
};

/**
 * The part of each instance's slots that this orchestrator may fill: several of them that claim at the same moment would
 * together overfill an instance, since each counts the others' runs only now and then.
 */
export type Share = {
  /** Own runs by `slotKey`. */
  own: ReadonlyMap<string, number>;
  /** Place of this orchestrator among all that live, from 0. */
  rank: number;
  of: number;
};

/**
 * The slots that may be filled now: for each type those of the live agents with the highest priority, the emptiest instance
 * first and in turn, so that instances fill evenly. An open circuit does not hand its type down to agents of a lower priority:
 * they would answer in its place, and differently.
 *
 * @param most how many slots at the most, over all types; what is left goes round so that no type starves another
 * @param perTypeMost how many of one type at the most
 */
export function planSlots(
  agents: readonly LiveAgent[],
  load: Load,
  most: number,
  perTypeMost = Number.POSITIVE_INFINITY,
): FreeSlot[] {
  const isFirst = ([type]: [string, unknown]) => Number(type === load.first);
  const byType = [...groupByType(agents)].sort((a, b) => isFirst(b) - isFirst(a));
  const perType = byType.map(([, offers]) => fillEvenly(offers, load));
  const slots: FreeSlot[] = [];
  const probed = new Set<string>();
  const rounds = Math.min(perTypeMost, Math.max(0, ...perType.map((list) => list.length)));
  for (let round = 0; slots.length < most && round < rounds; round++) {
    for (const list of perType) {
      const slot = list[round];
      if (!slot || slots.length >= most || probed.has(slot.instance)) continue;
      if (load.circuits?.get(slot.instance) === "half_open") probed.add(slot.instance);
      slots.push(slot);
    }
  }
  return slots;
}

/**
 * True when this orchestrator has part in an instance for this type that it cannot use, because of runs that it does not hold itself:
 * of those it only has a count, which is some seconds old.
 */
export function isHeldUp(agents: readonly LiveAgent[], load: Load, type: string): boolean {
  const offers = groupByType(agents).get(type) ?? [];
  return offers.some(({ agent, type: { maxConcurrency: limit = defaultConcurrency } }) => {
    const key = slotKey(agent.instance, type);
    const busy = load.running.get(key) ?? 0;
    return busy >= limit && busy > (load.share?.own.get(key) ?? 0) && roomInShare(key, limit, load.share) > 0;
  });
}

type Offer = { agent: LiveAgent; type: AgentType };

/** The offers for each type, of the highest priority only. */
function groupByType(agents: readonly LiveAgent[]): Map<string, Offer[]> {
  const offers = agents.flatMap((agent) => agent.types.map((type): Offer => ({ agent, type })));
  const byType = Map.groupBy(offers, (offer) => offer.type.type);
  for (const [type, all] of byType) {
    const best = Math.max(...all.map(priorityOf));
    byType.set(
      type,
      all.filter((offer) => priorityOf(offer) === best),
    );
  }
  return byType;
}

function priorityOf(offer: Offer): number {
  return offer.type.priority ?? 0;
}

function fillEvenly(offers: readonly Offer[], load: Load): FreeSlot[] {
  const slots: { load: number; slot: FreeSlot }[] = [];
  for (const { agent, type } of offers) {
    if (load.circuits?.get(agent.instance) === "open") continue;
    const key = slotKey(agent.instance, type.type);
    const busy = load.running.get(key) ?? 0;
    const limit = type.maxConcurrency ?? defaultConcurrency;
    const end = Math.min(limit, busy + roomInShare(key, limit, load.share));
    for (let taken = busy; taken < end; taken++) {
      slots.push({ load: taken / limit, slot: { type: type.type, agent: agent.name, instance: agent.instance } });
    }
  }
  return slots.sort((a, b) => a.load - b.load).map(({ slot }) => slot);
}

/** The rest of a division goes to another orchestrator for each type and instance, so that none is left with nothing at all. */
function roomInShare(key: string, limit: number, share: Share | undefined): number {
  if (share === undefined || share.of <= 1) return limit;
  const place = (share.rank + toNumber(key)) % share.of;
  const mine = Math.floor(limit / share.of) + (place < limit % share.of ? 1 : 0);
  return Math.max(0, mine - (share.own.get(key) ?? 0));
}

/** The same in every process. */
function toNumber(key: string): number {
  let sum = 0;
  for (let at = 0; at < key.length; at++) sum = (sum * 31 + key.charCodeAt(at)) % 1_000_003;
  return sum;
}
