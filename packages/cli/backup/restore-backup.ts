import { migrate } from "@signalbox/testing/migrate.ts";
import pg from "pg";
import { CommandError, exitCodes } from "../command.ts";
import { readDump } from "./backup-file.ts";
import { loadDatabase } from "./load-database.ts";
import { pgRestore } from "./pg-tools.ts";

/**
 * Puts a backup into a database that is empty, or is emptied first.
 *
 * @param wish.replace what is there goes
 * @returns rows by table; null when PostgreSQL's own tool did it
 * @throws CommandError when something is there and may not go, or somebody works with it
 */
export async function restoreBackup(wish: {
  url: string;
  file: string;
  replace: boolean;
}): Promise<Record<string, number> | null> {
  await makeEmpty(wish.url, wish.replace);
  try {
    return await fill(wish.url, wish.file);
  } catch (error) {
    // Half of a restore looks like a fleet that has forgotten.
    await makeEmpty(wish.url, true);
    throw error;
  }
}

async function fill(url: string, file: string): Promise<Record<string, number> | null> {
  if (!file.endsWith(".dump")) return await loadDatabase(url, readDump(file));
  await pgRestore(url, file);
  await migrate({ url });
  return null;
}

async function makeEmpty(url: string, replace: boolean): Promise<void> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 5_000 });
  client.on("error", () => undefined);
  try {
    await client.connect();
    const users = await client.query<{ name: string }>(
      "select distinct application_name as name from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid() and application_name like 'signalbox%'",
    );
    if (users.rows.length > 0) {
      const names = users.rows.map(({ name }) => name).join(", ");
      throw new CommandError(
        exitCodes.conflict,
        "in_use",
        `services work with this database (${names}); stop them first`,
      );
    }
    const { rows } = await client.query<{ count: string }>(
      "select count(*) from pg_class where relkind in ('r', 'p') and relnamespace = 'public'::regnamespace",
    );
    if (Number(rows[0]?.count) === 0) return;
    if (!replace) {
      const message =
        "this database is not empty; with --replace everything in it goes, and the backup takes its place";
      throw new CommandError(exitCodes.conflict, "not_empty", message);
    }
    await client.query("drop schema public cascade; create schema public");
  } finally {
    await client.end();
  }
}
