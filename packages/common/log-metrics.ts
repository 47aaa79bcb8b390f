import type { LogHandle } from "./log.ts";
import type { Metrics } from "./metrics.ts";

/** What becomes of a service's own log: what waits in memory and on disk for the logging service, and what never arrived. */
export function observeLog(metrics: Metrics, logs: LogHandle): void {
  metrics.gauge("signalbox_log_queue_records", "Log records in memory that wait for the logging service", {
    collect: (gauge) => gauge.set(logs.queued()),
  });
  metrics.gauge("signalbox_log_spool_records", "Log records on disk that wait for the logging service", {
    collect: (gauge) => gauge.set(logs.spooled()),
  });
  metrics.gauge("signalbox_log_spool_bytes", "What the spooled log records take on disk", {
    collect: (gauge) => gauge.set(logs.spooledBytes()),
  });
  metrics.total("signalbox_log_dropped_total", "Log records that never arrived: no room, or refused", logs.dropped);
}
