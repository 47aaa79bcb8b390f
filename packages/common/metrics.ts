import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from "prom-client";

export type Metrics = ReturnType<typeof buildMetrics>;

/** Seconds; from a memory answer to the longest `Prefer: wait`. */
const requestBuckets = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];

/** The default of 10 wakes a process a hundred times a second, which is most of what it costs at rest; lags shorter than this show as it. */
const lagSampleMs = 50;

/**
 * The metrics of one service in a registry of its own, so that several services (or tests) share one process without
 * sharing counts. Every metric carries the label `service`.
 */
export function buildMetrics(service: string) {
  const registry = new Registry();
  registry.setDefaultLabels({ service });
  collectDefaultMetrics({ register: registry, eventLoopMonitoringPrecision: lagSampleMs });
  const requests = new Histogram({
    name: "http_request_duration_seconds",
    help: "Time to answer, by route pattern (not by path: ids would make endless series)",
    labelNames: ["method", "route", "status"] as const,
    buckets: requestBuckets,
    registers: [registry],
  });
  return {
    registry,
    observeRequest(labels: { method: string; route: string; status: number }, seconds: number): void {
      requests.observe(labels, seconds);
    },
    counter: <L extends string = never>(name: string, help: string, labelNames: readonly L[] = []) =>
      new Counter<L>({ name, help, labelNames: [...labelNames], registers: [registry] }),
    /** A counter whose value is kept elsewhere, and read when it is asked for. */
    total: (name: string, help: string, read: () => number) =>
      new Counter({
        name,
        help,
        registers: [registry],
        collect() {
          this.reset();
          this.inc(read());
        },
      }),
    /** `collect` sets the value when it is asked for */
    gauge: <L extends string = never>(
      name: string,
      help: string,
      options: { labelNames?: readonly L[]; collect?: (gauge: Gauge<L>) => void | Promise<void> } = {},
    ) => {
      const { collect } = options;
      return new Gauge<L>({
        name,
        help,
        labelNames: [...(options.labelNames ?? [])],
        registers: [registry],
        ...(collect && {
          collect() {
            return collect(this);
          },
        }),
      });
    },
    histogram: <L extends string = never>(
      name: string,
      help: string,
      options: { labelNames?: readonly L[]; buckets?: number[] } = {},
    ) =>
      new Histogram<L>({
        name,
        help,
        labelNames: [...(options.labelNames ?? [])],
        ...(options.buckets && { buckets: options.buckets }),
        registers: [registry],
      }),
  };
}

/**
 * Keeps a label from making endless series: the first values are passed, all later ones are `(other)`. For what others name, such
 * as types of tasks.
 */
export function buildLabelBound(most = 200): (value: string) => string {
  const known = new Set<string>();
  return (value) => {
    if (known.size < most) known.add(value);
    return known.has(value) ? value : "(other)";
  };
}
