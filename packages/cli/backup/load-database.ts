import { readdir } from "node:fs/promises";
import { migrate } from "@signalbox/testing/migrate.ts";
import { migrationFile, migrationsDir } from "@signalbox/testing/schema-state.ts";
import { SetupError } from "@signalbox/testing/setup-error.ts";
import pg from "pg";
import { plainSession } from "./dump-database.ts";
import { type DumpHeader, type DumpLine, type DumpSequences, type DumpTable, dumpFormat } from "./dump-format.ts";

/*
 * Puts a backup into an empty database: the schema of the backup's own time first, then all rows in one transaction, then what the
 * schema has learned since. If anything goes wrong, nothing is there. Rows come in without their triggers and foreign keys, because they
 * are what those have once made of them; the keys are put back, and checked, before the transaction ends.
 */

const bytesAtOnce = 4_194_304;
const rowsAtOnce = 1_000;

/**
 * @returns how many rows each table has got
 * @throws SetupError for a file that is none, half of one, or of a newer release
 */
export async function loadDatabase(url: string, lines: AsyncIterable<DumpLine>): Promise<Record<string, number>> {
  const all = lines[Symbol.asyncIterator]();
  const header = toHeader((await all.next()).value);
  await migrate({ url, count: await countMigrations(header) });
  const client = new pg.Client({
    connectionString: url,
    application_name: "signalbox-restore",
    connectionTimeoutMillis: 5_000,
  });
  client.on("error", () => undefined);
  let rows: Record<string, number>;
  try {
    await client.connect();
    await client.query(
      `${plainSession}; set statement_timeout = 0; set idle_in_transaction_session_timeout = 0; begin`,
    );
    rows = await loadAll(client, header, { [Symbol.asyncIterator]: () => all });
    await client.query("commit");
  } finally {
    await client.end();
  }
  await migrate({ url });
  return rows;
}

function toHeader(line: DumpLine | undefined): DumpHeader {
  const isHeader = typeof line === "object" && "format" in line && line.format === dumpFormat && line.version === 1;
  if (isHeader) return line;
  throw new SetupError("the file is no backup that this release can read");
}

/** How many migrations make the schema of the backup. */
async function countMigrations({ migrations }: DumpHeader): Promise<number> {
  const known = (await readdir(migrationsDir)).filter((name) => migrationFile.test(name)).sort();
  const names = known.map((name) => name.replace(/\.sql$/, ""));
  const unknown = migrations.find((name, index) => names[index] !== name);
  if (unknown === undefined) return migrations.length;
  throw new SetupError(`the backup is of a newer release: this one has no migration ${unknown}; update first`);
}

async function loadAll(client: pg.Client, header: DumpHeader, lines: AsyncIterable<DumpLine>) {
  const keys = await dropForeignKeys(client);
  const tables = await listAllTables(client);
  await client.query(
    tables.map((table) => `alter table ${pg.escapeIdentifier(table)} disable trigger user`).join("; "),
  );
  await client.query(`truncate ${tables.map(pg.escapeIdentifier).join(", ")}`);
  for (const partition of header.partitions) await ensurePartition(client, partition);
  const rows = await loadTables(client, lines);
  await client.query(tables.map((table) => `alter table ${pg.escapeIdentifier(table)} enable trigger user`).join("; "));
  for (const add of keys) await client.query(add);
  return rows;
}

/** @returns the statements that put them back */
async function dropForeignKeys(client: pg.Client): Promise<string[]> {
  const { rows } = await client.query<{ table: string; name: string; definition: string }>(`
    select c.relname as table, k.conname as name, pg_get_constraintdef(k.oid) as definition
      from pg_constraint k join pg_class c on c.oid = k.conrelid
     where k.contype = 'f' and k.conparentid = 0 and k.connamespace = current_schema()::regnamespace`);
  const named = rows.map(({ table, name, definition }) => ({
    head: `alter table ${pg.escapeIdentifier(table)}`,
    name: pg.escapeIdentifier(name),
    definition,
  }));
  for (const { head, name } of named) await client.query(`${head} drop constraint ${name}`);
  return named.map(({ head, name, definition }) => `${head} add constraint ${name} ${definition}`);
}

async function listAllTables(client: pg.Client): Promise<string[]> {
  const { rows } = await client.query<{ name: string }>(`
    select relname as name from pg_class
     where relkind in ('r', 'p') and not relispartition and relnamespace = current_schema()::regnamespace
       and relname <> 'schema_migrations' order by 1`);
  return rows.map(({ name }) => name);
}

async function ensurePartition(client: pg.Client, { parent, name, bound }: DumpHeader["partitions"][number]) {
  const { rows } = await client.query("select to_regclass($1) as found", [pg.escapeIdentifier(name)]);
  if (rows[0]?.found !== null) return;
  // The bound is PostgreSQL's own text of it.
  const [part, whole] = [name, parent].map(pg.escapeIdentifier);
  await client.query(`create table ${part} (like ${whole} including defaults including constraints)`);
  await client.query(`alter table ${whole} attach partition ${part} ${bound}`);
}

async function loadTables(client: pg.Client, lines: AsyncIterable<DumpLine>): Promise<Record<string, number>> {
  const loader = buildLoader(client);
  let isWhole = false;
  for await (const line of lines) {
    if (typeof line === "string") {
      await loader.add(line);
      continue;
    }
    await loader.flush();
    if ("table" in line) loader.begin(line);
    else if ("sequences" in line) await setSequences(client, line);
    else isWhole = "end" in line && isSame(line.end.rows, loader.rows);
  }
  if (isWhole) return loader.rows;
  throw new SetupError("the backup is not whole: its end is missing, or has other numbers; take another one");
}

/** Gathers the rows of one table after the other, and writes many at once. */
function buildLoader(client: pg.Client) {
  const rows: Record<string, number> = {};
  let table: DumpTable | null = null;
  let [batch, size]: [string[], number] = [[], 0];

  async function flush(): Promise<void> {
    if (table !== null && batch.length > 0) await insertRows(client, table, batch);
    [batch, size] = [[], 0];
  }

  return {
    rows,
    flush,
    begin(next: DumpTable) {
      table = next;
      rows[next.table] = 0;
    },
    async add(row: string) {
      if (table === null) throw new SetupError("the backup has a row before its table");
      batch.push(row);
      size += row.length;
      rows[table.table] = (rows[table.table] ?? 0) + 1;
      if (batch.length >= rowsAtOnce || size >= bytesAtOnce) await flush();
    },
  };
}

function isSame(a: Record<string, number>, b: Record<string, number>): boolean {
  return Object.keys(a).length === Object.keys(b).length && Object.entries(a).every(([key, count]) => b[key] === count);
}

async function insertRows(client: pg.Client, { table, columns }: DumpTable, rows: readonly string[]): Promise<void> {
  const name = pg.escapeIdentifier(table);
  const [into, from] = [
    columns.map(pg.escapeIdentifier),
    columns.map((column) => `(r).${pg.escapeIdentifier(column)}`),
  ];
  // "offset 0" keeps the row from being read again for each of its columns.
  await client.query(
    `insert into ${name} (${into.join(", ")}) overriding system value
     select ${from.join(", ")} from (select x::${name} as r from unnest($1::text[]) x offset 0) s`,
    [rows],
  );
}

async function setSequences(client: pg.Client, { sequences }: DumpSequences): Promise<void> {
  for (const { name, last, isCalled } of sequences) {
    const values = [pg.escapeIdentifier(name), last, isCalled];
    await client.query("select setval($1::regclass, $2::bigint, $3)", values);
  }
}
