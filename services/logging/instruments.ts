import type { Metrics } from "@signalbox/common/metrics.ts";
import type { Tail } from "@signalbox/common/tail.ts";
import type { Ingest } from "./loops/ingest.ts";
import type { LogStreams } from "./loops/streams.ts";
import type { Drop } from "./retention.ts";
import type { Store } from "./store.ts";

type PoolUse = { totalCount: number; idleCount: number; waitingCount: number };

type Watched = {
  ingest: () => Ingest;
  streams: LogStreams;
  tail: () => Tail;
  pools: Record<string, PoolUse>;
  store: Pick<Store, "listPartitions" | "readHistoryBytes">;
  maxBytes: number;
};

/** What an operator watches: how much comes in and is refused, how large the statements are, what waits, who listens. */
export function buildInstruments(metrics: Metrics, watched: Watched) {
  observeStreams(metrics, watched);
  observeStorage(metrics, watched);
  const { ingest } = watched;
  const rows = metrics.counter("signalbox_log_rows_total", "Log records, by what became of them", ["outcome"]);
  const batches = metrics.histogram("signalbox_log_batch_rows", "Rows in one insert", {
    buckets: [1, 5, 10, 50, 100, 250, 500, 1_000, 2_000],
  });
  metrics.gauge("signalbox_log_waiting_rows", "Records that wait for an insert", {
    collect: (gauge) => gauge.set(ingest().waiting().rows),
  });
  metrics.gauge("signalbox_log_waiting_bytes", "Size of the records that wait for an insert", {
    collect: (gauge) => gauge.set(ingest().waiting().bytes),
  });
  const dropped = metrics.counter(
    "signalbox_log_dropped_days_total",
    "Days of the log that retention dropped, by why",
    ["reason"],
  );
  return {
    onStored(given: number, stored: number): void {
      batches.observe(given);
      rows.inc({ outcome: "stored" }, stored);
      rows.inc({ outcome: "known" }, given - stored);
    },
    onRejected: (count: number) => rows.inc({ outcome: "rejected" }, count),
    onDropped: ({ reason }: Drop) => dropped.inc({ reason }),
  };
}

function observeStreams(metrics: Metrics, { streams, tail, pools }: Watched): void {
  metrics.gauge("signalbox_stream_clients", "Live streams that are open here", {
    collect: (gauge) => gauge.set(streams.count()),
  });
  metrics.gauge("signalbox_stream_pending_bytes", "What the live streams' clients have not read yet", {
    collect: (gauge) => gauge.set(streams.pendingBytes()),
  });
  metrics.gauge("signalbox_tail_lag_seconds", "How long the live tail has been held back by an open transaction", {
    collect: (gauge) => gauge.set(tail().lagMs() / 1_000),
  });
  metrics.gauge("signalbox_database_connections", "Connections of the pools, by state", {
    labelNames: ["pool", "state"],
    collect(gauge) {
      for (const [pool, { totalCount, idleCount, waitingCount }] of Object.entries(pools)) {
        gauge.set({ pool, state: "busy" }, totalCount - idleCount);
        gauge.set({ pool, state: "idle" }, idleCount);
        gauge.set({ pool, state: "waited_for" }, waitingCount);
      }
    },
  });
}

function observeStorage(metrics: Metrics, { store, maxBytes }: Watched): void {
  const limit = "What all log records may take on disk until the oldest days are dropped";
  metrics.gauge("signalbox_log_stored_max_bytes", limit, { collect: (gauge) => gauge.set(maxBytes) });
  metrics.gauge("signalbox_log_stored_bytes", "What all log records with their indexes take on disk", {
    async collect(gauge) {
      const partitions = await store.listPartitions().catch(() => null);
      if (partitions) gauge.set(partitions.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0));
    },
  });
  metrics.gauge("signalbox_task_history_bytes", "What tasks, their events and outcomes take on disk", {
    async collect(gauge) {
      const bytes = await store.readHistoryBytes().catch(() => null);
      if (bytes !== null) gauge.set(bytes);
    },
  });
}
