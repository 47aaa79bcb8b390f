import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { emptyDatabase } from "./database.ts";
import { eventually } from "./eventually.ts";
import { migrate } from "./migrate.ts";
import { openSession } from "./session.ts";

async function migrationsOf(files: Record<string, string>) {
  const dir = await mkdtemp(join(tmpdir(), "signalbox-migrations-"));
  for (const [name, text] of Object.entries(files)) await writeFile(join(dir, name), text);
  return { dir, [Symbol.asyncDispose]: () => rm(dir, { recursive: true, force: true }) };
}

test.concurrent("a migration that fails leaves nothing of itself, and is named", async () => {
  await using folder = await migrationsOf({
    "0001_good.sql": "create table good (id int);",
    "0002_bad.sql": "create table half (id int); select 1 / 0;",
  });
  const url = await emptyDatabase();
  await expect(migrate({ url, dir: folder.dir })).rejects.toThrow("migration 0002_bad failed: division by zero");

  await using session = await openSession(url);
  const { rows } = await session.query("select to_regclass('good') as good, to_regclass('half') as half");
  expect(rows).toEqual([{ good: "good", half: null }]);
  const ran = await session.query("select name from schema_migrations");
  expect(ran.rows).toEqual([{ name: "0001_good" }]);
});

test.concurrent("what is no migration is passed over", async () => {
  await using folder = await migrationsOf({
    "0001_one.sql": "create table one (id int);",
    "README.md": "# not SQL",
    "schema.sql": "this is not for running",
    "notes.sql": "neither is this",
  });
  expect(await migrate({ url: await emptyDatabase(), dir: folder.dir })).toEqual(["0001_one"]);
});

test.concurrent("a file without a transaction can build an index concurrently", async () => {
  await using folder = await migrationsOf({
    "0001_table.sql": "create table numbers (id int);",
    "0002_index.sql": "-- no-transaction\ncreate index concurrently if not exists numbers_id_idx on numbers (id);",
  });
  expect(await migrate({ url: await emptyDatabase(), dir: folder.dir })).toEqual(["0001_table", "0002_index"]);
});

test.concurrent("a runner waits for the one before it, without a session that waits inside the database", async () => {
  await using folder = await migrationsOf({ "0001_one.sql": "create table one (id int);" });
  const url = await emptyDatabase();
  await using holder = await openSession(url);
  await holder.query("select pg_advisory_lock(7241865325823964)");
  const run = migrate({ url, dir: folder.dir });
  const seen = await eventually(async () => {
    const { rows } = await holder.query(
      "select wait_event from pg_stat_activity where application_name = 'signalbox-migrate' and datname = current_database()",
    );
    return rows.length > 0 && rows;
  });
  expect(seen).not.toContainEqual({ wait_event: "advisory" });
  await holder.query("select pg_advisory_unlock(7241865325823964)");
  expect(await run).toEqual(["0001_one"]);
});

test.concurrent("a table in use is waited for briefly and tried again", async () => {
  await using folder = await migrationsOf({ "0001_change.sql": "alter table busy add column more int;" });
  const url = await emptyDatabase();
  await using holder = await openSession(url);
  await holder.query("create table busy (id int)");
  await holder.query("begin");
  await holder.query("select * from busy");
  const run = migrate({ url, dir: folder.dir });
  await eventually(async () => {
    const { rows } = await holder.query(
      "select 1 from pg_locks where not granted and database = (select oid from pg_database where datname = current_database())",
    );
    return rows.length > 0;
  });
  await holder.query("commit");
  expect(await run).toEqual(["0001_change"]);
});

test.concurrent("a lock that is never let go is told when the time is up", async () => {
  await using folder = await migrationsOf({ "0001_one.sql": "create table one (id int);" });
  const url = await emptyDatabase();
  await using holder = await openSession(url);
  await holder.query("select pg_advisory_lock(7241865325823964)");
  await expect(migrate({ url, dir: folder.dir, timeoutMs: 500 })).rejects.toThrow(
    "the schema cannot be brought up to date: Another migration is already running",
  );
});
