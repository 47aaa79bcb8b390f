import { buildLabelBound, type Metrics } from "@signalbox/common/metrics.ts";
import type { Tail } from "@signalbox/common/tail.ts";
import type { Circuits } from "./loops/circuits.ts";
import type { Dispatcher } from "./loops/dispatch.ts";
import type { Hub } from "./loops/hub.ts";
import type { Outbox } from "./loops/outbox.ts";
import type { Roster } from "./loops/roster.ts";
import type { Streams } from "./loops/streams.ts";
import type { TracedCall } from "./run-spans.ts";
import type { Store } from "./store.ts";

type Watched = {
  metrics: Metrics;
  store: Store;
  streams: Streams;
  dispatcher: Dispatcher;
  tail: Tail;
  hub: Hub;
  roster: Roster;
  circuits: Circuits;
  outbox: Outbox;
  pool: { totalCount: number; idleCount: number; waitingCount: number };
};

const runBuckets = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800];

/** What an operator watches: how much waits and how long, how long runs take, how they end, and what the streams cost. */
export function observe(watched: Watched): void {
  observeTasks(watched);
  observeRouting(watched);
  observeStreams(watched);
  observeOutbox(watched);
}

/** Counts what comes in; the source is one that is known, never what a stranger wrote. */
export function buildDeliveryCounter(metrics: Metrics): (source: string, outcome: string) => void {
  const deliveries = metrics.counter(
    "signalbox_webhook_deliveries_total",
    "Webhook deliveries that came in, by source and what became of them",
    ["source", "outcome"],
  );
  return (source, outcome) => deliveries.inc({ source, outcome });
}

/** How calls of agents end and what they take; their names are given by whoever registers, so they are bounded. */
export function buildCallCounter(metrics: Metrics): (call: TracedCall) => void {
  const seconds = metrics.histogram(
    "signalbox_agent_call_seconds",
    "Time that an agent took to answer, by agent and what came: a class of status, timeout, unreachable or rubbish",
    { labelNames: ["agent", "outcome"], buckets: runBuckets },
  );
  const bound = buildLabelBound();
  return ({ agent, answer, startMs, endMs }) => {
    const outcome = answer.kind === "answered" ? `${Math.floor(answer.status / 100)}xx` : answer.kind;
    seconds.observe({ agent: bound(agent), outcome }, secondsBetween(startMs, endMs));
  };
}

function observeOutbox({ metrics, outbox, store }: Watched): void {
  const attempts = metrics.counter(
    "signalbox_outgoing_deliveries_total",
    "Attempts to deliver an event to a subscriber, by outcome",
    ["outcome"],
  );
  const seconds = metrics.histogram("signalbox_outgoing_delivery_seconds", "Time that an attempt to deliver took", {
    labelNames: ["outcome"],
    buckets: runBuckets,
  });
  outbox.onAttempt((outcome, took) => {
    attempts.inc({ outcome });
    seconds.observe({ outcome }, took);
  });
  const measure = shareReading(store.measureOutbox);
  metrics.gauge("signalbox_outgoing_pending", "Events that wait for subscribers, in all", {
    collect: async (gauge) => gauge.set((await measure()).pending),
  });
  const age = "Age of the oldest event that waits for a subscriber; 0 when none does";
  metrics.gauge("signalbox_outgoing_oldest_seconds", age, {
    collect: async (gauge) => gauge.set((await measure()).oldestSeconds),
  });
}

function observeTasks({ metrics, store, hub }: Watched): void {
  const events = metrics.counter("signalbox_task_events_total", "Events written to the ledger, by kind and task type", [
    "kind",
    "type",
  ]);
  const runs = metrics.histogram(
    "signalbox_task_run_seconds",
    "Time from the start of an attempt to its end, by type and how it ended",
    {
      labelNames: ["type", "outcome"],
      buckets: runBuckets,
    },
  );
  const waits = metrics.histogram(
    "signalbox_task_wait_seconds",
    "Time from when a task was due to the start of its first attempt",
    {
      labelNames: ["type"],
      buckets: runBuckets,
    },
  );
  const bound = buildLabelBound();
  hub.onStep(({ kind, type: name, attempt, atMs, runAtMs, startedMs }) => {
    const type = bound(name);
    events.inc({ kind, type });
    if (kind === "started" && attempt === 1) waits.observe({ type }, secondsBetween(runAtMs, atMs));
    if ((kind === "completed" || kind === "failed") && startedMs !== null) {
      runs.observe({ type, outcome: kind }, secondsBetween(startedMs, atMs));
    }
  });
  const readOpen = shareReading(store.countByStatus);
  metrics.gauge("signalbox_tasks_open", "Tasks that have not ended, by status and type", {
    labelNames: ["status", "type"],
    async collect(gauge) {
      const rows = await readOpen();
      gauge.reset();
      for (const { status, type, count } of rows) gauge.set({ status, type }, count);
    },
  });
  metrics.gauge("signalbox_tasks_oldest_seconds", "Age of the oldest open task, by status and type", {
    labelNames: ["status", "type"],
    async collect(gauge) {
      const rows = await readOpen();
      gauge.reset();
      for (const { status, type, oldestSeconds } of rows) gauge.set({ status, type }, oldestSeconds);
    },
  });
}

/** Gauges that are collected at the same moment share one reading. */
function shareReading<T>(read: () => Promise<T>): () => Promise<T> {
  let reading: Promise<T> | null = null;
  return () => {
    reading ??= read().finally(() => {
      reading = null;
    });
    return reading;
  };
}

function observeRouting({ metrics, dispatcher, roster, circuits }: Watched): void {
  metrics.gauge("signalbox_runs_in_flight", "Attempts that this orchestrator is running", {
    collect: (gauge) => gauge.set(dispatcher.busy()),
  });
  metrics.gauge("signalbox_orchestrators", "Orchestrators that share out the slots of agents, this one among them", {
    collect: (gauge) => gauge.set(roster.standing().of),
  });
  metrics.gauge("signalbox_circuits_open", "Agent instances that this orchestrator leaves alone because they failed", {
    collect: (gauge) => gauge.set(circuits.states().size),
  });
}

function observeStreams({ metrics, streams, tail, pool }: Watched): void {
  metrics.gauge("signalbox_stream_clients", "Live streams that are open here", {
    collect: (gauge) => gauge.set(streams.count()),
  });
  metrics.total(
    "signalbox_stream_frames_total",
    "Frames that were sent to the clients of live streams",
    streams.framesSent,
  );
  metrics.gauge("signalbox_stream_pending_bytes", "Bytes of frames that the slowest live stream has not taken yet", {
    collect: (gauge) => gauge.set(streams.mostPendingBytes()),
  });
  metrics.gauge("signalbox_tail_lag_seconds", "How long the live tail has been held back by an open transaction", {
    collect: (gauge) => gauge.set(tail.lagMs() / 1_000),
  });
  metrics.gauge("signalbox_database_connections", "Connections of the pool, by state", {
    labelNames: ["state"],
    collect(gauge) {
      gauge.set({ state: "busy" }, pool.totalCount - pool.idleCount);
      gauge.set({ state: "idle" }, pool.idleCount);
      gauge.set({ state: "waited_for" }, pool.waitingCount);
    },
  });
}

function secondsBetween(fromMs: number, toMs: number): number {
  return Math.max(0, (toMs - fromMs) / 1_000);
}
