import { type Monitor, type MonitorDefinition, toMonitor } from "../monitor.ts";
import type { Pins } from "../monitor-check.ts";
import type { Store } from "../store.ts";
import { checkDefinition, type MonitorFile } from "./monitor-files.ts";

export type KnownMonitor = {
  name: string;
  /** the database wins over a file of the same name */
  origin: "file" | "database";
  /** of a file 1; one that was put over a file begins at 2 */
  version: number;
  definition: MonitorDefinition;
  updatedBy: string | null;
  updatedAt: string | null;
  /** why it is not in force, such as what an older release allowed; null: it is */
  problem: string | null;
};

export type MonitorBook = {
  list(): Promise<KnownMonitor[]>;
  find(name: string): Promise<KnownMonitor | null>;
  /** Those in force, with all defaults filled in. */
  inForce(): Promise<Monitor[]>;
};

/** All monitors: those of the files, and over them those that were put. */
export function buildMonitorBook({
  store,
  files,
  pins,
}: {
  store: Store;
  files: readonly MonitorFile[];
  pins: Pins;
}): MonitorBook {
  async function list(): Promise<KnownMonitor[]> {
    const stored = await store.monitors.listMonitors();
    const names = new Set(stored.map(({ name }) => name));
    const fromFiles = files
      .filter(({ name }) => !names.has(name))
      .map(
        ({ name, definition }): KnownMonitor => ({
          ...{ name, definition, origin: "file", version: 1, updatedBy: null, updatedAt: null, problem: null },
        }),
      );
    const fromDatabase = stored.map(
      (one): KnownMonitor => ({ ...one, origin: "database", problem: problemOf(one.name, one.definition) }),
    );
    return [...fromFiles, ...fromDatabase].sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  function problemOf(name: string, definition: MonitorDefinition): string | null {
    const [first] = checkDefinition(name, definition, pins);
    return first ? `${first.path} ${first.message}`.trim() : null;
  }

  return {
    list,
    find: async (name) => (await list()).find((one) => one.name === name) ?? null,
    inForce: async () =>
      (await list())
        .filter(({ problem }) => problem === null)
        .map(({ name, definition }) => toMonitor(name, definition)),
  };
}
