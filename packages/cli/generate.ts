import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { buildOpenapi } from "@signalbox/common/openapi.ts";
import type { RouteContract } from "@signalbox/common/route.ts";
import { standardContracts } from "@signalbox/common/standard-routes.ts";
import { version } from "@signalbox/common/version.ts";
import { repositoryRoot } from "@signalbox/testing/repository.ts";
import { type ApiDocument, toApiPage } from "./api-page.ts";
import { dockerfilePathOf, toDockerfile } from "./dockerfile.ts";
import { toConfigSchema, toEnvExample, toJsonText, toSettingsPage } from "./documents.ts";
import { settings as fleetSettings } from "./fleet-settings.ts";
import { blueprintPath, withEnvSections } from "./render-blueprint.ts";
import { describeServices } from "./services.ts";

/*
 * `pnpm generate` writes the files that repeat what the code declares: the schema of all settings, .env.example, the
 * settings tables, an OpenAPI document and a Dockerfile a service, the page of the whole API, the variables in the blueprint. They are committed, so that a change of a contract is seen in review;
 * `--check` writes nothing and exits 1 when one of them is not what the code says.
 */

const openapiFolder = "docs/reference/openapi";

/** Every generated file: its path from the root of the repository, and its text. */
export async function generateFiles(root = repositoryRoot): Promise<Map<string, string>> {
  const services = await describeServices(root);
  const declared = [...services.map(({ settings }) => settings), fleetSettings];
  const files = new Map([
    ["infra/config.schema.json", toConfigSchema(declared)],
    [".env.example", toEnvExample(declared)],
    ["docs/reference/settings.md", toSettingsPage(declared)],
  ]);
  const documents: ApiDocument[] = [];
  for (const { settings, routes } of services) {
    const { service } = settings;
    const document = buildOpenapi({ service, version }, [...routes, ...Object.values(standardContracts)]);
    documents.push(document as ApiDocument);
    files.set(`${openapiFolder}/${service}.json`, toJsonText(document));
    files.set(dockerfilePathOf(service), toDockerfile(service, await readVersions(root)));
  }
  const standard = Object.values(standardContracts).flatMap(({ path, aliases = [] }: RouteContract) => [
    path,
    ...aliases,
  ]);
  files.set("docs/reference/api.md", toApiPage(documents, standard));
  const blueprint = await readFile(join(root, blueprintPath), "utf8");
  const deployed = services.map(({ settings }) => settings);
  files.set(blueprintPath, withEnvSections(blueprint, deployed));
  return files;
}

/** Of pnpm the one that wrote the lock file. */
const pnpmVersion = "12.21.0";

async function readVersions(root: string): Promise<{ node: string; pnpm: string }> {
  const { devDependencies } = JSON.parse(await readFile(join(root, "package.json"), "utf8"));
  return { node: String(devDependencies.node), pnpm: pnpmVersion };
}

/**
 * What is not as the code says, a line each; empty when nothing has drifted.
 *
 * @param root where the files lie
 * @param source the repository whose code counts
 */
export async function findDrift(root: string, source = repositoryRoot): Promise<string[]> {
  const files = await generateFiles(source);
  const drifted: string[] = [];
  for (const [path, text] of files) {
    const present = await readIfThere(join(root, path));
    if (present !== text) drifted.push(present === null ? `${path} is missing` : describeDrift(path, present, text));
  }
  const leftovers = await findLeftovers(root, files);
  return [...drifted, ...leftovers.map((path) => `${path} belongs to no service`)];
}

function describeDrift(path: string, present: string, wanted: string): string {
  const [is, should] = [present.split("\n"), wanted.split("\n")];
  const at = should.findIndex((line, index) => line !== is[index]);
  const line = at === -1 ? should.length : at;
  return `${path}:${line + 1} is ${JSON.stringify(is[line] ?? "")}, should be ${JSON.stringify(should[line] ?? "")}`;
}

/** The files that had to be written, or that belong to no service any more and are gone. */
export async function writeGenerated(root: string): Promise<string[]> {
  const files = await generateFiles(root);
  const written: string[] = [];
  for (const [path, text] of files) {
    if ((await readIfThere(join(root, path))) === text) continue;
    await mkdir(dirname(join(root, path)), { recursive: true });
    await writeFile(join(root, path), text);
    written.push(path);
  }
  const leftovers = await findLeftovers(root, files);
  for (const path of leftovers) await rm(join(root, path));
  return [...written, ...leftovers];
}

/** Documents of services that no longer exist. */
async function findLeftovers(root: string, files: Map<string, string>): Promise<string[]> {
  const names = await readdir(join(root, openapiFolder)).catch(() => []);
  return names.map((name) => `${openapiFolder}/${name}`).filter((path) => !files.has(path));
}

async function readIfThere(path: string): Promise<string | null> {
  return await readFile(path, "utf8").catch(() => null);
}

async function main(): Promise<void> {
  if (process.argv.includes("--check")) {
    const drifted = await findDrift(repositoryRoot);
    if (drifted.length === 0) return;
    process.stderr.write(`${drifted.join("\n")}\nRun \`npx pnpm generate\` and commit what it changes.\n`);
    process.exitCode = 1;
    return;
  }
  const written = await writeGenerated(repositoryRoot);
  process.stdout.write(written.length === 0 ? "nothing to do\n" : `${written.join("\n")}\n`);
}

if (import.meta.main) await main();
