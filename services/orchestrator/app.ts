import { randomBytes } from "node:crypto";
import { hostname } from "node:os";
import type { ConfigReport } from "@signalbox/common/contracts/service.ts";
import { buildDoorbell } from "@signalbox/common/doorbell.ts";
import { buildHttp, type Listening, listen } from "@signalbox/common/http.ts";
import { buildLog } from "@signalbox/common/log.ts";
import { buildMetrics } from "@signalbox/common/metrics.ts";
import { buildPool } from "@signalbox/common/sql.ts";
import { buildTail } from "@signalbox/common/tail.ts";
import { version } from "@signalbox/common/version.ts";
import type { Static } from "typebox";
import { buildAgentClient } from "./clients/agent.ts";
import { buildLogStreamClient } from "./clients/log-stream.ts";
import type { Context } from "./context.ts";
import { observe } from "./instruments.ts";
import { buildDispatcher } from "./loops/dispatch.ts";
import { buildFinishQueue } from "./loops/finish-queue.ts";
import { buildHub } from "./loops/hub.ts";
import { buildLeaseKeeper, buildReaper } from "./loops/leases.ts";
import { buildRoster } from "./loops/roster.ts";
import { buildStreams } from "./loops/streams.ts";
import { buildTimers } from "./loops/timers.ts";
import { buildTypeCatalog } from "./loops/type-catalog.ts";
import { buildWaiters } from "./loops/waiters.ts";
import { buildRoutes } from "./routes/all.ts";
import { buildSockets } from "./routes/sockets.ts";
import type { settings as declared } from "./settings.ts";
import { buildStore } from "./store.ts";
import { hasEnded } from "./transition.ts";

export type Settings = Static<typeof declared.schema>;

/** Channels of the doorbell between orchestrators. */
const channels = { tasks: "signalbox_tasks", events: "signalbox_events", agents: "signalbox_agents" } as const;

/** Builds the whole orchestrator from its settings; nothing runs and nothing is connected before `start`. */
export function buildApp(settings: Settings, report: () => ConfigReport) {
  // Per boot, not per host: a restarted process must not take the leases of its dead self for its own.
  const instance = `${hostname().slice(0, 40)}-${process.pid}-${randomBytes(3).toString("hex")}`;
  const logs = buildLog({
    service: "orchestrator",
    level: settings.LOG_LEVEL,
    format: settings.LOG_FORMAT,
    runId: settings.RUN_ID ?? instance,
    delivery: { url: settings.LOGGING_URL, internalKey: settings.INTERNAL_KEY, spoolDir: settings.SPOOL_DIR ?? null },
  });
  const { log } = logs;
  const stopping = new AbortController();
  const halting = new AbortController();
  const complain = (what: string) => (error: unknown) => log.warn({ err: error }, what);

  const pool = buildPool({
    url: settings.DATABASE_URL,
    name: "signalbox orchestrator",
    max: settings.DATABASE_POOL_SIZE,
    onError: complain("a database connection failed"),
  });
  const store = buildStore(pool);
  const doorbell = buildDoorbell({
    pool,
    url: settings.DATABASE_URL,
    name: "signalbox orchestrator",
    self: instance,
    onError: complain("the doorbell's connection failed"),
  });
  const logStream = buildLogStreamClient({ url: settings.LOGGING_URL, internalKey: settings.INTERNAL_KEY });
  const agents = buildAgentClient({ internalKey: settings.INTERNAL_KEY, connectionsPerAgent: 256 });

  const hub = buildHub({ tail: () => tail, logs: logStream, log });
  const tail = buildTail({
    pool,
    sequence: "task_events_seq",
    latest: store.latestEventSeq,
    read: (after, upTo, limit) => store.readLedger({ after, upTo, limit }),
    seqOf: (entry) => entry.seq,
    deliver: hub.publishEvents,
    onError: complain("the ledger could not be followed; this will be tried again"),
  });
  const roster = buildRoster({
    store,
    owner: instance,
    onChange: () => doorbell.ring(channels.agents),
    onError: complain("the agents could not be read"),
  });
  const finishes = buildFinishQueue({
    store,
    onWritten: (promoted) => changed({ claimable: promoted > 0 }),
    onError: (error, finish) =>
      log.warn({ err: error, ...(finish && { taskId: finish.lease.taskId }) }, "the end of a run could not be written"),
    signal: halting.signal,
  });
  const dispatcher = buildDispatcher({
    store,
    roster,
    agents,
    finishes,
    owner: instance,
    log,
    onStarted: () => doorbell.ring(channels.events),
  });
  const leaseKeeper = buildLeaseKeeper({ store, dispatcher, log });
  const reaper = buildReaper({ store, log, onReaped: () => changed({ claimable: true }) });
  const timers = buildTimers({ store, log, onReady: () => changed({ claimable: true }) });
  const catalog = buildTypeCatalog({ store, roster });
  const waiters = buildWaiters(hub);
  const streams = buildStreams({ hub, store, logs: logStream, instance, version });
  const credentials = {
    user: settings.BASIC_AUTH_USER,
    pass: settings.BASIC_AUTH_PASS,
    internalKeys: [
      settings.INTERNAL_KEY,
      ...(settings.INTERNAL_KEY_PREVIOUS === undefined ? [] : [settings.INTERNAL_KEY_PREVIOUS]),
    ],
  };
  const sockets = buildSockets({ streams, credentials, allowedOrigins: settings.WS_ALLOWED_ORIGINS, log });
  const metrics = buildMetrics("orchestrator");
  observe({ metrics, store, streams, dispatcher, tail, hub, pool });

  function changed({ claimable = false, timed = false }: { claimable?: boolean; timed?: boolean }): void {
    doorbell.ring(channels.events);
    if (claimable) doorbell.ring(channels.tasks);
    if (timed) timers.ring();
  }

  const context: Context = { store, catalog, roster, dispatcher, streams, waiters, log, changed };
  const http = buildHttp({
    service: "orchestrator",
    version,
    routes: buildRoutes(context),
    credentials,
    allowedOrigins: settings.WS_ALLOWED_ORIGINS,
    log,
    report,
    metrics,
    checks: async () => [await checkDatabase(store.ping)],
  });
  let listening: Listening | null = null;
  let loops: Promise<unknown>[] = [];

  return {
    logs,
    routes: http.routes,
    port: () => listening?.port ?? settings.PORT,
    async start(): Promise<void> {
      doorbell.on(channels.tasks, dispatcher.ring);
      doorbell.on(channels.events, tail.ring);
      doorbell.on(channels.agents, () => {
        roster.ring();
        dispatcher.ring();
      });
      hub.onEntry(({ event, task }) => {
        // Somebody ended or took away a run that may be ours; if it is, its agent is told to stop.
        if (event.kind !== "started" && (hasEnded(task.status) || task.status === "waiting"))
          dispatcher.drop(task.id, task.attempt);
      });
      await doorbell.start();
      loops = [
        tail.run(halting.signal),
        hub.followLogs(halting.signal),
        streams.beat(halting.signal),
        leaseKeeper.run(halting.signal),
        roster.run(stopping.signal),
        reaper.run(stopping.signal),
        timers.run(stopping.signal),
        dispatcher.run(stopping.signal),
      ];
      listening = await listen(http.app, { port: settings.PORT, host: settings.HOST, onUpgrade: sockets.upgrade });
      log.info({ port: listening.port, instance }, `orchestrator listens on port ${listening.port}`);
    },
    /** Takes no more work, lets runs finish, hands back the rest, then lets go of clients, logs and connections. */
    async stop(): Promise<void> {
      stopping.abort();
      await dispatcher.drain(settings.DRAIN_SECONDS * 1_000);
      await Promise.all([sockets.close(2_000), listening?.close(5_000)]);
      halting.abort();
      await Promise.all(loops);
      await Promise.all([agents.close(), logStream.close(), doorbell.stop()]);
      await pool.end();
      log.info("orchestrator stopped");
      await logs.close();
    },
  };
}

async function checkDatabase(ping: () => Promise<unknown>) {
  const failure = await ping().then(
    () => null,
    () => "PostgreSQL does not answer",
  );
  return { name: "database", ok: failure === null, ...(failure !== null && { message: failure }) };
}
