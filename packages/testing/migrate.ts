import { readFile } from "node:fs/promises";
import { setTimeout as delay } from "node:timers/promises";
import { type MigrationBuilder, runner } from "node-pg-migrate";
import pg from "pg";
import { migrationFile, migrationsDir, migrationsTable } from "./schema-state.ts";
import { messageOf, systemCode } from "./setup-error.ts";

/*
 * Brings a database to the newest schema. Any number of starts may call it at the same time.
 *
 * One session advisory lock admits one runner; the others do not wait inside the database but ask again. A session that
 * waits in `pg_advisory_lock` holds a snapshot, `create index concurrently` waits for all older snapshots, and the two
 * would wait for each other for ever. The lock is the session's, so it is gone when a runner dies at any point.
 *
 * Every file is one transaction with its own note in `schema_migrations`, so a crash between two files leaves a schema
 * that the next run continues from. Files that begin with `-- no-transaction` hold one statement that may run twice:
 * a crash between the statement and its note repeats it.
 */

export type MigrateOptions = {
  url: string;
  dir?: string;
  /** Only so many in all, counted from the first; for a schema of an earlier time. */
  count?: number;
  /** How long to wait for another runner and for busy tables. */
  timeoutMs?: number;
  onProgress?: (line: string) => void;
};

/** Tells which migration failed and what the database said; the cause is the driver's error. */
class MigrationError extends Error {
  override name = "MigrationError";
}

const noTransaction = /^--\s*no-transaction\b/;

/** Applies what is missing; the names of what was applied, none if the schema was new already. */
export async function migrate(options: MigrateOptions): Promise<string[]> {
  const giveUpAt = performance.now() + (options.timeoutMs ?? 60_000);
  for (;;) {
    const outcome = await tryMigrate(options);
    if (outcome.kind === "done") return outcome.applied;
    if (performance.now() >= giveUpAt) throw new MigrationError(outcome.message, { cause: outcome.cause });
    // Spread, so that several starts do not keep meeting.
    await delay(50 + Math.random() * 150);
  }
}

type Outcome = { kind: "done"; applied: string[] } | { kind: "busy"; message: string; cause: unknown };

async function tryMigrate({ url, dir = migrationsDir, count, onProgress }: MigrateOptions): Promise<Outcome> {
  const client = new pg.Client({
    connectionString: url,
    application_name: "signalbox-migrate",
    connectionTimeoutMillis: 5_000,
    lock_timeout: 2_000,
  });
  // A session that the server ends is also an error of the query in flight; unheard here, it would end the process.
  client.on("error", () => undefined);
  let current: string | null = null;
  const note = (line: string) => {
    current = /^### MIGRATION (\S+)/.exec(line)?.[1] ?? current;
    if (line.startsWith("### MIGRATION")) onProgress?.(`migrating ${current}`);
  };
  try {
    await client.connect();
    return { kind: "done", applied: await applyAll(client, { dir, count, note }) };
  } catch (error) {
    const message = describe(error, current);
    if (isBusy(error)) return { kind: "busy", message, cause: error };
    // What the database or the system says has a code, and is for the caller to explain.
    throw current === null && systemCode(error) !== null ? error : new MigrationError(message, { cause: error });
  } finally {
    await client.end();
  }
}

type Applying = { dir: string; count: number | undefined; note: (line: string) => void };

async function applyAll(client: pg.Client, { dir, count, note }: Applying): Promise<string[]> {
  const quiet = () => undefined;
  const applied = await runner({
    dbClient: client,
    dir,
    // Everything that is not a migration: the README, the generated schema.sql.
    ignorePattern: `(?!${migrationFile.source.slice(1)}).*`,
    direction: "up",
    ...(count !== undefined && { count: await countLeft(client, count) }),
    migrationsTable,
    singleTransaction: false,
    advisoryLockMode: "fail",
    migrationLoaderStrategies: [{ extensions: [".sql"], loader: loadSql }],
    logger: { debug: quiet, info: note, warn: quiet, error: quiet },
  });
  return applied.map(({ name }) => name);
}

/** Of so many in all, those that are not applied yet. */
async function countLeft(client: pg.Client, count: number): Promise<number> {
  const { rows } = await client.query("select to_regclass($1) as found", [migrationsTable]);
  if (rows[0]?.found === null) return count;
  const applied = await client.query<{ count: string }>(`select count(*) from ${migrationsTable}`);
  return Math.max(0, count - Number(applied.rows[0]?.count));
}

async function loadSql(paths: string[]) {
  return Promise.all(
    paths.map(async (path) => {
      const text = await readFile(path, "utf8");
      const up = (builder: MigrationBuilder) => {
        if (noTransaction.test(text)) builder.noTransaction();
        builder.sql(text);
      };
      return { id: path, filePaths: [path], actions: { up, down: false as const } };
    }),
  );
}

/** Another runner holds the lock, or a table that must change is in use: the same run may pass a moment later. */
function isBusy(error: unknown): boolean {
  const lockNotAvailable = "55P03";
  return (
    messageOf(error).startsWith("Another migration is already running") ||
    (error instanceof pg.DatabaseError && error.code === lockNotAvailable)
  );
}

function describe(error: unknown, current: string | null): string {
  // The library adds the stack of what it caught.
  const [said] = messageOf(error).split("\n");
  return current === null ? `the schema cannot be brought up to date: ${said}` : `migration ${current} failed: ${said}`;
}
