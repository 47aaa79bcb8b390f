import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { findFreePort } from "@signalbox/testing/free-port.ts";
import { CommandError, exitCodes } from "../command.ts";
import { listHomes } from "../credentials.ts";
import { checkDatabase } from "../database-url.ts";
import { openEmbeddedDatabase } from "../embedded-database.ts";
import { type Env, loadFleetEnv, readEnvFile } from "../fleet-env.ts";
import type { FleetFile } from "../fleet-file.ts";
import { acquireFleetLock, isFleetAlive } from "../fleet-lock.ts";
import { ensureHome, findText } from "../home.ts";

export type OpenDatabase = AsyncDisposable & {
  url: string;
  /** the home of a local fleet; null for a database that only has an address */
  home: string | null;
  /** a fleet is working with it at this moment */
  isInUse: boolean;
};

type Wish = {
  env: Env;
  folder: string;
  /** a home without a database is as good: one is made there */
  mayBeNew: boolean;
  onWarning: (text: string) => void;
};

/**
 * The database that is meant: that of `DATABASE_URL`, else of the local fleet whose home is named or lies here. When that fleet is stopped,
 * its own PostgreSQL is started for as long as it is needed.
 *
 * @throws CommandError when there is none
 */
export async function openDatabase({ env, folder, mayBeNew, onWarning }: Wish): Promise<OpenDatabase> {
  if (env.DATABASE_URL) {
    await checkDatabase(env.DATABASE_URL);
    return { url: env.DATABASE_URL, home: null, isInUse: false, [Symbol.asyncDispose]: async () => undefined };
  }
  const homes = env.SIGNALBOX_HOME ? [resolve(folder, env.SIGNALBOX_HOME)] : listHomes(folder);
  for (const home of homes) {
    const text = await findText(join(home, "fleet.json"));
    if (text === null) continue;
    const { databaseUrl: url } = JSON.parse(text) as FleetFile;
    const isInUse = await isFleetAlive(home);
    // Of a fleet that was killed: a database of its own died with it and is started below, one elsewhere still answers.
    const isGone = !isInUse && (await isOwn(home, url)) && !(await answers(url));
    if (!isGone) return { url, home, isInUse, [Symbol.asyncDispose]: async () => undefined };
  }
  const stopped = homes.find(hasOwnDatabase);
  const home = stopped ?? (mayBeNew ? homes[0] : undefined);
  if (home === undefined) {
    throw new CommandError(
      exitCodes.unreachable,
      "no_database",
      `no database was found (looked into ${homes.join(", ")}); set DATABASE_URL, or SIGNALBOX_HOME to a fleet's home`,
    );
  }
  return await startOwn(home, env, onWarning);
}

function hasOwnDatabase(home: string): boolean {
  return existsSync(join(home, "postgres", "PG_VERSION"));
}

/** Its password is drawn by the home, and nobody else's. */
async function isOwn(home: string, url: string): Promise<boolean> {
  const { DATABASE_PASSWORD } = await readEnvFile(join(home, "env"));
  return DATABASE_PASSWORD !== undefined && new URL(url).password === DATABASE_PASSWORD;
}

function answers(url: string): Promise<boolean> {
  return checkDatabase(url).then(
    () => true,
    () => false,
  );
}

/** The lock keeps a fleet from starting on the same data meanwhile. */
async function startOwn(home: string, env: Env, onWarning: (text: string) => void): Promise<OpenDatabase> {
  await ensureHome(home);
  const lock = await acquireFleetLock(home);
  try {
    const { values } = await loadFleetEnv(home, {}, env);
    const database = await openEmbeddedDatabase({
      home,
      port: await findFreePort(),
      password: values.DATABASE_PASSWORD ?? "",
      adminPassword: values.DATABASE_ADMIN_PASSWORD ?? "",
      onWarning,
    });
    return {
      ...{ url: database.url, home, isInUse: false },
      async [Symbol.asyncDispose]() {
        await database.stop("fast");
        await lock.release();
      },
    };
  } catch (error) {
    await lock.release();
    throw error;
  }
}
