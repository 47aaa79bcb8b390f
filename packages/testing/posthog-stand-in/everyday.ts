import type { Control } from "./control.ts";
import { dayMs, type SeriesPlan } from "./month.ts";
import { generateTraffic } from "./traffic.ts";

const base = { conversion: 0, growthAWeek: 0, newsletterHour: null } as const;

/** A shop of some thousand pages an hour, with the errors that every shop has. */
const series: SeriesPlan[] = [
  { ...base, name: "$pageview", kind: "count", volume: 1_800, wave: 0.6, peakHour: 18, weekend: 0.8 },
  { ...base, name: "shop", kind: "errors", volume: 6, wave: 0.3, peakHour: 18, weekend: 0.8 },
];

const historyDays = 56;
/** So much lies ahead; it is seen when its time comes. */
const aheadDays = 7;

/** The everyday of a product, for a rehearsal: eight weeks of it before now, and what comes in the next days. */
export function addEveryday({ addEvents, addIssue }: Pick<Control, "addEvents" | "addIssue">, now: number): void {
  const today = now - (now % dayMs);
  const plan = { seed: 7, series, incidents: [], holidays: [], lateArrivals: [] };
  addEvents([...generateTraffic(plan, { from: today - historyDays * dayMs, to: today + aheadDays * dayMs })]);
  for (let kind = 0; kind < 10; kind++) addIssue({ id: `shop-${kind}`, name: `Error ${kind + 1} of the shop` });
}
