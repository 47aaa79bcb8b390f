import { execFile } from "node:child_process";
import { access, mkdir, readdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { hashFiles } from "./source-hash.ts";

/*
 * Node strips the types of our sources when it loads them. The compiler for that stays in memory, about 20 MB in every
 * process, and takes half of a service's start. What it makes can be kept on disk: a service whose files are all there
 * never loads the compiler. So the first start after a change loads every program once, in a process that ends at once.
 */

const run = promisify(execFile);

/** Where services find their compiled sources, for NODE_COMPILE_CACHE: beside the packages that are compiled too. */
export function compileCacheFolder(repository: string): string {
  return join(repository, "node_modules", ".cache", "signalbox");
}

/*
 * What keeps a service small at rest without slowing it down under load, both measured:
 *   a young generation of 16 MB, the default, is mostly garbage in services that hold this little: 30 MB each
 *   the optimizing compiler for WebAssembly is loaded for one small HTTP parser: 10 MB
 *   glibc gives every thread a heap of its own: 4 MB
 *   what loading the program has left behind, which it may look for itself (see `runMain`): 10 MB
 */
export const serviceFlags = ["--max-semi-space-size=4", "--liftoff-only", "--expose-gc"];
/*
 * Logging holds little at once, whatever is sent to it; but with a whole machine to grow into, V8 rarely looks for what is garbage
 * of a flood: 300 MB instead of 180. A larger young generation would spare it a tenth of its time under load, and takes it to 200.
 */
export const loggingFlags = [...serviceFlags, "--max-old-space-size=256"];
export const serviceMemory = { MALLOC_ARENA_MAX: "2" };
/** What sockets read comes in pieces of 64 kB; glibc would soon keep pieces of that size for itself, and never give them back. */
export const loggingMemory = { ...serviceMemory, MALLOC_MMAP_THRESHOLD_: "32768" };

/** Fills the cache if it is not of these sources. A cache is no need: whatever goes wrong here costs memory, not function. */
export async function warmCompileCache(repository: string, programs: string[]): Promise<void> {
  const folder = compileCacheFolder(repository);
  const mark = join(folder, `warm-${await hashFiles(repository, ["services", "packages/common", "pnpm-lock.yaml"])}`);
  if (await exists(mark)) return;
  await mkdir(folder, { recursive: true });
  await Promise.allSettled(programs.map((program) => loadOnce(program, folder)));
  const old = (await readdir(folder)).filter((name) => name.startsWith("warm-"));
  await Promise.all(old.map((name) => rm(join(folder, name), { force: true })));
  await writeFile(mark, "");
}

/** Without any settings a service refuses to start, but only after it was loaded. */
async function loadOnce(program: string, folder: string): Promise<void> {
  const script = `await import(${JSON.stringify(pathToFileURL(program).href)}); process.exit(0);`;
  const env = { PATH: process.env.PATH, NODE_COMPILE_CACHE: folder };
  await run(process.execPath, [...serviceFlags, "--input-type=module", "-e", script], { env, timeout: 20_000 });
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
