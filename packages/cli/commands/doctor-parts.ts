import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { repositoryRoot } from "@signalbox/testing/repository.ts";
import { listPending } from "@signalbox/testing/schema-state.ts";
import { messageOf } from "@signalbox/testing/setup-error.ts";
import pg from "pg";
import { checkDatabase } from "../database-url.ts";
import { listServices } from "../fleet-plan.ts";
import { dashboardPortOffset, databasePortOffset, ensurePortsFree, parsePortBase } from "../ports.ts";
import type { Remote } from "../remote.ts";

/* What `signalbox doctor` looks at, one thing after the other; every message says what to do when something is wrong. */

export type Finding = { check: string; state: "ok" | "warn" | "bad" | "off"; message: string };

const oldestNode = 20;
const slowDatabaseMs = 50;

export function checkNode(version = process.versions.node): Finding {
  const [major = 0] = version.split(".").map(Number);
  const isOld = major < oldestNode;
  const message = isOld ? `Node ${version} is too old; install ${oldestNode} or later` : `Node ${version}`;
  return { check: "node", state: isOld ? "bad" : "ok", message };
}

/** Of a fleet that is to be started here: whether it would find its ports free. */
export async function checkPorts(portBase: string | undefined): Promise<Finding> {
  try {
    const base = parsePortBase(portBase);
    const services = await listServices(repositoryRoot, 1);
    const uses = services.map(({ name, portOffset }) => ({ port: base + portOffset, usedBy: name }));
    const own = [
      { port: base + dashboardPortOffset, usedBy: "the dashboard" },
      { port: base + databasePortOffset, usedBy: "the embedded PostgreSQL" },
    ];
    await ensurePortsFree([...uses, ...own], 0);
    return { check: "ports", state: "ok", message: `a fleet would find its ports from ${base} on free` };
  } catch (error) {
    return { check: "ports", state: "warn", message: messageOf(error) };
  }
}

/** Without the database itself nothing is known but how many belong to this version. */
export async function checkSchemaFiles(): Promise<Finding> {
  const files = await readdir(join(repositoryRoot, "migrations")).catch(() => []);
  const count = files.filter((name) => name.endsWith(".sql")).length;
  return {
    check: "schema",
    state: "ok",
    message: `${count} migrations belong to this version; every start applies what is missing`,
  };
}

/** The database of a local fleet: its version, how quickly it answers, and whether its schema is that of this version. */
export async function checkDatabaseOf(url: string): Promise<Finding[]> {
  try {
    await checkDatabase(url);
    const { version, tookMs } = await measure(url);
    const slow = tookMs > slowDatabaseMs;
    const pending = await listPending(url);
    const schema =
      pending.length === 0
        ? ({ state: "ok", message: "all migrations of this version are applied" } as const)
        : ({
            state: "warn",
            message: `${pending.join(", ")} not applied; start the fleet again, or run: npx pnpm exec node packages/cli/migrate.ts`,
          } as const);
    return [
      {
        check: "database",
        state: slow ? "warn" : "ok",
        message: `PostgreSQL ${version} answers in ${tookMs.toFixed(1)} ms${slow ? "; put it nearer to the fleet, or look at what it does in pg_stat_activity" : ""}`,
      },
      { check: "schema", ...schema },
    ];
  } catch (error) {
    return [{ check: "database", state: "bad", message: messageOf(error) }];
  }
}

async function measure(url: string): Promise<{ version: string; tookMs: number }> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 5_000, query_timeout: 5_000 });
  client.on("error", () => undefined);
  try {
    await client.connect();
    const { rows } = await client.query<{ version: string }>("select current_setting('server_version') as version");
    const startedAt = performance.now();
    for (let count = 0; count < 5; count++) await client.query("select 1");
    return { version: rows[0]?.version.split(" ")[0] ?? "?", tookMs: (performance.now() - startedAt) / 5 };
  } finally {
    await client.end();
  }
}

type TelegramState = {
  mode: "polling" | "webhook";
  bot: string | null;
  webhook: { url: string; lastError: string | null } | null;
};

export async function checkTelegram(remote: Remote): Promise<Finding> {
  const check = "telegram mode";
  const state = await remote.call<TelegramState>("/telegram/state", { service: "telegram" });
  if (state.bot === null) {
    return {
      check,
      state: "bad",
      message: "Telegram has not said who the bot is; check TELEGRAM_BOT_TOKEN and the way to api.telegram.org",
    };
  }
  const { mode, bot, webhook } = state;
  if (mode === "webhook" && webhook?.lastError)
    return {
      check,
      state: "warn",
      message: `@${bot} by webhook, and Telegram says: ${webhook.lastError}; is ${webhook.url} reachable from outside?`,
    };
  return { check, state: "ok", message: `@${bot} by ${mode}` };
}

/** Whether the token opens anything, and how much. */
export async function checkRenderToken(remote: Remote): Promise<Finding> {
  const check = "render token";
  try {
    const { items } = await remote.call<{ items: unknown[] }>("/render/services", { service: "renderctl" });
    return { check, state: "ok", message: `RENDER_API_TOKEN sees ${items.length} services` };
  } catch (error) {
    return {
      check,
      state: "bad",
      message: `${messageOf(error)}; make a token at dashboard.render.com, Account Settings, API Keys, and set RENDER_API_TOKEN`,
    };
  }
}

/** Senders on the internet must reach the address at which webhooks are taken. */
export async function checkWebhooks(remote: Remote, secretIsSet: boolean, signal: AbortSignal): Promise<Finding> {
  const check = "webhooks";
  if (!secretIsSet) return { check, state: "off", message: "off: GITHUB_WEBHOOK_SECRET is not set" };
  const url = `${remote.access.urls.orchestrator}/webhooks/github`;
  const limit = AbortSignal.any([signal, AbortSignal.timeout(5_000)]);
  const response = await fetch(url, {
    ...{ method: "POST", body: "{}", redirect: "manual", signal: limit },
    headers: { "content-type": "application/json" },
  }).catch(() => null);
  if (response === null) return { check, state: "bad", message: `${url} does not answer; is the orchestrator up?` };
  await response.body?.cancel();
  if (response.status !== 401)
    return { check, state: "bad", message: `${url} answered ${response.status} to an unsigned delivery, not 401` };
  const { hostname } = new URL(url);
  if (["127.0.0.1", "localhost", "[::1]"].includes(hostname)) {
    return {
      check,
      state: "warn",
      message: `${url} is for this machine only; GitHub needs an address on the internet: deploy, or put a tunnel before it`,
    };
  }
  return { check, state: "ok", message: `deliveries are taken at ${url}, and unsigned ones refused` };
}
