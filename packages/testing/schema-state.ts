import { readdir } from "node:fs/promises";
import { join } from "node:path";
import pg from "pg";
import { repositoryRoot } from "./repository.ts";
import { systemCode } from "./setup-error.ts";

export const migrationsDir = join(repositoryRoot, "migrations");
export const migrationFile = /^\d{4}_[a-z0-9_]+\.sql$/;
export const migrationsTable = "schema_migrations";

const noSuchTable = "42P01";

/** The migrations that this database has not seen, in their order: all of a new one, none of an up-to-date one. */
export async function listPending(url: string, dir = migrationsDir): Promise<string[]> {
  const files = (await readdir(dir)).filter((name) => migrationFile.test(name)).sort();
  const seen = await listApplied(url);
  return files.map((name) => name.replace(/\.sql$/, "")).filter((name) => !seen.has(name));
}

async function listApplied(url: string): Promise<Set<string>> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 5_000 });
  client.on("error", () => undefined);
  try {
    await client.connect();
    const { rows } = await client.query<{ name: string }>(`select name from ${migrationsTable}`);
    return new Set(rows.map(({ name }) => name));
  } catch (error) {
    if (systemCode(error) === noSuchTable) return new Set();
    throw error;
  } finally {
    await client.end();
  }
}
