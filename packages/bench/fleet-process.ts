import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { chmod, mkdtemp, open, readFile, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { parseEnv } from "node:util";
import { armDeadman } from "@signalbox/testing/deadman.ts";
import { repositoryRoot } from "@signalbox/testing/repository.ts";

/*
 * A whole fleet as its user starts it, by packages/cli/start.ts, but in a folder, on ports and with passwords of its own.
 * It has its own embedded database, so that no load ever reaches another one, and it ends with this process, however
 * that ends: a deadman interrupts the supervisor and removes the folder.
 */

export type FleetHome = { folder: string; portBase: number; user: string; pass: string; internalKey: string };

type Running = { url: string; pid: number };

export type Fleet = {
  home: FleetHome;
  services: Record<string, Running>;
  supervisorPid: number;
  databaseUrl: string;
  /** From the start of the process to `fleet.json`, which is written once all is healthy and the agents have registered. */
  startedInMs: number;
  stop(): Promise<void>;
};

const startTimeoutMs = 120_000;
const stopTimeoutMs = 60_000;

/** An empty home with passwords and ports that nothing else uses. */
export async function makeHome(): Promise<FleetHome> {
  await refuseOwnDatabase();
  const folder = await mkdtemp(join(tmpdir(), "signalbox-bench-"));
  // PostgreSQL's user must be able to enter when we are root; what is secret inside is 0600.
  await chmod(folder, 0o711);
  const secret = () => randomBytes(24).toString("base64url");
  return { folder, portBase: await findPortBase(), user: "bench", pass: secret(), internalKey: secret() };
}

export async function removeHome({ folder }: FleetHome): Promise<void> {
  await rm(folder, { recursive: true, force: true });
}

/** A fleet reads the repository's `.env`. With a database in it the load would go there. */
async function refuseOwnDatabase(): Promise<void> {
  const text = await readFile(join(repositoryRoot, ".env"), "utf8").catch(() => "");
  if (parseEnv(text).DATABASE_URL) {
    throw new Error("the benchmark only loads an embedded database; comment out DATABASE_URL in .env while it runs");
  }
}

/** What a fleet listens on, as far as it collides: services, PostgreSQL, the dashboard. */
const usedOffsets = [0, 1, 2, 32, 80];

/** Below the range that systems take the ports of outgoing connections from, so that none is taken between two starts. */
async function findPortBase(): Promise<number> {
  for (let attempt = 0; attempt < 50; attempt++) {
    const base = 15_000 + 100 * Math.floor(Math.random() * 150);
    const free = await Promise.all(usedOffsets.map((offset) => isFree(base + offset)));
    if (free.every(Boolean)) return base;
  }
  throw new Error("no free range of ports was found between 15000 and 30000");
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen(port, "127.0.0.1", () => server.close(() => resolve(true)));
  });
}

export type FleetOptions = { home: FleetHome; profileDir: string | null; signal: AbortSignal };

/** Starts the fleet of a home; resolves when all of it is healthy. */
export async function startFleet({ home, profileDir, signal }: FleetOptions): Promise<Fleet> {
  signal.throwIfAborted();
  const output = await open(join(home.folder, "output.log"), "w");
  const startedAt = performance.now();
  const child = spawn(process.execPath, [join(repositoryRoot, "packages", "cli", "start.ts")], {
    cwd: repositoryRoot,
    env: toEnv(home, profileDir),
    // Its own group: a Ctrl-C reaches only this process, which then stops it in order.
    detached: true,
    stdio: ["ignore", output.fd, output.fd],
  });
  const exited = new Promise<void>((resolve) => child.once("close", resolve).once("error", resolve));
  const deadman = armDeadman(child.pid ?? 0, home.folder);
  const stop = async () => {
    await stopSupervisor(child, exited);
    deadman.release();
    await output.close();
  };
  try {
    await becomesReady(home, child, signal);
    const startedInMs = performance.now() - startedAt;
    return { home, ...(await readFleetFile(home)), supervisorPid: child.pid ?? 0, startedInMs, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Nothing of our own surroundings: a fleet that somebody runs must not lend its settings. */
function toEnv({ folder, portBase, user, pass, internalKey }: FleetHome, profileDir: string | null) {
  const surroundings = ["PATH", "HOME", "TMPDIR", "TZ", "LANG", "SystemRoot"];
  const kept = surroundings.flatMap((key) => (process.env[key] ? [[key, process.env[key]]] : []));
  return {
    ...(Object.fromEntries(kept) as Record<string, string>),
    ...(profileDir !== null && { NODE_OPTIONS: `--cpu-prof --cpu-prof-dir=${JSON.stringify(profileDir)}` }),
    SIGNALBOX_HOME: folder,
    SIGNALBOX_PORT_BASE: String(portBase),
    SIGNALBOX_ORCHESTRATORS: "1",
    BASIC_AUTH_USER: user,
    BASIC_AUTH_PASS: pass,
    INTERNAL_KEY: internalKey,
    LOG_LEVEL: "info",
  };
}

async function becomesReady(home: FleetHome, child: ChildProcess, signal: AbortSignal): Promise<void> {
  const giveUpAt = performance.now() + startTimeoutMs;
  while ((await findFleetFile(home)) === null) {
    signal.throwIfAborted();
    const isOver = child.exitCode !== null || child.signalCode !== null || child.pid === undefined;
    if (isOver || performance.now() > giveUpAt) {
      throw new Error(`the fleet did not become healthy; it said:\n${await lastLines(home)}`);
    }
    await delay(10);
  }
}

async function lastLines({ folder }: FleetHome): Promise<string> {
  const text = await readFile(join(folder, "output.log"), "utf8").catch(() => "");
  return text.trim().split("\n").slice(-20).join("\n");
}

async function findFleetFile({ folder }: FleetHome): Promise<string | null> {
  return readFile(join(folder, "fleet.json"), "utf8").catch(() => null);
}

async function readFleetFile(home: FleetHome): Promise<Pick<Fleet, "services" | "databaseUrl">> {
  const { services, databaseUrl } = JSON.parse((await findFleetFile(home)) ?? "{}") as {
    services: Record<string, { state: string } & Running>;
    databaseUrl: string;
  };
  const { hostname, port } = new URL(databaseUrl);
  if (hostname !== "127.0.0.1" || Number(port) !== home.portBase + 32) {
    throw new Error("the fleet does not run on its own embedded database, so nothing is measured");
  }
  const running = Object.entries(services).filter(([, { state }]) => state === "running");
  return { databaseUrl, services: Object.fromEntries(running.map(([name, { url, pid }]) => [name, { url, pid }])) };
}

async function stopSupervisor(child: ChildProcess, exited: Promise<void>): Promise<void> {
  child.kill("SIGTERM");
  const timer = setTimeout(() => child.kill("SIGKILL"), stopTimeoutMs);
  await exited;
  clearTimeout(timer);
}

/** Address of a running service; a fleet without it cannot be measured. */
export function serviceOf(fleet: Fleet, name: string): Running {
  const service = fleet.services[name];
  if (!service) throw new Error(`${name} is not running in the fleet, so it cannot be measured`);
  return service;
}
