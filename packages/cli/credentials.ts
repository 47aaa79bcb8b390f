import { stat } from "node:fs/promises";
import { homedir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { parseEnv } from "node:util";
import { repositoryRoot } from "@signalbox/testing/repository.ts";
import { CommandError, exitCodes, usageError } from "./command.ts";
import type { Env } from "./fleet-env.ts";
import type { FleetFile } from "./fleet-file.ts";
import { findText } from "./home.ts";

export type ServiceName = "orchestrator" | "logging" | "renderctl" | "posthog-watcher" | "telegram";

/** Where a fleet is and how to log in to it. */
export type Access = {
  urls: Partial<Record<ServiceName, string>>;
  /** Services that are known to be off, with the reason. */
  off: Partial<Record<ServiceName, string>>;
  dashboard: string | null;
  user: string;
  pass: string;
  /** Of a local fleet, which alone is asked for its database. */
  databaseUrl: string | null;
  /** For messages: which source won. */
  source: string;
};

const remoteKeys: Record<ServiceName, string> = {
  orchestrator: "SIGNALBOX_URL",
  logging: "SIGNALBOX_LOGGING_URL",
  renderctl: "SIGNALBOX_RENDERCTL_URL",
  "posthog-watcher": "SIGNALBOX_POSTHOG_URL",
  telegram: "SIGNALBOX_TELEGRAM_URL",
};

/**
 * Finds the fleet: `SIGNALBOX_URL` of the environment, else the local fleet whose home is named or lies in this folder or one
 * above it, else the user's own file.
 *
 * @throws CommandError when there is none, or no password for it
 */
export async function findAccess(env: Env, folder: string): Promise<Access> {
  if (env.SIGNALBOX_URL) return fromVariables(env, "the environment");
  const homes = env.SIGNALBOX_HOME ? [resolve(folder, env.SIGNALBOX_HOME)] : listHomes(folder);
  for (const home of homes) {
    const local = await fromHome(home, env);
    if (local !== null) return local;
  }
  const path = join(env.XDG_CONFIG_HOME || join(homedir(), ".config"), "signalbox", "env");
  const text = await findText(path);
  if (text !== null) return fromVariables({ ...parseEnv(text), ...definedOf(env) }, await ensurePrivate(path));
  throw new CommandError(
    exitCodes.unreachable,
    "no_fleet",
    `no fleet runs here (looked into ${homes.join(", ")}); start one with "npx pnpm start", or set SIGNALBOX_URL, SIGNALBOX_USER and SIGNALBOX_PASS`,
  );
}

/** Where the home of a local fleet may be, seen from a folder. */
export function listHomes(folder: string): string[] {
  const homes: string[] = [];
  for (let at = resolve(folder); ; at = dirname(at)) {
    homes.push(join(at, ".signalbox"));
    if (dirname(at) === at) break;
  }
  const own = join(repositoryRoot, ".signalbox");
  const bases = homes.includes(own) ? homes : [...homes, own];
  return bases.flatMap((home) => [home, join(home, "rehearsal")]);
}

async function fromHome(home: string, env: Env): Promise<Access | null> {
  const text = await findText(join(home, "fleet.json"));
  if (text === null) return null;
  const fleet = JSON.parse(text) as FleetFile;
  const own = parseEnv((await findText(join(home, "env"))) ?? "");
  const known = { ...own, ...definedOf(env) };
  const states = Object.entries(fleet.services) as [ServiceName, FleetFile["services"][string]][];
  return {
    urls: Object.fromEntries(states.flatMap(([name, one]) => (one.state === "running" ? [[name, one.url]] : []))),
    off: Object.fromEntries(states.flatMap(([name, one]) => (one.state === "off" ? [[name, one.reason]] : []))),
    dashboard: fleet.dashboard.url,
    databaseUrl: fleet.databaseUrl,
    ...toLogin(known, home),
    source: join(home, "fleet.json"),
  };
}

function fromVariables(env: Env, source: string): Access {
  const given = Object.entries(remoteKeys).flatMap(([name, key]) => (env[key] ? [[name, toBase(key, env[key])]] : []));
  return {
    urls: Object.fromEntries(given),
    off: {},
    dashboard: env.SIGNALBOX_DASHBOARD_URL || null,
    databaseUrl: env.DATABASE_URL || null,
    ...toLogin(env, source),
    source,
  };
}

function toBase(key: string, address: string): string {
  if (/^https?:$/.test(URL.parse(address)?.protocol ?? "")) return address.replace(/\/+$/, "");
  throw usageError(`${key} is "${address}", which is no address; it looks like https://signalbox.example.com`);
}

function toLogin(env: Env, source: string): { user: string; pass: string } {
  const user = env.SIGNALBOX_USER || env.BASIC_AUTH_USER;
  const pass = env.SIGNALBOX_PASS || env.BASIC_AUTH_PASS;
  if (user && pass) return { user, pass };
  throw new CommandError(
    exitCodes.refused,
    "no_credentials",
    `no login for the fleet of ${source}; set SIGNALBOX_USER and SIGNALBOX_PASS`,
  );
}

/** Only what has a value: an empty variable says nothing. */
function definedOf(env: Env): Env {
  return Object.fromEntries(Object.entries(env).filter(([, value]) => value));
}

/** Passwords that others can read are none. */
async function ensurePrivate(path: string): Promise<string> {
  const { mode } = await stat(path);
  if ((mode & 0o077) === 0 || process.platform === "win32") return path;
  throw new CommandError(
    exitCodes.refused,
    "unsafe_file",
    `others can read ${path}, which holds a password; run: chmod 600 ${path}`,
  );
}
