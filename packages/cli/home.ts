import { chmod, mkdir, readFile, rename, stat, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { messageOf, SetupError, systemCode } from "@signalbox/testing/setup-error.ts";
import { isRoot } from "@signalbox/testing/system-user.ts";

/** Makes the folder that holds a fleet's state. */
export async function ensureHome(home: string): Promise<void> {
  try {
    // Entered by PostgreSQL's user when we are root; what is secret inside is 0600.
    await mkdir(home, { recursive: true, mode: 0o711 });
    await mkdir(join(home, "spool"), { recursive: true, mode: 0o700 });
    if (isRoot()) await letOthersEnter(home);
  } catch (error) {
    throw explainHome(home, error);
  }
}

async function letOthersEnter(home: string): Promise<void> {
  const { mode } = await stat(home);
  if ((mode & 0o011) !== 0o011) await chmod(home, (mode & 0o777) | 0o011);
}

/** One sentence for what can be wrong with the folder; anything else is passed on as it is. */
export function explainHome(home: string, error: unknown): unknown {
  const said = messageOf(error);
  switch (systemCode(error)) {
    case "EACCES":
    case "EPERM":
    case "EROFS":
      return new SetupError(
        `cannot write to the data folder ${home} (${said}); set SIGNALBOX_HOME to a folder of yours`,
      );
    case "ENOTDIR":
    case "EEXIST":
      return new SetupError(`the data folder ${home} is not a folder (${said}); set SIGNALBOX_HOME to another path`);
    case "ENOSPC":
    case "EDQUOT":
    // PostgreSQL's own name for it.
    case "53100":
      return noRoom(home);
    case "EISDIR":
    case "ELOOP":
    case "ENAMETOOLONG":
    case "EIO":
      return unusable(home, said);
    // So says Node of a folder that cannot be made on a disk that can only be read.
    case "ENOENT":
      return isOnTheWay(home, (error as { path?: unknown }).path) ? unusable(home, said) : error;
    default:
      return error;
  }
}

function isOnTheWay(home: string, path: unknown): boolean {
  return typeof path === "string" && `${home}/`.startsWith(`${path}/`);
}

function unusable(home: string, said: string): SetupError {
  return new SetupError(
    `the data folder ${home} cannot be used (${said}); set SIGNALBOX_HOME to a folder that can be written`,
  );
}

/** Whether what PostgreSQL wrote speaks of a disk without room. */
export function tellsNoRoom(text: string): boolean {
  return /No space left on device|Disk quota exceeded|wrote only \d+ of \d+ bytes/.test(text);
}

export function noRoom(home: string): SetupError {
  return new SetupError(
    `the disk that holds ${home} has no room left; a new fleet needs about 100 MB: free some, or set SIGNALBOX_HOME to a folder on another disk`,
  );
}

/** Writes a file so that readers see the old or the new text, never half of one; only its owner can read it. */
export async function writePrivateFile(path: string, text: string): Promise<void> {
  const unfinished = `${path}.${process.pid}`;
  await writeFile(unfinished, text, { mode: 0o600 });
  await chmod(unfinished, 0o600);
  await rename(unfinished, path).catch((error) => {
    throw explainHome(dirname(path), error);
  });
}

/** The text of a file, null when there is none. */
export async function findText(path: string): Promise<string | null> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    if (systemCode(error) === "ENOENT") return null;
    throw error;
  }
}
