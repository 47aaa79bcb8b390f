/**
 * One instance leads a bot: it polls, works off the inbox, sends, and follows the stream. The others take webhooks and notices in and
 * wait. The lead is a lease in the database: it must be renewed, is released at a stop, and is given up here before it can be somebody
 * else's there. What a leader that lost it without knowing still does is harmless: every row it would write belongs to an epoch.
 */
import type { Log } from "@signalbox/common/log.ts";
import { rest } from "@signalbox/common/tail.ts";
import type { Store } from "../store.ts";

export type LeadPace = { leaseMs: number; everyMs: number };

export const defaultLeadPace: LeadPace = { leaseMs: 10_000, everyMs: 2_500 };

/** A lease that was not renewed for so long may be somebody else's soon. */
const marginMs = 2_000;

export type Leader = { isLeading(): boolean; run(signal: AbortSignal): Promise<void> };

type Options = {
  store: Pick<Store, "holdLead" | "releaseLead">;
  holder: string;
  pace: LeadPace;
  log: Log;
  /** What the leader does, until the signal. */
  lead(epoch: number, signal: AbortSignal): Promise<void>;
};

export function buildLeader({ store, holder, pace, log, lead }: Options): Leader {
  let leading = false;

  /** Resolves when the lead is lost or the signal aborts. */
  async function renew(epoch: number, signal: AbortSignal): Promise<void> {
    let goodUntil = performance.now() + pace.leaseMs - marginMs;
    while (!signal.aborted && performance.now() < goodUntil) {
      await rest(Math.min(pace.everyMs, goodUntil - performance.now()), signal);
      const askedAt = performance.now();
      const held = await store.holdLead({ holder, isNew: false, leaseMs: pace.leaseMs }).catch(() => undefined);
      if (held === null || (held !== undefined && held.epoch !== epoch)) return;
      if (held !== undefined) goodUntil = askedAt + pace.leaseMs - marginMs;
    }
  }

  async function turn(signal: AbortSignal): Promise<void> {
    const held = await store.holdLead({ holder, isNew: true, leaseMs: pace.leaseMs }).catch(() => null);
    if (held === null) return rest(pace.everyMs * (0.9 + Math.random() * 0.2), signal);
    const lost = new AbortController();
    // The signal may have aborted while the lead was asked for.
    const end = AbortSignal.any([signal, lost.signal]);
    leading = true;
    log.info({ epoch: held.epoch }, "this instance leads the bot");
    const work = lead(held.epoch, end);
    await renew(held.epoch, end);
    leading = false;
    lost.abort();
    await work;
    if (!signal.aborted) log.warn("the lead of the bot was lost");
  }

  return {
    isLeading: () => leading,
    async run(signal) {
      while (!signal.aborted) await turn(signal);
      await store.releaseLead(holder).catch((error: unknown) => log.warn({ err: error }, "the lead was not released"));
    },
  };
}
