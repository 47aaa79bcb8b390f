import { type Callee, type CalleeOptions, startCallee } from "@signalbox/testing/calls.ts";
import type { Cluster } from "@signalbox/testing/cluster.ts";
import { emptyDatabase, freshDatabase, ownCluster } from "@signalbox/testing/database.ts";
import { armDeadman } from "@signalbox/testing/deadman.ts";
import { type ServiceProcess, startService } from "@signalbox/testing/service-process.ts";
import pg from "pg";

/*
 * The one PostgreSQL that all sides of the measure share, with a fleet's settings, on the disk: what is committed is there. Each
 * side has a database of its own on it and a process of its own, which ends with its part of the measure.
 */

export type Arena = AsyncDisposable & {
  cluster: Cluster;
  /** The server's version and how it writes, for the report. */
  facts: Record<string, string>;
  /** Of an agent that answers every run at once. */
  agentUrl: string;
};

export async function openArena(): Promise<Arena> {
  await using made = new AsyncDisposableStack();
  const cluster = made.use(await ownCluster({ isDurable: true }));
  const agent = made.use(await startCallee({ program: "packages/bench/queue/contestants/agent.ts" }));
  const port = await agent.call<number>("port");
  const facts = await readFacts(cluster.url);
  const kept = made.move();
  return { cluster, facts, agentUrl: `http://127.0.0.1:${port}`, [Symbol.asyncDispose]: () => kept.disposeAsync() };
}

const shownSettings = ["fsync", "synchronous_commit", "full_page_writes", "wal_sync_method", "shared_buffers"];

/** @throws Error when a crash could lose what was committed: then nothing here would be worth comparing */
async function readFacts(url: string): Promise<Record<string, string>> {
  const text = "select name, current_setting(name) as value from unnest($1::text[]) name";
  const rows = await query<{ name: string; value: string }>(url, text, [["server_version", ...shownSettings]]);
  const settings = new Map(rows.map(({ name, value }) => [name, value]));
  const isSafe = ["fsync", "synchronous_commit", "full_page_writes"].every((name) => settings.get(name) === "on");
  if (!isSafe) throw new Error("the database would not keep what is committed, so nothing is measured");
  const written = shownSettings.map((name) => `${name} ${settings.get(name)}`).join(", ");
  return { PostgreSQL: `${settings.get("server_version")} (${written})` };
}

/** One statement over a connection of its own. */
export async function query<T extends object>(url: string, text: string, values: unknown[] = []): Promise<T[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query<T>(text, values)).rows;
  } finally {
    await client.end();
  }
}

/** A program on a new database of the arena; both are gone at the end of the scope. */
export async function openProgram(
  { cluster }: Arena,
  { database, source, ...options }: CalleeOptions & { database: "signalbox" | "empty"; source?: string | undefined },
): Promise<Callee & { databaseUrl: string }> {
  await using made = new AsyncDisposableStack();
  const fresh = database === "signalbox" ? made.use(await freshDatabase(cluster.url, source)) : null;
  const databaseUrl = fresh?.url ?? (await emptyDatabase(cluster.url));
  if (!fresh) made.defer(() => dropDatabase(cluster.url, databaseUrl));
  const callee = made.use(await startCallee({ ...options, env: { ...options.env, DATABASE_URL: databaseUrl } }));
  const kept = made.move();
  return { ...callee, databaseUrl, [Symbol.asyncDispose]: () => kept.disposeAsync() };
}

async function dropDatabase(clusterUrl: string, url: string): Promise<void> {
  await query(clusterUrl, `drop database "${new URL(url).pathname.slice(1)}" with (force)`);
}

const user = { name: "bench", pass: "bench-bench-bench", internalKey: "bench-internal-key" };
export const asPerson = { authorization: `Basic ${Buffer.from(`${user.name}:${user.pass}`).toString("base64")}` };
export const asService = { "x-internal-key": user.internalKey };
export const json = { "content-type": "application/json" };

/** One of the services as a process of its own, as a fleet starts it; its logs stay here and are few. */
export async function openService(
  main: string,
  env: Record<string, string>,
): Promise<ServiceProcess & AsyncDisposable> {
  const service = await startService({
    main,
    env: {
      BASIC_AUTH_USER: user.name,
      BASIC_AUTH_PASS: user.pass,
      INTERNAL_KEY: user.internalKey,
      LOG_LEVEL: "error",
      LOGGING_URL: "http://127.0.0.1:9",
      ...env,
    },
  });
  const deadman = armDeadman(service.pid);
  return {
    ...service,
    async [Symbol.asyncDispose]() {
      await service.stop();
      deadman.release();
    },
  };
}
