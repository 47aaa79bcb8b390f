import { randomBytes } from "node:crypto";
import { hostname } from "node:os";
import type { ConfigReport } from "@signalbox/common/contracts/service.ts";
import type { Span } from "@signalbox/common/contracts/span.ts";
import { buildDoorbell, type Doorbell } from "@signalbox/common/doorbell.ts";
import { buildHttp, type Listening, listen } from "@signalbox/common/http.ts";
import { buildLog, type Log, type LogHandle } from "@signalbox/common/log.ts";
import { observeLog } from "@signalbox/common/log-metrics.ts";
import { buildMetrics } from "@signalbox/common/metrics.ts";
import { buildRedactor } from "@signalbox/common/redact.ts";
import { buildRedisDoorbell } from "@signalbox/common/redis-doorbell.ts";
import { noSpans, openSpans, spanIdOf } from "@signalbox/common/spans.ts";
import { buildPool } from "@signalbox/common/sql.ts";
import { buildTail } from "@signalbox/common/tail.ts";
import { version } from "@signalbox/common/version.ts";
import type { Static } from "typebox";
import { buildGithubClient } from "./clients/github.ts";
import { buildLogSearch, type LogSearch } from "./clients/log-search.ts";
import { buildLogStreamClient } from "./clients/log-stream.ts";
import type { Context } from "./context.ts";
import { buildCallCounter, buildDeliveryCounter, observe } from "./instruments.ts";
import type { RunWatch } from "./loops/attempt.ts";
import { buildEngine, channels, type Engine, type EngineOptions } from "./loops/engine.ts";
import { buildGate } from "./loops/gate.ts";
import { buildHub } from "./loops/hub.ts";
import { buildOutbox, type Outbox } from "./loops/outbox.ts";
import { buildReconciler } from "./loops/reconciler.ts";
import { loadRules } from "./loops/rules-file.ts";
import { buildStreams } from "./loops/streams.ts";
import { buildWaiters } from "./loops/waiters.ts";
import { buildRoutes } from "./routes/all.ts";
import { buildSockets } from "./routes/sockets.ts";
import { toCallSpan, toRunSpans } from "./run-spans.ts";
import { toSealingKey } from "./secret-members.ts";
import type { settings as declared } from "./settings.ts";
import { connectionNameOf } from "./store/orchestrators.ts";
import type { LedgerEntry, LedgerStep } from "./store/rows.ts";
import { buildStore } from "./store.ts";
import { parseHook } from "./webhook-reconcile.ts";
import type { RuleBook } from "./webhook-rules.ts";
import { toSenders } from "./webhook-signature.ts";

export type Settings = Static<typeof declared.schema>;
/** What stands in for a part of the real thing. */
export type Overrides = Pick<EngineOptions, "agents">;

const clientGraceMs = 2_000;
const requestGraceMs = 5_000;
/** Fewer than the connections to PostgreSQL: claims and answers need some too. */
const deliveriesAtOnce = 4;

/** Builds the whole orchestrator from its settings; nothing runs and nothing is connected before `start`. */
export function buildApp(settings: Settings, report: () => ConfigReport, overrides: Overrides = {}) {
  // Before all else: with wrong rules nothing must be started.
  const book = loadRules(settings.WEBHOOK_RULES_FILE);
  // Per boot, not per host: a restarted process must not take the leases of its dead self for its own.
  const instance = `${hostname().slice(0, 20)}-${process.pid}-${randomBytes(3).toString("hex")}`;
  const redaction = { keys: settings.LOG_REDACT_KEYS, patterns: settings.LOG_REDACT_PATTERNS };
  const { redact: hide } = buildRedactor(redaction);
  const logs = buildLog({
    service: "orchestrator",
    level: settings.LOG_LEVEL,
    format: settings.LOG_FORMAT,
    redaction,
    runId: settings.RUN_ID ?? instance,
    delivery: { url: settings.LOGGING_URL, internalKey: settings.INTERNAL_KEY, spoolDir: settings.SPOOL_DIR ?? null },
  });
  const { log } = logs;
  const watching = buildWatching(settings, instance, logs);
  const database = buildDatabase(settings, instance, log);
  const live = buildLive({ settings, database, instance, log });
  const sealingKey = settings.SECRETS_KEY === undefined ? null : toSealingKey(settings.SECRETS_KEY);
  const engine = buildEngine({
    ...database,
    hub: live.hub,
    internalKey: settings.INTERNAL_KEY,
    sealingKey,
    instance,
    log,
    watch: watching.watch,
    hide,
    ...overrides,
  });
  const reconciling = buildReconciling({ settings, database, instance, log });
  const outbox = buildOutboxOf({ settings, database, live, sealingKey, log });
  const edge = buildEdge({ settings, report, database, live, engine, outbox, sealingKey, book, log, hide, watching });
  return {
    logs,
    routes: edge.http.routes,
    port: edge.port,
    async start(): Promise<void> {
      live.start();
      engine.start();
      outbox.start();
      await database.doorbell.start();
      reconciling?.start();
      const port = await edge.start();
      log.info({ port, instance }, `orchestrator listens on port ${port}`);
    },
    /** Takes no more work, lets runs finish, hands back the rest, then lets go of clients, logs and connections. */
    async stop(): Promise<void> {
      const graceMs = settings.DRAIN_SECONDS * 1_000;
      await Promise.all([engine.stop(graceMs), outbox.stop(graceMs), reconciling?.stop()]);
      live.waiters.release();
      await edge.stop();
      await live.stop();
      await Promise.all([database.stop(), watching.spans.close()]);
      log.info("orchestrator stopped");
      await logs.close();
    },
  };
}

/** Metrics and traces. */
function buildWatching(settings: Settings, instance: string, logs: LogHandle) {
  const metrics = buildMetrics("orchestrator");
  observeLog(metrics, logs);
  const spans = openSpans(settings, { service: "orchestrator", version, instance }, logs.log);
  const countCall = buildCallCounter(metrics);
  const record = (made: readonly Span[]) => {
    for (const span of made) spans.record(span);
  };
  const watch: RunWatch = {
    called(call) {
      countCall(call);
      if (spans !== noSpans) record([toCallSpan(call, spanIdOf)]);
    },
    ended: (run) => spans !== noSpans && record(toRunSpans(run, spanIdOf)),
  };
  return { metrics, spans, watch };
}

function buildDatabase(settings: Settings, instance: string, log: Log) {
  const name = connectionNameOf(instance);
  const url = settings.DATABASE_URL;
  const complain = (what: string) => (error: unknown) => log.warn({ err: error }, what);
  const pool = buildPool({
    url,
    name,
    max: settings.DATABASE_POOL_SIZE,
    avoidsScans: true,
    onError: complain("a database connection failed"),
  });
  const doorbell = settings.REDIS_URL === undefined ? overPostgres() : overRedis(settings.REDIS_URL);

  function overPostgres(): Doorbell {
    const onError = complain("the doorbell's connection failed; polling goes on");
    return buildDoorbell({ pool, url, name, self: instance, onError });
  }

  function overRedis(redisUrl: string): Doorbell {
    const onAway = complain("Redis cannot be used; polling goes on, and this will be tried again");
    const onBack = () => log.info("Redis can be used again");
    return buildRedisDoorbell({ url: redisUrl, self: instance, onAway, onBack });
  }

  return {
    pool,
    store: buildStore(pool),
    doorbell,
    async stop(): Promise<void> {
      await doorbell.stop();
      await pool.end();
    },
  };
}

type Database = ReturnType<typeof buildDatabase>;
type LiveOptions = { settings: Settings; database: Database; instance: string; log: Log };

/** What follows the ledger and the log stream, and hands both on. */
function buildLive({ settings, database, instance, log }: LiveOptions) {
  const { pool, store, doorbell } = database;
  const logStream = buildLogStreamClient({ url: settings.LOGGING_URL, internalKey: settings.INTERNAL_KEY });
  const tail = buildTail<LedgerEntry | LedgerStep>({
    pool,
    sequence: "task_events_seq",
    latest: store.latestEventSeq,
    read: (after, upTo, limit) => {
      const range = { after, upTo, limit };
      return hub.isFollowed() ? store.readLedger(range) : store.readSteps(range);
    },
    seqOf: (row) => row.seq,
    deliver: (page) => hub.publishEvents(page),
    onRewound(position) {
      log.warn({ position }, "PostgreSQL came back without its last events; whoever had seen them is told of a gap");
      hub.rewind(position);
    },
    onError: (error) => log.warn({ err: error }, "the ledger could not be followed; this will be tried again"),
  });
  const hub = buildHub({ tail, logs: logStream, log });
  const streams = buildStreams({ hub, store, logs: logStream, instance, version });
  const halting = new AbortController();
  let loops: Promise<unknown>[] = [];
  return {
    hub,
    tail,
    streams,
    waiters: buildWaiters(hub),
    start(): void {
      doorbell.on(channels.events, tail.ring);
      loops = [tail.run(halting.signal), hub.followLogs(halting.signal), streams.beat(halting.signal)];
    },
    async stop(): Promise<void> {
      halting.abort();
      await Promise.all(loops);
      await logStream.close();
    },
  };
}

type Live = ReturnType<typeof buildLive>;
/** What asks GitHub for deliveries that never arrived; null when no token or no hook is set. */
function buildReconciling({ settings, database: { store }, instance, log }: LiveOptions) {
  const { GITHUB_TOKEN: token, GITHUB_API_URL: url, GITHUB_RECONCILE_SECONDS: everySeconds } = settings;
  const hooks = settings.GITHUB_HOOKS.map(parseHook).filter((hook) => hook !== null);
  if (token === undefined || hooks.length === 0) return null;
  const github = buildGithubClient({ url, token });
  const reconciler = buildReconciler({ store, github, hooks, everySeconds, instance, log });
  const stopping = new AbortController();
  let running: Promise<void> = Promise.resolve();
  return {
    start(): void {
      running = reconciler.run(stopping.signal);
    },
    async stop(): Promise<void> {
      stopping.abort();
      // Cuts a call under way: the next orchestrator that looks makes up for it.
      await reconciler.close();
      await running;
    },
  };
}

type OutboxParts = { settings: Settings; database: Database; live: Live; sealingKey: Buffer | null; log: Log };

/** What tells subscribers of events. */
function buildOutboxOf({ settings, database, live, sealingKey, log }: OutboxParts): Outbox {
  const outbox = buildOutbox({
    store: database.store,
    tail: live.tail,
    hub: live.hub,
    sealingKey,
    allowPrivate: settings.SUBSCRIPTIONS_ALLOW_PRIVATE,
    publicUrl: settings.PUBLIC_URL ?? `http://${settings.HOST}:${settings.PORT}`,
    userAgent: `signalbox/${version}`,
    log,
  });
  database.doorbell.on(channels.subscriptions, outbox.ring);
  return outbox;
}

type EdgeOptions = {
  settings: Settings;
  report: () => ConfigReport;
  database: Database;
  live: Live;
  engine: Engine;
  outbox: Outbox;
  sealingKey: Buffer | null;
  book: RuleBook;
  log: Log;
  hide(value: unknown): unknown;
  watching: ReturnType<typeof buildWatching>;
};

/** HTTP and WebSocket. */
function buildEdge(options: EdgeOptions) {
  const { settings, report, engine, log } = options;
  const { store, pool } = options.database;
  const { streams, tail, hub } = options.live;
  const { metrics, spans } = options.watching;
  const previous = settings.INTERNAL_KEY_PREVIOUS;
  const credentials = {
    user: settings.BASIC_AUTH_USER,
    pass: settings.BASIC_AUTH_PASS,
    internalKeys: previous === undefined ? [settings.INTERNAL_KEY] : [settings.INTERNAL_KEY, previous],
  };
  const allowedOrigins = settings.WS_ALLOWED_ORIGINS;
  const sockets = buildSockets({ streams, credentials, allowedOrigins, log });
  const { roster, dispatcher, circuits } = engine;
  observe({ metrics, store, streams, dispatcher, tail, hub, pool, roster, circuits, outbox: options.outbox });
  const logs = buildLogSearch({ url: settings.LOGGING_URL, internalKey: settings.INTERNAL_KEY });
  const http = buildHttp({
    service: "orchestrator",
    version,
    routes: buildRoutes(toContext(options, logs)),
    credentials,
    allowedOrigins,
    log,
    report,
    metrics,
    spans,
    checks: async () => [...engine.checks(), await checkDatabase(store.ping)],
  });
  let listening: Listening | null = null;
  return {
    http,
    port: () => listening?.port ?? settings.PORT,
    async start(): Promise<number> {
      listening = await listen(http.app, { port: settings.PORT, host: settings.HOST, onUpgrade: sockets.upgrade });
      return listening.port;
    },
    async stop(): Promise<void> {
      await Promise.all([sockets.close(clientGraceMs), listening?.close(requestGraceMs)]);
      await logs.close();
    },
  };
}

/** What the routes may use. */
function toContext(options: EdgeOptions, logs: LogSearch): Context {
  const { settings, database, live, engine, sealingKey, book, log, hide, watching } = options;
  const { roster, catalog, scheduler, dispatcher, changed, insertTask } = engine;
  return {
    store: database.store,
    insertTask,
    catalog,
    roster,
    dispatcher,
    scheduler,
    streams: live.streams,
    waiters: live.waiters,
    logs,
    sealingKey,
    limits: {
      userPerMinute: settings.RATE_LIMIT_USER_PER_MINUTE,
      globalPerMinute: settings.RATE_LIMIT_GLOBAL_PER_MINUTE,
    },
    webhooks: {
      book,
      githubSecrets: [settings.GITHUB_WEBHOOK_SECRET, settings.GITHUB_WEBHOOK_SECRET_PREVIOUS].filter(
        (secret) => secret !== undefined,
      ),
      senders: toSenders(settings.WEBHOOK_SECRETS),
      gate: buildGate(deliveriesAtOnce),
      count: buildDeliveryCounter(watching.metrics),
    },
    allowPrivateReceivers: settings.SUBSCRIPTIONS_ALLOW_PRIVATE,
    log,
    hide: hide as Context["hide"],
    changed,
    scheduled: () => database.doorbell.ring(channels.schedules),
    subscribed: () => database.doorbell.ring(channels.subscriptions),
  };
}

async function checkDatabase(ping: () => Promise<unknown>) {
  const failure = await ping().then(
    () => null,
    () => "PostgreSQL does not answer",
  );
  return { name: "database", ok: failure === null, ...(failure !== null && { message: failure }) };
}
