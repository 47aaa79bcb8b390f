import { randomBytes } from "node:crypto";
import { link, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { SetupError, systemCode } from "@signalbox/testing/setup-error.ts";
import { findProcessIdentity } from "./process-identity.ts";

/*
 * One fleet a home. A file `lock-<n>` names the supervisor that owns the home, by process id and identity.
 *
 * A supervisor that was killed leaves its file behind. Removing a dead lock and making a new one would be two steps, between
 * which another start could remove the new one; so nobody removes: the next owner makes `lock-<n+1>`, which a link gives to
 * exactly one of several that try, complete with its content, and then clears the dead ones away. Whoever finds another
 * living owner after that steps back. The crash of a start at any point leaves a file whose process is gone: a dead lock.
 */

export type FleetLock = {
  /** The former owner was killed, so its processes may still be on their way out. */
  wasAbandoned: boolean;
  release(): Promise<void>;
};

type Owner = { pid: number; identity: string | null };
type Found = { number: number; path: string; alive: number | null };

export async function acquireFleetLock(home: string): Promise<FleetLock> {
  const draft = join(home, `.lock.${randomBytes(6).toString("hex")}`);
  await writeFile(draft, JSON.stringify({ pid: process.pid, identity: await findProcessIdentity(process.pid) }));
  try {
    for (;;) {
      const others = await listLocks(home);
      refuseLiving(home, others);
      const path = join(home, `lock-${Math.max(0, ...others.map(({ number }) => number)) + 1}`);
      if (!(await take(draft, path))) continue;
      await clearDead(home, path);
      return { wasAbandoned: others.length > 0, release: () => rm(path, { force: true }) };
    }
  } finally {
    await rm(draft, { force: true });
  }
}

/** Whether a supervisor runs this home; `fleet.json` alone is no sign of it, for one that was killed leaves that behind. */
export async function isFleetAlive(home: string): Promise<boolean> {
  return (await listLocks(home)).some(({ alive }) => alive !== null);
}

async function take(draft: string, path: string): Promise<boolean> {
  try {
    await link(draft, path);
    return true;
  } catch (error) {
    if (systemCode(error) === "EEXIST") return false;
    throw error;
  }
}

async function clearDead(home: string, own: string): Promise<void> {
  const others = (await listLocks(home)).filter(({ path }) => path !== own);
  try {
    refuseLiving(home, others);
  } catch (error) {
    await rm(own, { force: true });
    throw error;
  }
  await Promise.all(others.map(({ path }) => rm(path, { force: true })));
}

function refuseLiving(home: string, locks: Found[]): void {
  const living = locks.find(({ alive }) => alive !== null);
  if (!living) return;
  throw new SetupError(
    `the data folder ${home} is in use by another fleet (process ${living.alive}); ` +
      "stop that one first, or set SIGNALBOX_HOME and SIGNALBOX_PORT_BASE to start a second fleet",
  );
}

async function listLocks(home: string): Promise<Found[]> {
  const names = (await readdir(home)).filter((name) => /^lock-\d+$/.test(name));
  return Promise.all(
    names.map(async (name) => {
      const path = join(home, name);
      return { number: Number(name.slice("lock-".length)), path, alive: await findLivingOwner(path) };
    }),
  );
}

/** The owner's process id, null when it is gone: a lock that vanished or cannot be read belongs to nobody. */
async function findLivingOwner(path: string): Promise<number | null> {
  const owner = await readOwner(path);
  if (owner === null) return null;
  const identity = await findProcessIdentity(owner.pid);
  return identity !== null && identity === owner.identity ? owner.pid : null;
}

async function readOwner(path: string): Promise<Owner | null> {
  try {
    const { pid, identity } = JSON.parse(await readFile(path, "utf8")) as Partial<Owner>;
    return Number.isInteger(pid) ? { pid: Number(pid), identity: identity ?? null } : null;
  } catch {
    return null;
  }
}
