import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdir, readdir, readFile, rename, rm, stat } from "node:fs/promises";
import { join, relative } from "node:path";
import { pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { messageOf, SetupError } from "@signalbox/testing/setup-error.ts";

const run = promisify(execFile);

/** What the page is made of, from the root of the repository. */
const sources = ["dashboard", "packages/common/contracts", "pnpm-lock.yaml"];
const notSources = new Set(["node_modules", "dist"]);

/**
 * The built dashboard in a folder named after the content of its sources: a second start finds it, a change makes a new
 * one, and two fleets never write to one place. It is built in a process of its own, whose memory goes with it.
 */
export async function ensureDashboard(repository: string, home: string): Promise<{ folder: string; isNew: boolean }> {
  const all = join(home, "dashboard");
  const name = await hashSources(repository);
  const folder = join(all, name);
  if (await stat(folder).catch(() => null)) return { folder, isNew: false };
  const unfinished = join(all, `.${name}.${process.pid}`);
  try {
    await mkdir(unfinished, { recursive: true });
    const script = "const [, url, outDir] = process.argv; await (await import(url)).buildDashboard({ outDir });";
    const url = pathToFileURL(join(repository, "dashboard", "build.ts")).href;
    await run(process.execPath, ["--input-type=module", "-e", script, url, unfinished], { cwd: repository });
    await removeOthers(all, unfinished);
    await rename(unfinished, folder);
  } catch (error) {
    await rm(unfinished, { recursive: true, force: true });
    throw new SetupError(`the dashboard cannot be built: ${firstReason(error)}; see dashboard/README.md`);
  }
  return { folder, isNew: true };
}

function firstReason(error: unknown): string {
  const { stderr } = error as { stderr?: unknown };
  const lines = typeof stderr === "string" ? stderr.split("\n").filter((line) => /error/i.test(line)) : [];
  return lines[0]?.trim() ?? messageOf(error).split("\n")[0] ?? "";
}

async function removeOthers(all: string, kept: string): Promise<void> {
  const others = (await readdir(all)).map((name) => join(all, name)).filter((path) => path !== kept);
  await Promise.all(others.map((path) => rm(path, { recursive: true, force: true })));
}

async function hashSources(repository: string): Promise<string> {
  const files = (await Promise.all(sources.map((source) => listFiles(join(repository, source))))).flat().sort();
  const hash = createHash("sha256");
  for (const file of files) {
    const content = createHash("sha256")
      .update(await readFile(file))
      .digest("hex");
    hash.update(`${relative(repository, file)} ${content}\n`);
  }
  return hash.digest("hex").slice(0, 16);
}

async function listFiles(path: string): Promise<string[]> {
  const found = await stat(path).catch(() => null);
  if (!found) return [];
  if (found.isFile()) return [path];
  const entries = (await readdir(path)).filter((name) => !notSources.has(name) && !/\.test\.tsx?$/.test(name));
  return (await Promise.all(entries.map((name) => listFiles(join(path, name))))).flat();
}
