import type { Metrics } from "@signalbox/common/metrics.ts";
import type { Store } from "./store.ts";

type Observed = { store: Store; isLeading(): boolean; budget(): { minute: number; hour: number } };

/** What an operator sees of the watcher from outside. */
export function observe(metrics: Metrics, { store, isLeading, budget }: Observed): void {
  metrics.gauge("watcher_leading", "1 while this instance watches", {
    collect: (gauge) => gauge.set(isLeading() ? 1 : 0),
  });
  metrics.gauge("watcher_requests_left", "Requests to PostHog that are left, by window", {
    labelNames: ["window"],
    collect(gauge) {
      const { minute, hour } = budget();
      gauge.set({ window: "minute" }, Math.floor(minute));
      gauge.set({ window: "hour" }, Math.floor(hour));
    },
  });
  metrics.gauge("watcher_monitors", "Monitors by whether their last run could read them", {
    labelNames: ["state"],
    async collect(gauge) {
      const states = await store.states.listStates();
      const failing = states.filter(({ failures }) => failures > 0).length;
      gauge.set({ state: "failing" }, failing);
      gauge.set({ state: "ok" }, states.length - failing);
    },
  });
  metrics.gauge("watcher_findings_open", "Findings that are open, acknowledged or snoozed", {
    async collect(gauge) {
      const { items } = await store.findings.listFindings({ status: "open,acknowledged,snoozed", limit: 200 });
      gauge.set(items.length);
    },
  });
}
