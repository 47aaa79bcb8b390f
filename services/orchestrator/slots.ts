import type { AgentType } from "@signalbox/common/contracts/agent.ts";

/** A live agent instance as routing sees it. */
export type LiveAgent = { name: string; instance: string; url: string; types: AgentType[] };

export type FreeSlot = { type: string; agent: string; instance: string };

const defaultConcurrency = 10;

/** One key for a type on an instance. */
export function slotKey(instance: string, type: string): string {
  return `${instance}\n${type}`;
}

/**
 * The slots that may be filled now: for each type those of the live agents with the highest priority, the emptiest instance
 * first and in turn, so that instances fill evenly.
 *
 * @param running runs by `slotKey`
 * @param most how many slots at the most, over all types; what is left goes round so that no type starves another
 */
export function planSlots(
  agents: readonly LiveAgent[],
  running: ReadonlyMap<string, number>,
  most: number,
): FreeSlot[] {
  const perType = [...groupByType(agents).values()].map((offers) => fillEvenly(offers, running));
  const slots: FreeSlot[] = [];
  for (let round = 0; slots.length < most && perType.some((list) => round < list.length); round++) {
    for (const list of perType) {
      const slot = list[round];
      if (slot && slots.length < most) slots.push(slot);
    }
  }
  return slots;
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

function fillEvenly(offers: readonly Offer[], running: ReadonlyMap<string, number>): FreeSlot[] {
  const slots: { load: number; slot: FreeSlot }[] = [];
  for (const { agent, type } of offers) {
    const busy = running.get(slotKey(agent.instance, type.type)) ?? 0;
    const limit = type.maxConcurrency ?? defaultConcurrency;
    for (let taken = busy; taken < limit; taken++) {
      slots.push({ load: taken / limit, slot: { type: type.type, agent: agent.name, instance: agent.instance } });
    }
  }
  return slots.sort((a, b) => a.load - b.load).map(({ slot }) => slot);
}
