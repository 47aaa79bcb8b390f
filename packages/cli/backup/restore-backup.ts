import { migrate } from "@signalbox/testing/migrate.ts";
import pg from "pg";
import { CommandError, exitCodes } from "../command.ts";
import { readDump } from "./backup-file.ts";
import { asideSchema } from "./half-restored.ts";
import { loadDatabase } from "./load-database.ts";
import { pgRestore } from "./pg-tools.ts";

/*
 * A restore that fails must not cost what it was to replace: a wrong file name is enough for that. So what is there is not dropped, but
 * put aside as a schema of another name; it goes when the backup is in, and comes back when it is not. A restore that was killed leaves it
 * aside: no fleet starts on what is there then, and the next restore brings it back before it does anything else.
 */

/**
 * Puts a backup into a database that is empty, or whose content it replaces.
 *
 * @param wish.replace what is there goes
 * @returns rows by table; null when PostgreSQL's own tool did it
 * @throws CommandError when something is there and may not go, or somebody works with it; the database is as it was, whatever is thrown
 */
export async function restoreBackup(wish: {
  url: string;
  file: string;
  replace: boolean;
}): Promise<Record<string, number> | null> {
  const client = new pg.Client({ connectionString: wish.url, connectionTimeoutMillis: 5_000 });
  client.on("error", () => undefined);
  try {
    await client.connect();
    await refuseUsers(client);
    await bringBack(client);
    if (!wish.replace && !(await isEmpty(client))) throw notEmpty();
    await putAside(client);
    const rows = await fill(wish).catch(async (error: unknown) => {
      await bringBack(client);
      throw error;
    });
    await client.query(`drop schema ${asideSchema} cascade`);
    return rows;
  } finally {
    await client.end();
  }
}

async function fill({ url, file }: { url: string; file: string }): Promise<Record<string, number> | null> {
  if (!file.endsWith(".dump")) return await loadDatabase(url, readDump(file));
  await pgRestore(url, file);
  await migrate({ url });
  return null;
}

async function refuseUsers(client: pg.Client): Promise<void> {
  const { rows } = await client.query<{ name: string }>(
    "select distinct application_name as name from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid() and application_name like 'signalbox%'",
  );
  if (rows.length === 0) return;
  const names = rows.map(({ name }) => name).join(", ");
  throw new CommandError(exitCodes.conflict, "in_use", `services work with this database (${names}); stop them first`);
}

async function isEmpty(client: pg.Client): Promise<boolean> {
  const { rows } = await client.query<{ count: string }>(
    "select count(*) from pg_class where relkind in ('r', 'p') and relnamespace = 'public'::regnamespace",
  );
  return Number(rows[0]?.count) === 0;
}

function notEmpty(): CommandError {
  const message = "this database is not empty; with --replace everything in it goes, and the backup takes its place";
  return new CommandError(exitCodes.conflict, "not_empty", message);
}

async function putAside(client: pg.Client): Promise<void> {
  try {
    await client.query(`begin; alter schema public rename to ${asideSchema}; create schema public; commit`);
  } catch (error) {
    await client.query("rollback");
    const isForbidden = error instanceof pg.DatabaseError && error.code === "42501";
    if (!isForbidden) throw error;
    const message = "this role may not replace the schema; restore with the role that owns the database";
    throw new CommandError(exitCodes.refused, "not_owner", message);
  }
}

/** What was put aside takes its old place; without such a thing nothing happens. */
async function bringBack(client: pg.Client): Promise<void> {
  const { rows } = await client.query("select to_regnamespace($1) as found", [asideSchema]);
  if (rows[0]?.found === null) return;
  await client.query(`begin; drop schema public cascade; alter schema ${asideSchema} rename to public; commit`);
}
