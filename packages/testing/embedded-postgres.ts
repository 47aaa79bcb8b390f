import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { chown, mkdir, rename, rm, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as setTimeoutPromise } from "node:timers/promises";
import type { Binaries } from "./postgres-binaries.ts";
import { SetupError } from "./setup-error.ts";
import type { SystemUser } from "./system-user.ts";

export type ClusterFolder = { binaries: Binaries; dataDir: string; user: SystemUser | null };

export type ServerOptions = ClusterFolder & {
  port: number;
  /** Settings of postgresql.conf, given on the command line so that they follow the code and not the data. */
  settings?: Record<string, string | number>;
  /** Every line that the server logs. */
  onLine?: (line: string) => void;
};

export type Exit = { code: number | null; signal: NodeJS.Signals | null };

export type Server = {
  pid: number;
  /** When the postmaster is gone, for whatever reason. */
  exited: Promise<Exit>;
  /** `fast` ends sessions and writes a checkpoint; `immediate` is a crash that the next start recovers from. */
  stop(mode?: "fast" | "immediate"): Promise<void>;
};

/** What a fleet's own server runs with, besides PostgreSQL's defaults; what is committed is on the disk. */
export const fleetSettings = {
  // Pools of up to ten orchestrators, logging, people and tools.
  max_connections: 200,
  shared_buffers: "128MB",
  max_wal_size: "1GB",
  max_locks_per_transaction: 128,
  // Compiling a query takes longer than running one of ours.
  jit: "off",
  // Reads of a local fleet come from memory: three idle I/O processes gain nothing.
  io_method: "sync",
  // A failed statement is told to who sent it. In the log its text and values could hold a secret.
  log_min_messages: "log",
  log_min_error_statement: "panic",
  log_checkpoints: "off",
  password_encryption: "scram-sha-256",
};

const startTimeoutMs = 60_000;
const stopTimeoutMs = 30_000;
/** What a server that ended has said may still be in the pipe, and its children may hold the pipe open. */
const lastLinesMs = 500;

/** A server that did not come up; `log` holds its last lines, from which the caller can tell why. */
export class ServerStartError extends Error {
  override name = "ServerStartError";
  readonly log: string;
  constructor(reason: string, log: string) {
    super(`PostgreSQL did not start: ${reason}\n${log}`);
    this.log = log;
  }
}

/**
 * Makes a new data folder with the superuser `postgres`. It is built beside its place and renamed, so that a start
 * which is interrupted here leaves nothing that looks like a database. Nothing waits for the disk: see `syncCluster`.
 *
 * @param password null lets everybody on this machine in
 */
export async function initCluster(folder: ClusterFolder, password: string | null): Promise<void> {
  const unfinished = `${folder.dataDir}.${process.pid}`;
  const passwordFile = `${unfinished}.password`;
  try {
    await mkdir(unfinished, { mode: 0o700 });
    await writeFile(passwordFile, password ?? "", { mode: 0o600 });
    if (folder.user) {
      for (const path of [unfinished, passwordFile]) await chown(path, folder.user.uid, folder.user.gid);
    }
    const access = password === null ? ["--auth=trust"] : ["--auth=scram-sha-256", `--pwfile=${passwordFile}`];
    const cluster = ["--username=postgres", "--no-instructions", "--no-sync", ...localeFlags(folder.binaries)];
    await runInitdb(folder, [`--pgdata=${unfinished}`, ...cluster, ...access]);
    await rename(unfinished, folder.dataDir);
  } catch (error) {
    await rm(unfinished, { recursive: true, force: true });
    throw error;
  } finally {
    await rm(passwordFile, { force: true });
  }
}

/**
 * Brings every file of a new cluster safely to disk. It may run beside the server, which brings its own writes there
 * itself; only when both are done does the data survive a power cut.
 */
export async function syncCluster(folder: ClusterFolder): Promise<void> {
  await runInitdb(folder, ["--sync-only", `--pgdata=${folder.dataDir}`]);
}

/** `builtin` sorts by code point and knows upper and lower case of all letters, without any locale of the machine. */
function localeFlags(binaries: Binaries): string[] {
  const builtin = ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"];
  return ["--locale=C", "--encoding=UTF8", ...(binaries.version >= 17 ? builtin : [])];
}

async function runInitdb({ binaries, dataDir, user }: ClusterFolder, flags: string[]): Promise<void> {
  const child = spawn(binaries.initdb, flags, {
    ...identity(user),
    cwd: dirname(dataDir),
    env: serverEnvironment(),
    stdio: ["ignore", "ignore", "pipe"],
  });
  let errors = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    errors = (errors + text).slice(-4_000);
  });
  // "close", not "exit": only then has all that it said arrived.
  const [exit] = await Promise.all([exitOf(child), once(child, "close")]);
  if (exit.code !== 0) throw new ServerStartError(`initdb ended with ${exit.signal ?? exit.code}`, errors.trim());
}

/** Starts the server and waits until it takes connections. */
export async function startServer(options: ServerOptions): Promise<Server> {
  const child = spawn(options.binaries.postgres, serverArguments(options), {
    ...identity(options.user),
    cwd: options.dataDir,
    env: serverEnvironment(),
    stdio: ["ignore", "ignore", "pipe"],
    // Its own group: a Ctrl-C in the terminal must not reach it before the services have finished.
    detached: true,
  });
  const exited = exitOf(child);
  const stop = (mode: "fast" | "immediate" = "fast") => stopServer(child, exited, mode);
  try {
    await becomesReady(child, exited, options.onLine);
  } catch (error) {
    await stop("immediate");
    throw error;
  }
  return { pid: child.pid ?? 0, exited, stop };
}

function serverArguments({ dataDir, port, settings = {} }: ServerOptions): string[] {
  const all = {
    listen_addresses: "127.0.0.1",
    // A socket file would need a folder that both users can write to; TCP on the loopback is enough.
    unix_socket_directories: "",
    logging_collector: "off",
    log_line_prefix: "",
    lc_messages: "C",
    timezone: "UTC",
    ...settings,
  };
  return [
    "-D",
    dataDir,
    "-p",
    String(port),
    ...Object.entries(all).flatMap(([key, value]) => ["-c", `${key}=${value}`]),
  ];
}

async function becomesReady(
  child: ChildProcess,
  exited: Promise<Exit>,
  onLine?: (line: string) => void,
): Promise<void> {
  const recent: string[] = [];
  const ready = Promise.withResolvers<void>();
  if (!child.stderr) throw new Error("the server's log is not piped");
  const lines = createInterface({ input: child.stderr }).on("line", (line) => {
    recent.push(line);
    if (recent.length > 20) recent.shift();
    if (line.includes("database system is ready to accept connections")) ready.resolve();
    onLine?.(line);
  });
  const timer = setTimeout(
    () => ready.reject(new ServerStartError(`not ready after ${startTimeoutMs / 1_000} s`, recent.join("\n"))),
    startTimeoutMs,
  );
  const ended = exited.then(async (exit) => {
    await Promise.race([once(lines, "close"), setTimeoutPromise(lastLinesMs)]);
    throw new ServerStartError(`it ended with ${exit.signal ?? exit.code}`, recent.join("\n"));
  });
  try {
    await Promise.race([ready.promise, ended]);
  } finally {
    clearTimeout(timer);
    ended.catch(() => undefined);
  }
}

async function stopServer(child: ChildProcess, exited: Promise<Exit>, mode: "fast" | "immediate"): Promise<void> {
  child.kill(mode === "fast" ? "SIGINT" : "SIGQUIT");
  const timer = setTimeout(() => child.kill("SIGQUIT"), stopTimeoutMs);
  await exited;
  clearTimeout(timer);
}

function exitOf(child: ChildProcess): Promise<Exit> {
  return new Promise((resolve, reject) => {
    child.once("exit", (code, signal) => resolve({ code, signal }));
    child.once("error", (error) =>
      reject(new SetupError(`PostgreSQL's program ${child.spawnfile} cannot be run: ${error.message}`)),
    );
  });
}

function identity(user: SystemUser | null): { uid?: number; gid?: number } {
  return user ? { uid: user.uid, gid: user.gid } : {};
}

/** Nothing of ours: a PGOPTIONS or a secret in our environment is no business of the server. */
function serverEnvironment(): NodeJS.ProcessEnv {
  return { PATH: process.env.PATH ?? "", LC_ALL: "C", TZ: "UTC" };
}
