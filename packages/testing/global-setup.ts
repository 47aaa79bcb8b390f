import type { Cluster } from "./cluster.ts";
import { clusterVariable, ownCluster } from "./database.ts";

let cluster: Cluster | undefined;

/** Called by vitest once a run, before any test: one PostgreSQL for all of them. Tests that need none are run with "none". */
export async function setup(): Promise<void> {
  if (process.env[clusterVariable] === "none") return;
  cluster = await ownCluster();
  process.env[clusterVariable] = cluster.url;
}

export async function teardown(): Promise<void> {
  await cluster?.[Symbol.asyncDispose]();
}
