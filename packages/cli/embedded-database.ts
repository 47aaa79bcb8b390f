import { rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { armDeadman, type Deadman } from "@signalbox/testing/deadman.ts";
import {
  type ClusterFolder,
  fleetSettings,
  initCluster,
  type Server,
  ServerStartError,
  startServer,
  syncCluster,
} from "@signalbox/testing/embedded-postgres.ts";
import { findBinaries, reachableBinaries } from "@signalbox/testing/postgres-binaries.ts";
import { messageOf, SetupError, systemCode } from "@signalbox/testing/setup-error.ts";
import { ensureSystemUser, findClosedFolder, type SystemUser } from "@signalbox/testing/system-user.ts";
import pg from "pg";
import { explainHome, findText, noRoom, tellsNoRoom } from "./home.ts";
import { portBusy } from "./ports.ts";
import { findCommandLine } from "./process-identity.ts";

/*
 * The fleet's own PostgreSQL in <home>/postgres.
 *
 * It outlives nothing: a deadman ends it when the supervisor is killed, and a start that still finds one running on the
 * same data (the deadman was killed too) stops it before it begins its own. PostgreSQL decides by `postmaster.pid`
 * whether its data is in use, by process id alone; after a reboot or in a container that id may belong to anyone, so
 * the file is removed when its process is not a server of this folder. Data is written safely (fsync on).
 */

export type EmbeddedDatabase = {
  url: string;
  /** A line of what was done, for the reader of the boot. */
  summary: string;
  stop(mode: "fast" | "immediate"): Promise<void>;
};

export type EmbeddedOptions = {
  home: string;
  port: number;
  adminPassword: string;
  password: string;
  onWarning: (text: string) => void;
};

const role = "signalbox";
const database = "signalbox";
const stopTimeoutMs = 60_000;
const restartPauseMs = 500;
const restartTimeoutMs = 30_000;

export async function openEmbeddedDatabase(options: EmbeddedOptions): Promise<EmbeddedDatabase> {
  const user = await ensureSystemUser();
  await refuseClosedFolder(options.home, user);
  const binaries = await reachableBinaries(findBinaries(), user, options.home);
  const folder: ClusterFolder = { binaries, dataDir: join(options.home, "postgres"), user };
  const isNew = await ensureData(folder, options);
  const isOnDisk = isNew ? syncCluster(folder) : Promise.resolve();
  isOnDisk.catch(() => undefined);
  await endOrphan(folder.dataDir, options.onWarning);
  const keeper = await keepRunning(folder, options);
  try {
    await ensureDatabase(options);
    await isOnDisk;
  } catch (error) {
    await keeper.stop("fast");
    throw explainServer(error, options);
  }
  return {
    url: `postgres://${role}:${options.password}@127.0.0.1:${options.port}/${database}`,
    summary: `PostgreSQL ${binaries.version} in ${folder.dataDir}${isNew ? " (new)" : ""}`,
    stop: keeper.stop,
  };
}

async function refuseClosedFolder(home: string, user: SystemUser | null): Promise<void> {
  const closed = await findClosedFolder(home, user);
  if (closed === null || user === null) return;
  throw new SetupError(
    `as root, PostgreSQL runs as the user "${user.name}", who cannot enter the folder ${closed} on the way to ${home}; ` +
      "set SIGNALBOX_HOME to a folder that everybody may enter (for example /var/lib/signalbox), run as an ordinary user, or set DATABASE_URL",
  );
}

/** True when there was no data yet. */
async function ensureData(folder: ClusterFolder, { home, adminPassword }: EmbeddedOptions): Promise<boolean> {
  const version = await findText(join(folder.dataDir, "PG_VERSION")).catch((error) => {
    throw explainHome(home, error);
  });
  if (version === null) {
    if (await exists(folder.dataDir)) {
      throw new SetupError(`${folder.dataDir} is there but holds no database; move it away, a new one is then made`);
    }
    await initCluster(folder, adminPassword).catch((error) => {
      throw explainServer(error, { home, port: 0 });
    });
    return true;
  }
  if (version.trim() !== String(folder.binaries.version)) {
    throw new SetupError(
      `the data in ${folder.dataDir} was made by PostgreSQL ${version.trim()}, this release runs ${folder.binaries.version}; ` +
        "move it with pg_dump of the old release, or set SIGNALBOX_HOME to a new folder",
    );
  }
  return false;
}

/** Stops a server that a killed fleet left behind, and removes a `postmaster.pid` that means nobody. */
async function endOrphan(dataDir: string, onWarning: (text: string) => void): Promise<void> {
  const path = join(dataDir, "postmaster.pid");
  const pid = Number((await findText(path))?.split("\n")[0]);
  if (!Number.isInteger(pid) || pid <= 1) return;
  if (!(await isServerOf(pid, dataDir))) return rm(path, { force: true });
  onWarning(`stopping the PostgreSQL (process ${pid}) that an earlier fleet left running on this data`);
  const giveUpAt = performance.now() + stopTimeoutMs;
  process.kill(pid, "SIGINT");
  while (await isServerOf(pid, dataDir)) {
    if (performance.now() > giveUpAt) {
      throw new SetupError(
        `PostgreSQL process ${pid} still runs on ${dataDir} and does not stop; end it, then start again`,
      );
    }
    await delay(50);
  }
}

async function isServerOf(pid: number, dataDir: string): Promise<boolean> {
  const command = await findCommandLine(pid);
  return command?.includes(dataDir) ?? false;
}

/** A server that is started again whenever it ends by itself. */
async function keepRunning(folder: ClusterFolder, options: EmbeddedOptions): Promise<Pick<EmbeddedDatabase, "stop">> {
  let isStopping = false;
  let server: Server;
  let deadman: Deadman;
  const onLine = (line: string) => {
    if (!isStopping && /^(?:PANIC|FATAL):/.test(line) && !isRoutine(line)) options.onWarning(`PostgreSQL: ${line}`);
  };
  const begin = async () => {
    server = await startPatiently(folder, options, onLine);
    deadman = armDeadman(server.pid);
    void server.exited.then(revive);
  };
  const revive = async (exit: { code: number | null; signal: string | null }) => {
    deadman.release();
    if (isStopping) return;
    options.onWarning(`PostgreSQL ended (${exit.signal ?? `exit code ${exit.code}`}); it is started again`);
    while (!isStopping) {
      try {
        await begin();
        options.onWarning("PostgreSQL is back");
        return;
      } catch (error) {
        options.onWarning(`PostgreSQL does not start: ${messageOf(error).split("\n")[0]}; trying again`);
        await delay(restartPauseMs * 4);
      }
    }
  };
  await begin();
  return {
    async stop(mode) {
      isStopping = true;
      await server.stop(mode);
      deadman.release();
    },
  };
}

/** Sessions that end because an administrator or a shutdown ends them are no news. */
function isRoutine(line: string): boolean {
  return /terminating connection|the database system is (?:starting up|shutting down)|canceling/.test(line);
}

/** After a crash of the postmaster its children hold the shared memory a moment longer; then the start is repeated. */
async function startPatiently(
  folder: ClusterFolder,
  options: EmbeddedOptions,
  onLine: (line: string) => void,
): Promise<Server> {
  const giveUpAt = performance.now() + restartTimeoutMs;
  for (;;) {
    try {
      return await startServer({ ...folder, port: options.port, settings: fleetSettings, onLine });
    } catch (error) {
      const isLeftover =
        error instanceof ServerStartError &&
        /pre-existing shared memory|"postmaster.pid" already exists/.test(error.log);
      if (!isLeftover || performance.now() > giveUpAt) throw explainServer(error, options);
      await delay(restartPauseMs);
    }
  }
}

/** One sentence for what can keep a server from starting; anything else is passed on as it is. */
export function explainServer(error: unknown, { home, port }: { home: string; port: number }): unknown {
  if (!(error instanceof ServerStartError)) return explainHome(home, error);
  if (tellsNoRoom(error.log)) return noRoom(home);
  if (/Address already in use/.test(error.log)) return portBusy({ port, usedBy: "the embedded PostgreSQL" });
  if (/Permission denied/.test(error.log)) {
    return new SetupError(
      `PostgreSQL cannot use ${join(home, "postgres")} (${lastLine(error)}); give that folder back to its user, or set SIGNALBOX_HOME to a new folder`,
    );
  }
  return new SetupError(
    `${error.message.split("\n")[0]} (${lastLine(error)}); its data is in ${join(home, "postgres")}`,
  );
}

function lastLine(error: ServerStartError): string {
  const lines = error.log.split("\n").filter((line) => /FATAL|PANIC|error/i.test(line));
  return (lines.at(0) ?? error.log.split("\n").at(-1) ?? "").trim();
}

/** The role that services use (no superuser) and its database, with the password of `<home>/env`. */
async function ensureDatabase({ home, port, adminPassword, password }: EmbeddedOptions): Promise<void> {
  const admin = new pg.Client({
    host: "127.0.0.1",
    port,
    user: "postgres",
    password: adminPassword,
    database: "postgres",
  });
  admin.on("error", () => undefined);
  try {
    await admin.connect();
    const { rows } = await admin.query("select 1 from pg_roles where rolname = $1", [role]);
    const verb = rows.length === 0 ? "create" : "alter";
    // A password cannot be a parameter of this statement; ours needs no escaping and is escaped all the same.
    await admin.query(`${verb} role ${role} login createdb password ${pg.escapeLiteral(password)}`);
    await admin.query(`grant pg_monitor to ${role}`);
    const found = await admin.query("select 1 from pg_database where datname = $1", [database]);
    if (found.rows.length === 0) await admin.query(`create database ${database} owner ${role}`);
  } catch (error) {
    if (systemCode(error) !== "28P01") throw error;
    throw new SetupError(
      `the database in ${join(home, "postgres")} has another password than ${join(home, "env")} says; ` +
        "put back the env file that belongs to it, or set SIGNALBOX_HOME to a new folder",
    );
  } finally {
    await admin.end();
  }
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
