import { link, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { SetupError, systemCode } from "@signalbox/testing/setup-error.ts";
import { findProcessIdentity } from "./process-identity.ts";

/*
 * One fleet a home. The file `lock` names the supervisor that owns it by process id and identity. It is made with an
 * exclusive create, so of two that start at once one is refused. A supervisor that was killed leaves its lock behind; the
 * next start sees that no such process runs, moves the dead lock aside (a rename succeeds for one of several that try)
 * and makes its own. Were that to go wrong, the busy ports and PostgreSQL's own lock on the data still keep two apart.
 */

export type FleetLock = {
  /** The former owner was killed, so its processes may still be on their way out. */
  wasAbandoned: boolean;
  release(): Promise<void>;
};

type Owner = { pid: number; identity: string | null };

export async function acquireFleetLock(home: string): Promise<FleetLock> {
  const path = join(home, "lock");
  const me: Owner = { pid: process.pid, identity: await findProcessIdentity(process.pid) };
  let wasAbandoned = false;
  for (let attempt = 1; attempt <= 5; attempt++) {
    if (await create(path, me)) return { wasAbandoned, release: () => rm(path, { force: true }) };
    const owner = await readOwner(path);
    if (owner && (await isAlive(owner))) throw inUse(home, owner.pid);
    await removeDead(path, home);
    wasAbandoned = true;
  }
  throw new SetupError(
    `another fleet is starting in ${home} right now; wait for it, or set SIGNALBOX_HOME to another folder`,
  );
}

function inUse(home: string, pid: number): SetupError {
  return new SetupError(
    `the data folder ${home} is in use by another fleet (process ${pid}); ` +
      "stop that one first, or set SIGNALBOX_HOME and SIGNALBOX_PORT_BASE to start a second fleet",
  );
}

async function create(path: string, owner: Owner): Promise<boolean> {
  try {
    await writeFile(path, JSON.stringify(owner), { flag: "wx", mode: 0o600 });
    return true;
  } catch (error) {
    if (systemCode(error) === "EEXIST") return false;
    throw error;
  }
}

/** Null for a lock that vanished or was never completely written (its writer died in between). */
async function readOwner(path: string): Promise<Owner | null> {
  try {
    const owner: unknown = JSON.parse(await readFile(path, "utf8"));
    const { pid, identity } = owner as Partial<Owner>;
    return Number.isInteger(pid) ? { pid: Number(pid), identity: identity ?? null } : null;
  } catch {
    return null;
  }
}

async function isAlive(owner: Owner): Promise<boolean> {
  const identity = await findProcessIdentity(owner.pid);
  return identity !== null && identity === owner.identity;
}

/** Another start may have replaced the dead lock since it was read: what was moved aside is looked at once more. */
async function removeDead(path: string, home: string): Promise<void> {
  const aside = `${path}.${process.pid}`;
  try {
    await rename(path, aside);
  } catch (error) {
    if (systemCode(error) === "ENOENT") return;
    throw error;
  }
  const owner = await readOwner(aside);
  const isDead = owner === null || !(await isAlive(owner));
  if (!isDead) await link(aside, path);
  await rm(aside, { force: true });
  if (!isDead) throw inUse(home, owner.pid);
}
