import { access, mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { repositoryRoot } from "@signalbox/testing/repository.ts";
import { messageOf, SetupError } from "@signalbox/testing/setup-error.ts";
import { agentFiles } from "./agent-template.ts";
import { writeGenerated } from "./generate.ts";
import { blueprintPath, withNewService } from "./render-blueprint.ts";

/*
 * `pnpm new-agent NAME` writes an agent that works at once: its folder, its place in the blueprint, and everything that is
 * generated from it. Nothing else of the repository changes.
 */

const usage = `pnpm new-agent NAME

Writes services/NAME, an agent that works, with its test, and adds it to the blueprint and the generated files.
NAME is lower case, with dashes between words, such as price-watcher.`;

/** Of the orchestrator, the database, further orchestrators and the dashboard; a service's own are in its settings. */
const reservedPorts = new Set([4_032, 4_080, ...Array.from({ length: 10 }, (_, index) => 4_041 + index)]);
/** What else has a name in `fleet.json`, in the supervisor's output and among the workspace's packages. */
const reservedNames = /^(?:dashboard|supervisor|postgres|orchestrator-\d+)$/;
const firstPort = 4_003;
const lastPort = 4_099;

/**
 * Writes a new agent into a repository.
 *
 * @returns the files that were written or changed, relative to the root
 * @throws SetupError for a name that cannot be used
 */
export async function makeAgent(root: string, name: string): Promise<string[]> {
  const folder = join(root, "services", name);
  if (!/^[a-z][a-z0-9]*(?:-[a-z0-9]+)*$/.test(name) || name.length > 40) {
    throw new SetupError(`"${name}" cannot be an agent's name; lower case, with dashes, such as price-watcher`);
  }
  if (reservedNames.test(name) || (await isThere(join(root, "packages", name))))
    throw new SetupError(`"${name}" is the name of a part of Signalbox itself; take another one`);
  if (await isThere(folder)) throw new SetupError(`services/${name} is there already; take another name`);
  const files = agentFiles({ name, port: await findPort(root) });
  await mkdir(folder, { recursive: true });
  for (const [path, text] of files) await writeFile(join(folder, path), text);
  const blueprint = join(root, blueprintPath);
  await writeFile(blueprint, withNewService(await readFile(blueprint, "utf8"), name));
  const generated = await writeGenerated(root);
  return [...[...files.keys()].map((path) => `services/${name}/${path}`), ...new Set([blueprintPath, ...generated])];
}

/** The first that nobody's settings have taken. */
async function findPort(root: string): Promise<number> {
  const schema = JSON.parse(await readFile(join(root, "infra", "config.schema.json"), "utf8")) as {
    $defs: Record<string, { properties?: { PORT?: { default?: number } } }>;
  };
  const taken = new Set(Object.values(schema.$defs).map(({ properties }) => properties?.PORT?.default));
  for (let port = firstPort; port <= lastPort; port++) {
    if (!taken.has(port) && !reservedPorts.has(port)) return port;
  }
  throw new SetupError(`no port from ${firstPort} to ${lastPort} is free`);
}

async function isThere(folder: string): Promise<boolean> {
  return (await access(folder).then(
    () => true,
    () => false,
  ))
    ? (await readdir(folder)).length > 0
    : false;
}

async function main(words: string[]): Promise<number> {
  const [name, ...more] = words;
  if (name === undefined || name.startsWith("-") || more.length > 0) {
    process.stderr.write(`${usage}\n`);
    return name === "--help" || name === "-h" ? 0 : 2;
  }
  try {
    const written = await makeAgent(repositoryRoot, name);
    const next = [
      `npx pnpm vitest services/${name}   # its test`,
      `npx pnpm start   # the fleet with it; it installs what is new`,
      `npx pnpm signalbox run ${name}.run '{"text":"three small words"}'`,
    ];
    process.stdout.write(`${written.join("\n")}\n\nChange services/${name}/app.ts. Next:\n  ${next.join("\n  ")}\n`);
    return 0;
  } catch (error) {
    if (!(error instanceof SetupError)) throw error;
    process.stderr.write(`${messageOf(error)}\n`);
    return 2;
  }
}

if (import.meta.main) process.exitCode = await main(process.argv.slice(2));
