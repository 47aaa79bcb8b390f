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
};

const contestant = (file: string) => `packages/bench/queue/contestants/${file}.ts`;

export const signalbox: Side = {
  name: "Signalbox",
  program: "services/orchestrator/as-library.fixture.ts",
  database: "signalbox",
};
export const graphileWorker: Side = {
  name: "graphile-worker",
  program: contestant("graphile-worker"),
  database: "empty",
};
export const pgBoss: Side = { name: "pg-boss", program: contestant("pg-boss"), database: "empty" };
export const dbos: Side = { name: "DBOS", program: contestant("dbos"), database: "empty", share: 0.2 };

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
