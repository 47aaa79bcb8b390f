import type { Metrics } from "@signalbox/common/metrics.ts";
import type { Tail } from "@signalbox/common/tail.ts";
import type { Ingest } from "./loops/ingest.ts";
import type { LogStreams } from "./loops/streams.ts";

type PoolUse = { totalCount: number; idleCount: number; waitingCount: number };

type Watched = {
  ingest: () => Ingest;
  streams: LogStreams;
  tail: () => Tail;
  pools: Record<string, PoolUse>;
};

/** What an operator watches: how much comes in and is refused, how large the statements are, what waits, who listens. */
export function buildInstruments(metrics: Metrics, { ingest, streams, tail, pools }: Watched) {
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
  return {
    onStored(given: number, stored: number): void {
      batches.observe(given);
      rows.inc({ outcome: "stored" }, stored);
      rows.inc({ outcome: "known" }, given - stored);
    },
    onRejected: (count: number) => rows.inc({ outcome: "rejected" }, count),
  };
}
