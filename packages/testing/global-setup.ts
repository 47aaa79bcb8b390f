import type { Cluster } from "./cluster.ts";
import { clusterVariable, ownCluster } from "./database.ts";

let cluster: Cluster | undefined;

/** Called by vitest once a run, before any test: one PostgreSQL for all of them. */
export async function setup(): Promise<void> {
  cluster = await ownCluster();
  process.env[clusterVariable] = cluster.url;
}

export async function teardown(): Promise<void> {
  await cluster?.[Symbol.asyncDispose]();
}
