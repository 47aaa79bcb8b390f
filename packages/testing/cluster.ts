import { chmod, mkdtemp, rm, statfs } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { armDeadman } from "./deadman.ts";
import {
  type ClusterFolder,
  fleetSettings,
  initCluster,
  type Server,
  ServerStartError,
  startServer,
} from "./embedded-postgres.ts";
import { findFreePort } from "./free-port.ts";
import { findBinaries, type PostgresVersion, reachableBinaries } from "./postgres-binaries.ts";
import { SetupError } from "./setup-error.ts";
import { ensureSystemUser, findClosedFolder } from "./system-user.ts";

export type Cluster = {
  version: PostgresVersion;
  /** The superuser's, database `postgres`. */
  url: string;
  port: number;
  /** The postmaster's; another after a restart. */
  readonly pid: number;
  stop(mode?: "fast" | "immediate"): Promise<void>;
  /** Starts it again on the same port with the same data, after a `stop`. */
  start(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
};

export type ClusterOptions = {
  version?: PostgresVersion;
  settings?: Record<string, string | number>;
  /** On the disk and with a fleet's settings, so that its speed is that of a real one. */
  isDurable?: boolean;
};

/**
 * Fast and forgetful: nothing survives a power cut, all else behaves like the real one. Autovacuum is off because its
 * workers come and go in databases that tests are about to drop.
 */
const testSettings = {
  fsync: "off",
  synchronous_commit: "off",
  full_page_writes: "off",
  max_connections: 300,
  shared_buffers: "128MB",
  max_wal_size: "256MB",
  checkpoint_timeout: "1h",
  autovacuum: "off",
  max_locks_per_transaction: 128,
};

/** A new PostgreSQL of its own in a temporary folder on a free port. It goes away with this process, however that ends. */
export async function startCluster({
  version = 18,
  settings = {},
  isDurable = false,
}: ClusterOptions = {}): Promise<Cluster> {
  const user = await ensureSystemUser();
  const home = await mkdtemp(join(isDurable ? tmpdir() : await fastestFolder(), "signalbox-test-"));
  await chmod(home, 0o711);
  try {
    const closed = await findClosedFolder(home, user);
    if (closed)
      throw new SetupError(`PostgreSQL's user cannot enter ${closed}; set TMPDIR to a folder that all may enter`);
    const binaries = await reachableBinaries(findBinaries(version), user, join(tmpdir(), "signalbox-postgres"));
    const folder: ClusterFolder = { binaries, dataDir: join(home, "postgres"), user };
    await initCluster(folder, null);
    return await runCluster(home, folder, { ...(isDurable ? fleetSettings : testSettings), ...settings });
  } catch (error) {
    await rm(home, { recursive: true, force: true });
    throw error;
  }
}

async function runCluster(
  home: string,
  folder: ClusterFolder,
  settings: Record<string, string | number>,
): Promise<Cluster> {
  const { server: first, port } = await startOnFreePort(folder, settings);
  let server: Server | null = first;
  let deadman = armDeadman(first.pid, home);
  const stop = async (mode: "fast" | "immediate" = "fast") => {
    await server?.stop(mode);
    server = null;
  };
  return {
    version: folder.binaries.version,
    url: `postgres://postgres@127.0.0.1:${port}/postgres`,
    port,
    get pid() {
      if (!server) throw new Error("the cluster is stopped");
      return server.pid;
    },
    stop,
    async start() {
      server = await startServer({ ...folder, port, settings });
      deadman.release();
      deadman = armDeadman(server.pid, home);
    },
    async [Symbol.asyncDispose]() {
      await stop("immediate");
      deadman.release();
      await rm(home, { recursive: true, force: true });
    },
  };
}

/** Between the search for a port and its use another process may take it: then another port is tried. */
async function startOnFreePort(folder: ClusterFolder, settings: Record<string, string | number>, attempt = 1) {
  const port = await findFreePort();
  try {
    return { port, server: await startServer({ ...folder, port, settings }) };
  } catch (error) {
    const isTaken = error instanceof ServerStartError && error.log.includes("Address already in use");
    if (!isTaken || attempt >= 5) throw error;
    return startOnFreePort(folder, settings, attempt + 1);
  }
}

/**
 * Memory, where the machine offers enough of it as a file system: copying a template is hundreds of small files, 20 ms
 * there and 270 ms on the disk of the machine where this was measured. Containers often have 64 MB of it: too little.
 */
async function fastestFolder(): Promise<string> {
  const memory = "/dev/shm";
  const neededBytes = 2 * 1024 ** 3;
  if (process.env.TMPDIR) return tmpdir();
  const free = await statfs(memory).then(
    ({ bavail, bsize }) => bavail * bsize,
    () => 0,
  );
  return free >= neededBytes ? memory : tmpdir();
}
