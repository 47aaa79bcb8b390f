import { execFile } from "node:child_process";
import { realpath, stat } from "node:fs/promises";
import { dirname } from "node:path";
import { promisify } from "node:util";
import { messageOf, SetupError, systemCode } from "./setup-error.ts";

const run = promisify(execFile);

/** Whom PostgreSQL runs as when we are root, which it refuses to be. */
export type SystemUser = { name: string; uid: number; gid: number };

const userName = "postgres";

export function isRoot(): boolean {
  return process.getuid?.() === 0;
}

/** The user for the database when we are root, made if the machine has none; null when we are an ordinary user. */
export async function ensureSystemUser(): Promise<SystemUser | null> {
  if (!isRoot()) return null;
  return (await findUser()) ?? (await createUser());
}

async function findUser(): Promise<SystemUser | null> {
  try {
    const [uid, gid] = await Promise.all([run("id", ["-u", userName]), run("id", ["-g", userName])]);
    return { name: userName, uid: Number(uid.stdout), gid: Number(gid.stdout) };
  } catch {
    return null;
  }
}

async function createUser(): Promise<SystemUser> {
  const failures: string[] = [];
  // The second is busybox's tool, for images without the first.
  for (const [command, args] of [
    ["useradd", ["--system", "--user-group", "--no-create-home", userName]],
    ["adduser", ["-S", "-H", "-D", userName]],
  ] as const) {
    try {
      await run(command, [...args]);
      const user = await findUser();
      if (user) return user;
    } catch (error) {
      failures.push(messageOf(error).trim());
    }
  }
  throw new SetupError(
    `PostgreSQL refuses to run as root and no system user "${userName}" could be made for it (${failures.join("; ")}); ` +
      "run as an ordinary user, create that user, or set DATABASE_URL",
  );
}

/** The nearest folder on the way to `path` (itself included) that the user may not enter; null when all are open. */
export async function findClosedFolder(path: string, user: SystemUser | null): Promise<string | null> {
  if (user === null) return null;
  const folders: string[] = [];
  for (let folder = await realpath(path); ; folder = dirname(folder)) {
    folders.unshift(folder);
    if (folder === dirname(folder)) break;
  }
  for (const folder of folders) if (!(await hasAccess(folder, user, 0o1))) return folder;
  return null;
}

/** Whether mode bits let the user in (1 enter or run, 4 read). Access lists are not asked: they are rare on such folders. */
export async function hasAccess(path: string, user: SystemUser, bits: number): Promise<boolean> {
  try {
    const { mode, uid, gid } = await stat(path);
    if (uid === user.uid) return ((mode >> 6) & bits) === bits;
    if (gid === user.gid) return ((mode >> 3) & bits) === bits;
    return (mode & bits) === bits;
  } catch (error) {
    if (systemCode(error) === "ENOENT") return false;
    throw error;
  }
}
