import { mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gunzipSync, gzipSync } from "node:zlib";
import { startCluster } from "@signalbox/testing/cluster.ts";
import { freshDatabase, prepareTemplate, type TestDatabase } from "@signalbox/testing/database.ts";
import { expect, test } from "vitest";
import { refuseHalfRestored } from "./half-restored.ts";
import { makeBackup } from "./make-backup.ts";
import { findToolVersion } from "./pg-tools.ts";
import { restoreBackup } from "./restore-backup.ts";

async function temporaryFolder() {
  const path = await mkdtemp(join(tmpdir(), "signalbox-backup-"));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
}

/** A little of everything that is hard to carry: JSON null beside SQL null, quotes, commas, line ends, old partitions, lines. */
async function fill({ pool }: TestDatabase): Promise<void> {
  const payloads = [
    "null",
    '{"a":"x\\"y,(\\\\)\\n\\u00e4😀","n":12345678901234567890.5}',
    "[]",
    '""',
    '{"deep":{"empty":{}}}',
  ];
  for (const [index, payload] of payloads.entries()) {
    const id = `0189${index}000-0000-7000-8000-000000000000`;
    await pool.query(
      `insert into tasks (id, type, source, status, payload, trace_id, run_at, concurrency_key, max_attempts, timeout_ms, attempt_budget)
       values ($1, 'echo', 'api', 'queued', $2::jsonb, repeat('a', 32), now(), 'one line', 3, 30000, 3)`,
      [id, payload],
    );
    await pool.query(
      `insert into task_events (task_id, kind, actor, version, data, state) values ($1, 'created', 'person:operator', 1, $2::jsonb, '[]')`,
      [id, `{"note":${JSON.stringify(payload)}}`],
    );
  }
  await pool.query("select ensure_log_partition('2020-02-29')");
  await pool.query(
    `insert into logs (id, at, level, service, message)
     select gen_random_uuid(), at, 2, 'echo-agent', 'line ' || n || E'\\n"quoted", (and) \\\\ more'
       from generate_series(1, 2500) n, (values ('2020-02-29 12:00:00.123+00'::timestamptz), (now())) v(at)`,
  );
}

/** A filled database's content, and a logical backup of it. */
async function backUp(database: TestDatabase, folder: { path: string }) {
  await fill(database);
  const before = await digest(database);
  const { file } = await makeBackup({ url: database.url, folder: folder.path, format: "logical", now: Date.now() });
  return { before, file };
}

/** What every table holds, without the transaction ids, which mean nothing elsewhere. */
async function digest({ pool }: Pick<TestDatabase, "pool">): Promise<Record<string, string>> {
  const tables = await pool.query(
    "select relname as name from pg_class where relkind in ('r', 'p') and not relispartition and relnamespace = 'public'::regnamespace and relname <> 'schema_migrations' order by 1",
  );
  const found: Record<string, string> = {};
  for (const { name } of tables.rows as { name: string }[]) {
    const { rows } = await pool.query(
      `select count(*) || ' ' || coalesce(md5(string_agg(line, e'\\n' order by line)), '') as sum
         from (select (to_jsonb(t) - 'xid')::text as line from "${name}" t) all_lines`,
    );
    found[name] = String(rows[0].sum);
  }
  const sequences = await pool.query(
    "select sequencename, last_value from pg_sequences where schemaname = 'public' order by 1",
  );
  return { ...found, sequences: JSON.stringify(sequences.rows) };
}

async function constraints({ pool }: TestDatabase): Promise<unknown[]> {
  const { rows } = await pool.query(`
    select conrelid::regclass::text as "table", conname, convalidated, pg_get_constraintdef(oid) as definition from pg_constraint
     where connamespace = 'public'::regnamespace and conparentid = 0 and conrelid::regclass::text not like 'logs\\_2%' order by 1, 2`);
  const triggers = await pool.query("select tgname, tgenabled from pg_trigger where not tgisinternal order by 1, 2");
  return [...rows, ...triggers.rows];
}

test("what is written while others work is put back as it was, in a database that goes on from there", async () => {
  await using folder = await temporaryFolder();
  await using first = await freshDatabase();
  await fill(first);
  const before = await digest(first);
  const made = await makeBackup({ url: first.url, folder: folder.path, format: "logical", now: Date.now() });
  expect((await stat(made.file)).mode & 0o777).toBe(0o600);
  expect(await readdir(folder.path)).toHaveLength(1);

  await using second = await freshDatabase();
  const untouched = await constraints(second);
  await second.pool.query("insert into log_drops values ('2020-01-01', 1, 1, 1, now())");
  await expect(restoreBackup({ url: second.url, file: made.file, replace: false })).rejects.toThrow("not empty");
  const rows = await restoreBackup({ url: second.url, file: made.file, replace: true });
  expect(rows).toMatchObject({ tasks: 5, task_events: 5, logs: 5_000, log_drops: 0 });
  expect(await digest(second)).toEqual(before);
  expect(await constraints(second)).toEqual(untouched);

  await expect(second.pool.query("delete from task_events")).rejects.toThrow("append-only");
  const { rows: next } = await second.pool.query(
    "select nextval('task_events_seq')::int as seq, (select max(seq)::int from task_events) as last",
  );
  expect(next[0].seq).toBeGreaterThan(next[0].last);
});

test("a backup of an older schema is brought to this one", async () => {
  await using folder = await temporaryFolder();
  await using first = await freshDatabase();
  const { file } = await makeBackup({ url: first.url, folder: folder.path, format: "logical", now: Date.now() });
  const [head = "", ...lines] = gunzipSync(await readFile(file))
    .toString("utf8")
    .trimEnd()
    .split("\n");
  const header = JSON.parse(head) as { migrations: string[] };
  // Of the time before the watcher: its tables are not there.
  const migrations = header.migrations.slice(
    0,
    header.migrations.findIndex((name) => name.startsWith("0020")),
  );
  const known = ["tasks", "task_events", "logs", "agents"];
  const parsed = lines.map((line) => JSON.parse(line) as { table?: string; end?: unknown; sequences?: unknown });
  const kept = parsed.filter(({ table }) => table !== undefined && known.includes(table));
  const rows = Object.fromEntries(kept.map(({ table }) => [table, 0]));
  const older = [{ ...header, migrations, partitions: [] }, ...kept, { end: { rows } }];
  await writeFile(file, gzipSync(older.map((line) => `${JSON.stringify(line)}\n`).join("")));
  await using second = await freshDatabase();
  const all = await constraints(second);
  await restoreBackup({ url: second.url, file, replace: true });
  expect(await constraints(second)).toEqual(all);
});

test("a file that is damaged, half, of a newer release, none or not there is refused, and costs nothing of what it was to replace", async () => {
  await using folder = await temporaryFolder();
  await using first = await freshDatabase();
  const { file } = await backUp(first, folder);
  const whole = await readFile(file);
  const lines = gunzipSync(whole).toString("utf8").trimEnd().split("\n");
  const header = JSON.parse(lines[0] ?? "") as { migrations: string[] };
  const newer = { ...header, migrations: [...header.migrations, "9999_of_tomorrow"] };
  const cases: [Buffer, RegExp][] = [
    [whole.subarray(0, whole.length >> 1), /cannot be read as a backup/],
    [gzipSync(lines.slice(0, -1).join("\n")), /not whole/],
    [gzipSync([...lines.slice(0, 30), lines.at(-1)].join("\n")), /not whole/],
    [gzipSync([JSON.stringify(newer), ...lines.slice(1)].join("\n")), /of a newer release.*9999_of_tomorrow/],
    [gzipSync("{}"), /no backup that this release can read/],
    [Buffer.from("nonsense"), /cannot be read as a backup/],
  ];
  await using second = await freshDatabase();
  await second.pool.query("insert into log_drops values ('2020-01-01', 1, 1, 1, now())");
  const [before, shape] = [await digest(second), await constraints(second)];
  for (const [bytes, why] of cases) {
    await writeFile(file, bytes);
    await expect(restoreBackup({ url: second.url, file, replace: true })).rejects.toThrow(why);
    expect(await digest(second)).toEqual(before);
  }
  for (const name of ["missing.jsonl.gz", "missing.dump"])
    await expect(restoreBackup({ url: second.url, file: join(folder.path, name), replace: true })).rejects.toThrow();
  expect(await digest(second)).toEqual(before);
  expect(await constraints(second)).toEqual(shape);
});

test("a restore that was killed is noticed by the next start, and made good by the next restore", async () => {
  await using folder = await temporaryFolder();
  await using first = await freshDatabase();
  const { before, file } = await backUp(first, folder);
  // As it is left behind by a kill: the old content aside, the new one begun.
  await first.pool.query("alter schema public rename to signalbox_before_restore; create schema public");
  await first.pool.query("create table tasks (half int)");
  await expect(refuseHalfRestored(first.url)).rejects.toThrow("was cut off");
  await writeFile(join(folder.path, "other.jsonl.gz"), "nonsense");
  const wrong = { url: first.url, file: join(folder.path, "other.jsonl.gz"), replace: true };
  await expect(restoreBackup(wrong)).rejects.toThrow("cannot be read");
  await refuseHalfRestored(first.url);
  expect(await digest(first)).toEqual(before);
  await restoreBackup({ url: first.url, file, replace: true });
  expect(await digest(first)).toEqual(before);
  const { rows } = await first.pool.query("select nspname from pg_namespace where nspname like 'signalbox%'");
  expect(rows).toEqual([]);
});

test("a role that may not make schemas is told so, and nothing changes", async () => {
  await using folder = await temporaryFolder();
  await using first = await freshDatabase();
  const { before, file } = await backUp(first, folder);
  await first.pool.query(
    "do $$ begin execute format('revoke create on database %I from %I', current_database(), current_user); end $$",
  );
  await expect(restoreBackup({ url: first.url, file, replace: true })).rejects.toThrow("owns the database");
  expect(await digest(first)).toEqual(before);
});

test("a database that services work with is left alone", async () => {
  await using database = await freshDatabase();
  await database.pool.query("set application_name = 'signalbox orchestrator'");
  const wish = { url: database.url, file: "/nowhere.jsonl.gz", replace: true };
  await expect(restoreBackup(wish)).rejects.toThrow("services work with this database (signalbox orchestrator)");
});

const pgDump = await findToolVersion("pg_dump");

test.runIf(pgDump !== null && pgDump >= 15)(
  "with a pg_dump that knows the server it is pg_dump's format (skipped without one)",
  async () => {
    await using folder = await temporaryFolder();
    await using cluster = await startCluster({ version: 15 });
    await prepareTemplate(cluster.url);
    await using first = await freshDatabase(cluster.url);
    await fill(first);
    const made = await makeBackup({ url: first.url, folder: folder.path, format: "auto", now: Date.now() });
    expect(made).toMatchObject({ format: "pg", file: expect.stringMatching(/\.dump$/) });
    await using second = await freshDatabase(cluster.url);
    const before = await digest(first);
    await restoreBackup({ url: second.url, file: made.file, replace: true });
    expect(await digest(second)).toEqual(before);
    // A database that was restored is backed up and restored like any other.
    const again = await makeBackup({ url: second.url, folder: folder.path, format: "pg", now: Date.now() + 1_000 });
    await restoreBackup({ url: first.url, file: again.file, replace: true });
    expect(await digest(first)).toEqual(before);
    await writeFile(again.file, (await readFile(again.file)).subarray(0, 20_000));
    await expect(restoreBackup({ url: first.url, file: again.file, replace: true })).rejects.toThrow("pg_restore");
    expect(await digest(first)).toEqual(before);
  },
);
