import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { type Agent, type AgentOptions, serveAgent } from "@signalbox/common/agent.ts";
import type { ConfigReport } from "@signalbox/common/contracts/service.ts";
import { buildDoorbell } from "@signalbox/common/doorbell.ts";
import { buildLog, type LogHandle } from "@signalbox/common/log.ts";
import { buildMetrics } from "@signalbox/common/metrics.ts";
import { ConfigError } from "@signalbox/common/settings.ts";
import { buildPool } from "@signalbox/common/sql.ts";
import { version } from "@signalbox/common/version.ts";
import { buildFleet } from "./clients/fleet.ts";
import { buildGithub, type Github } from "./clients/github.ts";
import { buildPosthog } from "./clients/posthog.ts";
import type { Context } from "./context.ts";
import { observe } from "./instruments.ts";
import { askConsent } from "./loops/ask-consent.ts";
import { forecast } from "./loops/forecast.ts";
import type { Kit } from "./loops/kit.ts";
import { buildLeader } from "./loops/leader.ts";
import { buildMonitorBook } from "./loops/monitor-book.ts";
import { checkDefinition, loadMonitorFiles } from "./loops/monitor-files.ts";
import { recordMode } from "./loops/record-mode.ts";
import { runOnce } from "./loops/run.ts";
import { buildSeriesBook } from "./loops/series-book.ts";
import { setFlag } from "./loops/set-flag.ts";
import { runWakeup } from "./loops/wakeups.ts";
import { buildWatch, defaultPace, type WatchPace } from "./loops/watch.ts";
import { toPins } from "./monitor-check.ts";
import { findForbidden } from "./proposals.ts";
import { buildOwnRoutes, buildTypes } from "./routes/all.ts";
import type { Settings } from "./settings.ts";
import { buildStore } from "./store.ts";

const serviceName = "posthog-watcher";

/** What tests turn and make quicker. */
export type Overrides = Partial<AgentOptions> & {
  clock?: () => number;
  pace?: Partial<WatchPace>;
  lead?: { leaseMs: number; everyMs: number };
  patience?: number;
};

export type App = Agent & { isLeading(): boolean };

const shippedMonitors = join(import.meta.dirname, "..", "..", "infra", "monitors");
const channel = "watch_asked";
const defaultLead = { leaseMs: 15_000, everyMs: 4_000 };

/** Builds the whole service from its settings; nothing runs and nothing is connected before `start`. */
export function buildApp(settings: Settings, report: () => ConfigReport, overrides: Overrides = {}): App {
  const { clock = Date.now, pace, lead, patience = 1, ...agentOverrides } = overrides;
  ensureAllowed(settings);
  const holder = `${serviceName}-${randomBytes(4).toString("hex")}`;
  const logs = agentOverrides.logs ?? openLog(settings, holder);
  const base = buildBase(settings, { logs, holder, clock, patience });
  const { kit, pool, doorbell, book } = base;
  const watch = buildWatch(kit, { ...defaultPace, ...pace });
  const leader = buildLeader({ store: kit.store, holder, log: logs.log, ...(lead ?? defaultLead) });
  base.onIntent(() => watch.ring());
  doorbell.on(channel, () => watch.ring());
  const metrics = agentOverrides.metrics ?? buildMetrics(serviceName);
  observe(metrics, { store: kit.store, isLeading: leader.isLeading, budget: kit.posthog.budget });
  const context = toContext(settings, {
    kit,
    book,
    watch,
    isLeading: leader.isLeading,
    ring: () => doorbell.ring(channel),
  });
  const agent = serveAgent({
    settings,
    name: serviceName,
    version,
    report,
    types: buildTypes(context, kit.mode === "execute" ? kit.allow : []),
    routes: buildOwnRoutes(context),
    checks: async () => [await checkDatabase(kit.store.ping)],
    ...agentOverrides,
    logs,
    metrics,
  });
  const stopping = new AbortController();
  let working: Promise<void> | null = null;

  return {
    ...agent,
    isLeading: leader.isLeading,
    async start() {
      await agent.start();
      await doorbell.start();
      await recordMode(kit).catch((error: unknown) => logs.log.warn({ err: error }, "the mode was not recorded"));
      working = leader.run(watch.run, stopping.signal);
    },
    async stop() {
      stopping.abort();
      watch.ring();
      await working;
      await agent.stop();
      await Promise.all([doorbell.stop(), kit.fleet.close(), kit.posthog.close(), context.github?.close()]);
      await pool.end();
    },
  };
}

/** @throws ConfigError when the list of what may run unasked has something that never may */
function ensureAllowed({ POSTHOG_EXECUTE_ALLOW: allow }: Settings): void {
  const forbidden = findForbidden(allow);
  if (forbidden.length === 0) return;
  const message = `names ${forbidden.join(", ")}, which always waits for an approval`;
  throw new ConfigError(serviceName, [{ key: "POSTHOG_EXECUTE_ALLOW", message }]);
}

type Terms = { logs: LogHandle; holder: string; clock: () => number; patience: number };

function buildBase(settings: Settings, { logs: { log }, holder, clock, patience }: Terms) {
  const complain = (what: string) => (error: unknown) => log.warn({ err: error }, what);
  const name = "signalbox posthog-watcher";
  const url = settings.DATABASE_URL;
  const pool = buildPool({ url, name, max: 8, onError: complain("a database connection failed") });
  const doorbell = buildDoorbell({ pool, url, name, self: holder, onError: complain("the doorbell failed") });
  const store = buildStore(pool);
  const pins = toPins({
    events: settings.POSTHOG_PIN_EVENTS,
    properties: settings.POSTHOG_PIN_PROPERTIES,
    insights: settings.POSTHOG_PIN_INSIGHTS,
    flags: settings.POSTHOG_PIN_FLAGS,
  });
  const book = buildMonitorBook({
    store,
    files: loadMonitorFiles(settings.MONITORS_DIR ?? shippedMonitors, pins),
    pins,
  });
  const host = settings.POSTHOG_HOST.replace(/\/+$/, "");
  const timezone = settings.POSTHOG_TIMEZONE;
  let intended: () => void = () => undefined;
  const kit: Kit = {
    ...{ store, log, clock, pins, timezone },
    posthog: buildPosthog({
      ...{ host, projectId: settings.POSTHOG_PROJECT_ID, apiKey: settings.POSTHOG_API_KEY, clock, patience },
      budget: { perMinute: settings.POSTHOG_REQUESTS_PER_MINUTE, perHour: settings.POSTHOG_REQUESTS_PER_HOUR },
    }),
    fleet: buildFleet({ orchestratorUrl: settings.ORCHESTRATOR_URL, internalKey: settings.INTERNAL_KEY }),
    book: buildSeriesBook({ store, timezone }),
    holidays: new Set(settings.POSTHOG_HOLIDAYS),
    mode: settings.POSTHOG_MODE,
    allow: settings.POSTHOG_EXECUTE_ALLOW,
    mayAct: settings.POSTHOG_MAY_ACT,
    executePerDay: settings.POSTHOG_EXECUTE_PER_DAY,
    checkMs: settings.POSTHOG_CHECK_MINUTES * 60_000,
    projectUrl: `${host}/project/${settings.POSTHOG_PROJECT_ID}`,
    monitors: book.inForce,
    intended: () => intended(),
  };
  const onIntent = (listener: () => void) => {
    intended = listener;
  };
  return { kit, pool, doorbell, book, onIntent };
}

function openLog(settings: Settings, runId: string): LogHandle {
  return buildLog({
    service: serviceName,
    level: settings.LOG_LEVEL,
    format: settings.LOG_FORMAT,
    redaction: { keys: settings.LOG_REDACT_KEYS, patterns: settings.LOG_REDACT_PATTERNS },
    runId: settings.RUN_ID ?? runId,
    delivery: { url: settings.LOGGING_URL, internalKey: settings.INTERNAL_KEY, spoolDir: settings.SPOOL_DIR ?? null },
  });
}

type Parts = Pick<Context, "kit" | "book" | "ring" | "isLeading"> & { watch: ReturnType<typeof buildWatch> };

function toContext(settings: Settings, { watch, ...parts }: Parts): Context {
  const { kit } = parts;
  return {
    ...parts,
    github: openGithub(settings),
    webhook: {
      secret: settings.POSTHOG_WEBHOOK_SECRET ?? null,
      signingSecret: settings.POSTHOG_WEBHOOK_SIGNING_SECRET ?? null,
    },
    status: watch.status,
    checkDefinition: (name, definition) => checkDefinition(name, definition, kit.pins),
    forecast: (wish, signal) => forecast(kit, wish, signal),
    runNow: (only, key, signal) => runOnce(kit, { only, isForced: true, key }, signal),
    runWakeup: (wish, signal) => runWakeup(kit, wish, signal),
    findRefusal: (task) => askConsent(kit, task),
    setFlag: (wish) => setFlag(kit.posthog, wish),
  };
}

function openGithub({
  POSTHOG_ISSUE_REPO: repository,
  GITHUB_TOKEN: token,
  GITHUB_API_URL: url,
}: Settings): Github | null {
  return repository === undefined || token === undefined ? null : buildGithub({ url, token, repository });
}

async function checkDatabase(ping: () => Promise<unknown>) {
  return await ping().then(
    () => ({ name: "database", ok: true }),
    () => ({ name: "database", ok: false, message: "PostgreSQL does not answer" }),
  );
}
