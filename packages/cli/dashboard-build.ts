import { execFile } from "node:child_process";
import { mkdir, readdir, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { messageOf, SetupError } from "@signalbox/testing/setup-error.ts";
import { hashFiles } from "./source-hash.ts";

const run = promisify(execFile);

/** What the page is made of, from the root of the repository. */
const sources = ["dashboard", "packages/common/contracts", "pnpm-lock.yaml"];

type Built = { folder: string; isNew: boolean };

/** One build at a time: each clears away what is not its own, and files of several folders may change at once. */
let last: Promise<unknown> = Promise.resolve();

/**
 * The built dashboard in a folder named after the content of its sources: a second start finds it, a change makes a new
 * one, and two fleets never write to one place. It is built in a process of its own, whose memory goes with it.
 */
export function ensureDashboard(repository: string, home: string): Promise<Built> {
  const built = last.then(() => buildUnlessThere(repository, home));
  last = built.catch(() => undefined);
  return built;
}

async function buildUnlessThere(repository: string, home: string): Promise<Built> {
  const all = join(home, "dashboard");
  const name = await hashFiles(repository, sources);
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
