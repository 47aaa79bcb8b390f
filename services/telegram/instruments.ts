import type { Metrics } from "@signalbox/common/metrics.ts";
import type { Kit } from "./loops/kit.ts";
import type { Store } from "./store.ts";

/** What an operator watches. */
export function observe(metrics: Metrics, { store, isLeading }: { store: Store; isLeading(): boolean }) {
  const calls = metrics.counter("telegram_messages_total", "Messages that came and went, by what became of them", [
    "what",
  ]);
  metrics.gauge("telegram_leading", "1 where this instance polls and sends", {
    collect: (gauge) => gauge.set(isLeading() ? 1 : 0),
  });
  metrics.gauge("telegram_waiting", "Updates to be worked off, messages to be sent", {
    labelNames: ["line"],
    async collect(gauge) {
      // A database that is away must not cost the other metrics.
      const waiting = await store.countWaiting().catch(() => null);
      for (const [line, count] of Object.entries(waiting ?? {})) gauge.set({ line }, count);
    },
  });
  return { count: (what: Parameters<Kit["count"]>[0]) => calls.inc({ what }) };
}
