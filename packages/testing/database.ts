import { randomBytes } from "node:crypto";
import pg from "pg";
import { type Cluster, type ClusterOptions, startCluster } from "./cluster.ts";
import { migrate } from "./migrate.ts";

export type TestDatabase = {
  name: string;
  url: string;
  pool: pg.Pool;
  [Symbol.asyncDispose](): Promise<void>;
};

/** What a run's global setup hands to its tests. */
export const clusterVariable = "SIGNALBOX_TEST_CLUSTER";

/** The services' own role: it owns its databases and is no superuser, as in production. */
const role = "signalbox";
const template = "signalbox_template";

/** Makes the role and the migrated database that all test databases are copies of. */
export async function prepareTemplate(clusterUrl: string): Promise<void> {
  await asAdmin(clusterUrl, async (admin) => {
    await admin.query(`create role ${role} login createdb in role pg_monitor`);
    await admin.query(`create database ${template} owner ${role}`);
    await migrate({ url: databaseUrl(clusterUrl, template) });
    // A copy is refused while anybody is connected to the original.
    await admin.query(`alter database ${template} with allow_connections false is_template true`);
  });
}

/**
 * A new migrated database that only this test uses, dropped at the end of its scope:
 * `await using db = await freshDatabase()`.
 *
 * @param clusterUrl of `ownCluster`; without it, of the cluster that the run shares
 * @param source name of the database to begin with, which nobody may use meanwhile; without it, the migrated one
 */
export async function freshDatabase(clusterUrl = sharedCluster(), source = template): Promise<TestDatabase> {
  const name = `test_${randomBytes(8).toString("hex")}`;
  await asAdmin(clusterUrl, (admin) => admin.query(`create database ${name} template ${source} owner ${role}`));
  const url = databaseUrl(clusterUrl, name);
  const pool = new pg.Pool({ connectionString: url, max: 10 });
  // The drop below ends sessions; a test that cares listens itself.
  pool.on("error", () => undefined);
  pool.on("connect", (client) => client.on("error", () => undefined));
  return {
    name,
    url,
    pool,
    async [Symbol.asyncDispose]() {
      const ended = pool.end();
      await asAdmin(clusterUrl, (admin) => admin.query(`drop database ${name} with (force)`));
      await ended;
    },
  };
}

/**
 * A PostgreSQL that only this test uses, with its migrated template: for tests that hold a transaction open (a snapshot
 * holds back every stream of its cluster), stop the server, or need another version.
 */
export async function ownCluster(options: ClusterOptions = {}): Promise<Cluster> {
  const cluster = await startCluster(options);
  try {
    await prepareTemplate(cluster.url);
    return cluster;
  } catch (error) {
    await cluster[Symbol.asyncDispose]();
    throw error;
  }
}

/** An empty database without any table, for tests of the migrations themselves. */
export async function emptyDatabase(clusterUrl = sharedCluster()): Promise<string> {
  const name = `empty_${randomBytes(8).toString("hex")}`;
  await asAdmin(clusterUrl, (admin) => admin.query(`create database ${name} owner ${role}`));
  return databaseUrl(clusterUrl, name);
}

function sharedCluster(): string {
  const url = process.env[clusterVariable];
  if (!url || url === "none")
    throw new Error(`no ${clusterVariable}: run by vitest with its global setup, or pass ownCluster().url`);
  return url;
}

function databaseUrl(clusterUrl: string, name: string): string {
  const url = new URL(clusterUrl);
  url.username = role;
  url.pathname = `/${name}`;
  return url.href;
}

async function asAdmin<T>(clusterUrl: string, work: (admin: pg.Client) => Promise<T>): Promise<T> {
  const admin = new pg.Client({ connectionString: clusterUrl });
  await admin.connect();
  try {
    return await work(admin);
  } finally {
    await admin.end();
  }
}
