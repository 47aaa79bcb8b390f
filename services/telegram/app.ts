import { createHash, createHmac, randomBytes } from "node:crypto";
import { join } from "node:path";
import { type Agent, type AgentOptions, serveAgent } from "@signalbox/common/agent.ts";
import type { ConfigReport } from "@signalbox/common/contracts/service.ts";
import { buildDoorbell } from "@signalbox/common/doorbell.ts";
import { unavailable } from "@signalbox/common/errors.ts";
import { buildLog, type Log } from "@signalbox/common/log.ts";
import { buildMetrics } from "@signalbox/common/metrics.ts";
import { ConfigError } from "@signalbox/common/settings.ts";
import { buildPool } from "@signalbox/common/sql.ts";
import { version } from "@signalbox/common/version.ts";
import { type BotIdentity, buildBotApi } from "./clients/bot-api.ts";
import { buildFleet } from "./clients/fleet.ts";
import { buildMailNotifier } from "./clients/mail.ts";
import { buildSlackNotifier } from "./clients/slack.ts";
import type { Context } from "./context.ts";
import { observe } from "./instruments.ts";
import { type Bell, defaultPace, type Kit, type Pace } from "./loops/kit.ts";
import { defaultLeadPace, type LeadPace } from "./loops/leader.ts";
import { loadRules } from "./loops/rules-file.ts";
import { buildWork } from "./loops/work.ts";
import type { Notifier } from "./notifier.ts";
import { judgeNotice, type NoticeKind, noticeKinds } from "./notify-rules.ts";
import { buildOwnRoutes, buildTypes } from "./routes/all.ts";
import type { Settings } from "./settings.ts";
import { buildStore } from "./store.ts";

const serviceName = "telegram";

/** What tests make quicker. */
export type Overrides = Partial<AgentOptions> & { pace?: Partial<Pace>; leadPace?: Partial<LeadPace> };

const shippedRules = join(import.meta.dirname, "..", "..", "infra", "notify-rules.yaml");

export type App = Agent & { isLeading(): boolean };

/** Builds the whole service from its settings; nothing runs and nothing is connected before `start`. */
export function buildApp(settings: Settings, report: () => ConfigReport, overrides: Overrides = {}): App {
  const { pace, leadPace, ...agentOverrides } = overrides;
  const webhook = toWebhook(settings);
  const holder = `telegram-${process.pid}-${randomBytes(4).toString("hex")}`;
  const logs = agentOverrides.logs ?? openLog(settings, holder);
  const metrics = agentOverrides.metrics ?? buildMetrics(serviceName);
  const database = openDatabase(settings, holder, logs.log);
  const kit: Kit = {
    ...buildOutside(settings),
    ...toPlan(settings),
    bot: database.bot,
    store: database.store,
    log: logs.log,
    pace: { ...defaultPace, ...pace },
    ring: (bell) => database.doorbell.ring(channelOf(bell)),
    count: observe(metrics, { store: database.store, isLeading: () => work.isLeading() }).count,
  };
  const notifiers = buildNotifiers(settings);
  const work = buildWork(kit, {
    holder,
    leadPace: { ...defaultLeadPace, ...leadPace },
    webhook,
    retentionDays: settings.TELEGRAM_RETENTION_DAYS,
    notifiers,
  });
  for (const bell of bells) database.doorbell.on(channelOf(bell), () => work.ring(bell));
  const context = toContext({ settings, kit, isLeading: work.isLeading });
  const agent = serveAgent({
    settings,
    name: serviceName,
    version,
    report: () => withWebhook(settings, report()),
    types: buildTypes(context),
    routes: buildOwnRoutes(context),
    checks: async () => [await checkDatabase(kit.store.ping), await checkTelegram(kit.identity)],
    ...agentOverrides,
    logs,
    metrics,
  });
  const stopping = new AbortController();
  let working: Promise<void> = Promise.resolve();

  return {
    ...agent,
    isLeading: work.isLeading,
    async start() {
      await agent.start();
      await database.doorbell.start();
      working = work.run(stopping.signal);
    },
    async stop() {
      stopping.abort();
      await working;
      await agent.stop();
      await Promise.all([database.doorbell.stop(), kit.fleet.close(), ...notifiers.map(({ close }) => close())]);
      await database.pool.end();
    },
  };
}

const bells = ["inbox", "outbox", "notices"] as const;

function openDatabase(settings: Settings, holder: string, log: Log) {
  const complain = (what: string) => (error: unknown) => log.warn({ err: error }, what);
  const name = "signalbox telegram";
  const url = settings.DATABASE_URL;
  const pool = buildPool({ url, name, max: 8, onError: complain("a database connection failed") });
  const doorbell = buildDoorbell({ pool, url, name, self: holder, onError: complain("the doorbell failed") });
  const bot = botOf(settings.TELEGRAM_BOT_TOKEN);
  return { pool, doorbell, bot, store: buildStore(pool, bot) };
}

/** Telegram and the rest of the fleet. */
function buildOutside(settings: Settings): Pick<Kit, "api" | "fleet" | "identity" | "toToken"> {
  const api = buildBotApi({
    token: settings.TELEGRAM_BOT_TOKEN,
    apiRoot: settings.TELEGRAM_API_ROOT,
    pollSeconds: settings.TELEGRAM_POLL_SECONDS,
  });
  const fleet = buildFleet({
    orchestratorUrl: settings.ORCHESTRATOR_URL,
    loggingUrl: settings.LOGGING_URL,
    internalKey: settings.INTERNAL_KEY,
  });
  const identity = rememberIdentity(() => api.getMe());
  return { api, fleet, identity, toToken: buildTokens(settings.TELEGRAM_BOT_TOKEN) };
}

/** The channels besides Telegram that are set. */
function buildNotifiers(settings: Settings): Notifier[] {
  const {
    NOTIFY_SLACK_WEBHOOK_URL: slack,
    NOTIFY_SMTP_URL: smtp,
    NOTIFY_MAIL_TO: to,
    NOTIFY_MAIL_FROM: from,
  } = settings;
  return [
    ...(slack === undefined ? [] : [buildSlackNotifier(slack)]),
    ...(smtp === undefined || to.length === 0 ? [] : [buildMailNotifier({ url: smtp, from, to })]),
  ];
}

/** Who is served, and who is told. */
function toPlan(settings: Settings): Pick<Kit, "access" | "notifyChats" | "rules"> {
  const users = new Set(settings.TELEGRAM_ALLOWED_USER_IDS.map(Number));
  const chats = new Set(settings.TELEGRAM_ALLOWED_CHAT_IDS.map(Number));
  const rules = loadRules(settings.NOTIFY_RULES_FILE ?? shippedRules);
  return { access: { users, chats }, notifyChats: settings.TELEGRAM_NOTIFY_CHAT_IDS.map(Number), rules };
}

function channelOf(bell: Bell): string {
  return `telegram_${bell}`;
}

/** The number before the colon: what Telegram itself calls the bot. A token of another shape has a name made of its hash. */
function botOf(token: string): string {
  return /^(\d{1,20}):/.exec(token)?.[1] ?? createHash("sha256").update(token).digest("hex").slice(0, 12);
}

/** 128 bits that only the holder of the bot's token can make: as good as random to everybody else. */
function buildTokens(botToken: string): Kit["toToken"] {
  const key = createHash("sha256").update(`buttons of ${botToken}`).digest();
  return (...parts) =>
    createHmac("sha256", key).update(JSON.stringify(parts)).digest().subarray(0, 16).toString("base64url");
}

/** @throws ConfigError when the mode is webhook and no secret is set */
function toWebhook(settings: Settings): { url: string | null; secret: string } | null {
  if (settings.TELEGRAM_INGEST_MODE !== "webhook") return null;
  const secret = settings.TELEGRAM_WEBHOOK_SECRET;
  if (secret === undefined) {
    throw new ConfigError(serviceName, [{ key: "TELEGRAM_WEBHOOK_SECRET", message: missingSecret }]);
  }
  const base = (settings.TELEGRAM_WEBHOOK_URL ?? settings.RENDER_EXTERNAL_URL ?? "").replace(/\/+$/, "");
  if (base === "") return { url: null, secret };
  return { url: base.endsWith("/telegram/webhook") ? base : `${base}/telegram/webhook`, secret };
}

const missingSecret = "is required in webhook mode but not set";

/** The schema of the settings cannot say that one of them makes another necessary. */
function withWebhook(settings: Settings, report: ConfigReport): ConfigReport {
  if (settings.TELEGRAM_INGEST_MODE !== "webhook") return report;
  const list = report.settings.map((setting) =>
    setting.key === "TELEGRAM_WEBHOOK_SECRET" ? { ...setting, required: true } : setting,
  );
  return { ...report, settings: list };
}

function openLog(settings: Settings, runId: string) {
  return buildLog({
    service: serviceName,
    level: settings.LOG_LEVEL,
    format: settings.LOG_FORMAT,
    runId: settings.RUN_ID ?? runId,
    delivery: { url: settings.LOGGING_URL, internalKey: settings.INTERNAL_KEY, spoolDir: settings.SPOOL_DIR ?? null },
  });
}

/** Asked once; a failure is asked again by the next who wants to know. */
function rememberIdentity(ask: () => Promise<BotIdentity>): () => Promise<BotIdentity> {
  let known: Promise<BotIdentity> | null = null;
  return () => {
    known ??= ask().catch((error: unknown) => {
      known = null;
      throw error;
    });
    return known;
  };
}

type ContextOptions = { settings: Settings; kit: Kit; isLeading(): boolean };

function toContext({ settings, kit, isLeading }: ContextOptions): Context {
  const mode = settings.TELEGRAM_INGEST_MODE;
  return {
    store: kit.store,
    log: kit.log,
    mode,
    webhookSecret: mode === "webhook" ? (settings.TELEGRAM_WEBHOOK_SECRET ?? null) : null,
    isLeading,
    botName: async () =>
      await kit.identity().then(
        ({ username }) => username,
        () => {
          throw unavailable("Telegram does not say what the bot is called; try again shortly.", 5);
        },
      ),
    readWebhook: () => kit.api.readWebhook(),
    findVersion: async (taskId) => (await kit.fleet.findTask(taskId).catch(() => null))?.version ?? null,
    rings: kit.ring,
    judge(kind, severity) {
      const known = noticeKinds.find((candidate) => candidate === kind) ?? "notice";
      return judgeNotice(kit.rules.rules, { kind: known satisfies NoticeKind, type: null, severity });
    },
  };
}

async function checkDatabase(ping: () => Promise<unknown>) {
  return await ping().then(
    () => ({ name: "database", ok: true }),
    () => ({ name: "database", ok: false, message: "PostgreSQL does not answer" }),
  );
}

async function checkTelegram(identity: () => Promise<BotIdentity>) {
  return await identity().then(
    () => ({ name: "telegram", ok: true }),
    (error: unknown) => ({
      name: "telegram",
      ok: false,
      message: error instanceof Error ? error.message : "no answer",
    }),
  );
}
