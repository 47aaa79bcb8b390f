import { randomUUID } from "node:crypto";
import type { Credentials } from "@signalbox/common/auth.ts";
import type { ConfigReport } from "@signalbox/common/contracts/service.ts";
import { buildHttp, type Listening, listen } from "@signalbox/common/http.ts";
import { buildLog, type Log } from "@signalbox/common/log.ts";
import { buildMetrics } from "@signalbox/common/metrics.ts";
import { buildRedactor } from "@signalbox/common/redact.ts";
import { openSpans } from "@signalbox/common/spans.ts";
import { buildPool, type Pool } from "@signalbox/common/sql.ts";
import { buildTail, type Tail } from "@signalbox/common/tail.ts";
import { version } from "@signalbox/common/version.ts";
import type { Static } from "typebox";
import { buildInstruments } from "./instruments.ts";
import { buildIngest, type Ingest } from "./loops/ingest.ts";
import { buildRetention } from "./loops/retention.ts";
import { buildStreams } from "./loops/streams.ts";
import { buildRoutes } from "./routes/all.ts";
import type { settings as declared } from "./settings.ts";
import { buildStore } from "./store.ts";

export type Settings = Static<typeof declared.schema>;

/** Inserts and the tail; searches and streams that catch up. Four and four, as there are at most two inserts at once. */
const connections = { writes: 4, reads: 4 };

/** A poll costs four small statements, and under load there is always something new: more of them would slow the inserts down. */
const tailSpacingMs = 25;

/** Builds the whole service from its settings; nothing runs and nothing is connected before `start`. */
export function buildApp(settings: Settings, report: () => ConfigReport) {
  const redaction = { keys: settings.LOG_REDACT_KEYS, patterns: settings.LOG_REDACT_PATTERNS };
  // It never delivers to itself: a failure to store would make records about it that fail to be stored.
  const runId = settings.RUN_ID ?? randomUUID();
  const logs = buildLog({
    service: "logging",
    level: settings.LOG_LEVEL,
    format: settings.LOG_FORMAT,
    redaction,
    runId,
    delivery: null,
  });
  const { log } = logs;
  const core = buildCore(settings, log);
  const spans = openSpans(settings, { service: "logging", version, instance: runId }, log);
  const http = buildHttp({
    service: "logging",
    version,
    routes: buildRoutes({
      ...core,
      hide: buildRedactor(redaction).redact,
      onRejected: core.instruments.onRejected,
    }),
    credentials: toCredentials(settings),
    allowedOrigins: settings.WS_ALLOWED_ORIGINS,
    log,
    report,
    metrics: core.metrics,
    spans,
    checks: async () => [await checkDatabase(core.store.ping)],
  });
  let listening: Listening | null = null;

  return {
    logs,
    routes: http.routes,
    port: () => listening?.port ?? settings.PORT,
    async start(): Promise<void> {
      core.start();
      listening = await listen(http.app, { port: settings.PORT, host: settings.HOST });
      log.info({ port: listening.port }, `logging listens on port ${listening.port}`);
    },
    /** Ends the streams, answers what was already sent, then lets go of the database. */
    async stop(): Promise<void> {
      await listening?.close(10_000);
      await Promise.all([core.stop(), spans.close()]);
      log.info("logging stopped");
      await logs.close();
    },
  };
}

/** All but HTTP: what stores, what follows, and what tends the days. */
function buildCore(settings: Settings, log: Log) {
  const complain = (what: string) => (error: unknown) => log.warn({ err: error }, what);
  const pools = openPools(settings, complain("a database connection failed"));
  const store = buildStore(pools);
  const metrics = buildMetrics("logging");
  const streams = buildStreams({ store, tail: () => tail });
  const keeping = { retentionDays: settings.LOG_RETENTION_DAYS, maxBytes: settings.LOG_RETENTION_MB * 1_048_576 };
  const { maxBytes } = keeping;
  const watched = { ingest: () => ingest, streams, tail: () => tail, pools, store, maxBytes };
  const instruments = buildInstruments(metrics, watched);
  const tail: Tail = buildTail({
    pool: pools.writes,
    sequence: "logs_seq",
    latest: store.latestSeq,
    read: streams.readTail,
    seqOf: ({ seq }) => seq,
    deliver: streams.publish,
    onRewound: streams.rewind,
    onError: complain("the log could not be followed; this will be tried again"),
    spacingMs: tailSpacingMs,
  });
  const ingest: Ingest = buildIngest({
    store,
    onStored(given, stored) {
      instruments.onStored(given, stored);
      tail.ring();
    },
  });
  const retention = buildRetention({ store, ...keeping, log, onDropped: instruments.onDropped });
  const stopping = new AbortController();
  let loops: Promise<void>[] = [];
  return {
    ...{ store, metrics, streams, instruments, ingest, keeping },
    start(): void {
      loops = [tail, retention, { run: streams.beat }].map((loop) => loop.run(stopping.signal));
    },
    async stop(): Promise<void> {
      stopping.abort();
      await Promise.all(loops);
      await Promise.all([pools.writes.end(), pools.reads.end()]);
    },
  };
}

function openPools({ DATABASE_URL: url }: Settings, onError: (error: unknown) => void): { writes: Pool; reads: Pool } {
  // The tail's statement is one whose plan is kept; a search over hours may rightly read whole days.
  const open = (use: keyof typeof connections) =>
    buildPool({ url, name: `signalbox logging ${use}`, max: connections[use], avoidsScans: use === "writes", onError });
  return { writes: open("writes"), reads: open("reads") };
}

function toCredentials(settings: Settings): Credentials {
  const { BASIC_AUTH_USER: user, BASIC_AUTH_PASS: pass, INTERNAL_KEY, INTERNAL_KEY_PREVIOUS } = settings;
  return { user, pass, internalKeys: [INTERNAL_KEY, INTERNAL_KEY_PREVIOUS].filter((key) => key !== undefined) };
}

async function checkDatabase(ping: () => Promise<unknown>) {
  return await ping().then(
    () => ({ name: "database", ok: true }),
    () => ({ name: "database", ok: false, message: "PostgreSQL does not answer" }),
  );
}
