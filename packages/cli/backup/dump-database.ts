import pg from "pg";
import { type DumpHeader, type DumpLine, type DumpTable, dumpFormat, schemaTable } from "./dump-format.ts";

/** What every row is written with, so that it is read in the same way wherever and whenever that is. */
export const plainSession =
  "set datestyle = 'ISO, YMD'; set timezone = 'UTC'; set intervalstyle = 'postgres'; set bytea_output = 'hex'; set extra_float_digits = 3";

const bytesAtOnce = 4_194_304;
const rowsAtMost = 2_000;

/**
 * Everything that the database holds at one moment: one snapshot for all tables, taken without stopping anybody.
 *
 * @param url of the database; its owner's
 */
export async function* dumpDatabase(url: string): AsyncGenerator<DumpLine> {
  const client = new pg.Client({
    connectionString: url,
    application_name: "signalbox-backup",
    connectionTimeoutMillis: 5_000,
  });
  client.on("error", () => undefined);
  try {
    await client.connect();
    await client.query(`${plainSession}; set statement_timeout = 0; set idle_in_transaction_session_timeout = 0`);
    await client.query("begin isolation level repeatable read read only");
    yield await readHeader(client);
    const rows: Record<string, number> = {};
    for (const table of await listTables(client)) {
      yield table;
      rows[table.table] = 0;
      for await (const row of readRows(client, table.table)) {
        rows[table.table] = (rows[table.table] ?? 0) + 1;
        yield row;
      }
    }
    // Sequences know no snapshot: read last, they are at least as far as every row above.
    yield { sequences: await readSequences(client) };
    yield { end: { rows } };
    await client.query("commit");
  } finally {
    await client.end();
  }
}

async function readHeader(client: pg.Client): Promise<DumpHeader> {
  const applied = await client.query<{ name: string }>(`select name from ${schemaTable} order by id`);
  const version = await client.query<{ server: string }>("select current_setting('server_version_num') as server");
  const partitions = await client.query<{ parent: string; name: string; bound: string }>(`
    select p.relname as parent, c.relname as name, pg_get_expr(c.relpartbound, c.oid) as bound
      from pg_inherits i join pg_class c on c.oid = i.inhrelid join pg_class p on p.oid = i.inhparent
     where c.relispartition and c.relkind = 'r' and c.relnamespace = current_schema()::regnamespace order by 1, 2`);
  return {
    ...{ format: dumpFormat, version: 1, at: new Date().toISOString() },
    server: Math.floor(Number(version.rows[0]?.server) / 10_000),
    migrations: applied.rows.map(({ name }) => name),
    partitions: partitions.rows,
  };
}

/**
 * Tables with the columns that are to be written back. Not those that the database works out by itself, and no transaction ids: they
 * mean nothing in another cluster.
 */
async function listTables(client: pg.Client): Promise<DumpTable[]> {
  const { rows } = await client.query<DumpTable>(
    `select c.relname as table, array_agg(a.attname::text order by a.attnum) as columns
       from pg_class c join pg_attribute a on a.attrelid = c.oid
      where c.relkind in ('r', 'p') and not c.relispartition and c.relnamespace = current_schema()::regnamespace
        and a.attnum > 0 and not a.attisdropped and a.attgenerated = '' and a.atttypid <> 'xid8'::regtype and c.relname <> $1
      group by c.relname order by c.relname`,
    [schemaTable],
  );
  return rows;
}

/** As many rows at a time as a few megabytes hold: a row may be a few bytes or a few megabytes itself. */
async function* readRows(client: pg.Client, table: string): AsyncGenerator<string> {
  await client.query(`declare backup no scroll cursor for select t::text as row from ${pg.escapeIdentifier(table)} t`);
  for (let count = 100; ; ) {
    const { rows } = await client.query<{ row: string }>(`fetch ${count} from backup`);
    if (rows.length === 0) break;
    let size = 0;
    for (const { row } of rows) {
      size += row.length;
      yield row;
    }
    count = Math.min(rowsAtMost, Math.max(1, Math.floor(bytesAtOnce / Math.max(1, size / rows.length))));
  }
  await client.query("close backup");
}

async function readSequences(client: pg.Client) {
  const { rows } = await client.query<{ name: string }>(
    "select relname as name from pg_class where relkind = 'S' and relnamespace = current_schema()::regnamespace order by 1",
  );
  const found = [];
  for (const { name } of rows) {
    const state = await client.query<{ last: string; called: boolean }>(
      `select last_value::text as last, is_called as called from ${pg.escapeIdentifier(name)}`,
    );
    const { last = "1", called = false } = state.rows[0] ?? {};
    found.push({ name, last, isCalled: called });
  }
  return found;
}
