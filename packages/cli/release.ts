import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { version } from "@signalbox/common/version.ts";
import { repositoryRoot } from "@signalbox/testing/repository.ts";

/*
 * `pnpm release` notes the APIs of a release, so that the next one can be compared with it (tests/released-api.test.ts). Run it when a
 * version is tagged, and never to silence that test: what it names breaks somebody.
 */

export const releasedPath = "docs/reference/released-openapi.json";

export type Released = { version: string; documents: Record<string, Record<string, unknown>> };

/** The APIs as they are now, by service. */
export async function readDocuments(root: string): Promise<Released["documents"]> {
  const folder = join(root, "docs/reference/openapi");
  const names = (await readdir(folder)).filter((name) => name.endsWith(".json")).sort();
  const read = async (name: string) =>
    [name.replace(/\.json$/, ""), JSON.parse(await readFile(join(folder, name), "utf8"))] as const;
  return Object.fromEntries(await Promise.all(names.map(read)));
}

async function main(): Promise<void> {
  const released: Released = { version, documents: await readDocuments(repositoryRoot) };
  await writeFile(join(repositoryRoot, releasedPath), `${JSON.stringify(released)}\n`);
  process.stdout.write(`${releasedPath} has the APIs of ${version}\n`);
}

if (import.meta.main) await main();
