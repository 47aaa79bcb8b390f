import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import type { Callee } from "@signalbox/testing/calls.ts";
import { type Arena, openProgram } from "./arena.ts";

/** A side of the comparison: a program that answers the calls of contestant.ts. */
export type Side = {
  name: string;
  program: string;
  database: "signalbox" | "empty";
  /** its part of a round's tasks, where it is so slow that all would take minutes */
  share?: number;
  /** For the report: the settings that its documentation has for many tasks, and how the record is kept. */
  setup: string;
};

const contestant = (file: string) => `packages/bench/queue/contestants/${file}.ts`;

export const signalbox: Side = {
  name: "Signalbox",
  program: "services/orchestrator/as-library.fixture.ts",
  database: "signalbox",
  setup:
    "as a fleet runs it: pool of 10, tasks of one turn of the event loop in one statement, claims of at most 200, ends in batches of at most 500; its agent takes 400 at once",
};
export const graphileWorker: Side = {
  name: "graphile-worker",
  program: contestant("graphile-worker"),
  database: "empty",
  setup:
    "`concurrentJobs` 24, `localQueue` of 500 with a refetch delay of 10 ms, no batch delay, pool of 25; `add_job` and the record in one statement, row and two events of the end in another; at rest without the local queue",
};
export const pgBoss: Side = {
  name: "pg-boss",
  program: contestant("pg-boss"),
  database: "empty",
  setup:
    "`batchSize` 200, `localConcurrency` 4, `burstWhenBatchFull`, `perJobResults`, polls of 0.5 s, pool of 20; `send` and the event in one transaction, the events of a batch in one statement; at rest batches of one and `useListenNotify`",
};
export const dbos: Side = {
  name: "DBOS",
  program: contestant("dbos"),
  database: "empty",
  share: 0.2,
  setup:
    "queue with `workerConcurrency` 100 and polls of 10 ms, pool of 20; `dbos.enqueue_workflow` and the event in one statement, one step, whose two events are one more; a fifth of the tasks, because it is slow",
};
export const sides: readonly Side[] = [signalbox, graphileWorker, pgBoss, dbos];

const packages = ["graphile-worker", "pg-boss", "@dbos-inc/dbos-sdk"];

export async function readVersions(): Promise<Record<string, string>> {
  const { resolve } = createRequire(import.meta.url);
  const read = packages.map(async (name) => {
    // Some packages do not export their package.json, so it is looked for above their entry.
    const root = resolve(name).split(`/node_modules/${name}/`)[0];
    const text = await readFile(`${root}/node_modules/${name}/package.json`, "utf8");
    return [name, (JSON.parse(text) as { version: string }).version] as const;
  });
  return Object.fromEntries(await Promise.all(read));
}

/** The side's program with its tables made. */
export async function openSide(arena: Arena, side: Side): Promise<Callee> {
  const callee = await openProgram(arena, { ...side });
  await callee.call("prepare");
  return callee;
}
