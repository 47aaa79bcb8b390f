import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { emptyDatabase, ownCluster } from "@signalbox/testing/database.ts";
import { migrate } from "@signalbox/testing/migrate.ts";
import { listPending, migrationsDir } from "@signalbox/testing/schema-state.ts";
import { openSession } from "@signalbox/testing/session.ts";
import { expect, test } from "vitest";

const versions = [15, 18] as const;

async function migrationNames(): Promise<string[]> {
  const files = (await readdir(migrationsDir)).filter((name) => name !== "README.md" && name !== "schema.sql");
  return files.sort().map((name) => name.replace(/\.sql$/, ""));
}

/** What a schema consists of, as text that two databases can be compared by. */
async function describeSchema(url: string): Promise<string[]> {
  await using session = await openSession(url);
  const { rows } = await session.query<{ line: string }>(`
      select format('%s.%s %s %s %s', table_name, column_name, data_type, is_nullable, column_default) as line
        from information_schema.columns where table_schema = 'public'
      union all select indexdef from pg_indexes where schemaname = 'public'
      union all select format('%s %s %s', conrelid::regclass, conname, pg_get_constraintdef(oid))
        from pg_constraint where connamespace = 'public'::regnamespace and contype <> 'n'
      union all select pg_get_triggerdef(oid) from pg_trigger where not tgisinternal
      union all select format('%s(%s)', proname, pg_get_function_arguments(oid))
        from pg_proc where pronamespace = 'public'::regnamespace
      order by 1`);
  return rows.map(({ line }) => line);
}

test.concurrent.each(versions)(
  "all migrations apply to PostgreSQL %i, once, however many start together",
  async (version) => {
    await using cluster = await ownCluster({ version });
    const url = await emptyDatabase(cluster.url);
    expect(await listPending(url)).toEqual(await migrationNames());
    const runs = await Promise.all([migrate({ url }), migrate({ url })]);
    expect(runs.flat()).toEqual(await migrationNames());
    expect([await migrate({ url }), await listPending(url)]).toEqual([[], []]);
    await using session = await openSession(url);
    const ran = await session.query("select name from schema_migrations order by id");
    expect(ran.rows.map(({ name }) => name)).toEqual(await migrationNames());
  },
);

test.concurrent("the schema is the same on PostgreSQL 15 and 18", async () => {
  const [old, young] = await Promise.all(
    versions.map(async (version) => {
      await using cluster = await ownCluster({ version });
      const url = await emptyDatabase(cluster.url);
      await migrate({ url });
      return await describeSchema(url);
    }),
  );
  expect(old?.length).toBeGreaterThan(50);
  expect(old).toEqual(young);
});

test.concurrent.each(versions)("PostgreSQL %i itself refuses to change or empty a ledger", async (version) => {
  await using cluster = await ownCluster({ version });
  const url = await emptyDatabase(cluster.url);
  await migrate({ url });
  await using session = await openSession(url);
  for (const ledger of ["task_events", "outcome_events"]) {
    for (const statement of [`update ${ledger} set at = at`, `delete from ${ledger}`, `truncate ${ledger}`]) {
      await expect(session.query(statement), statement).rejects.toMatchObject({
        code: "23001",
        message: expect.stringContaining(`${ledger} is append-only`),
      });
    }
  }
});

test.concurrent("migrations are numbered without gaps and hold no transaction of their own", async () => {
  const names = await migrationNames();
  names.forEach((name, index) => {
    expect(name).toMatch(new RegExp(`^${String(index + 1).padStart(4, "0")}_[a-z0-9_]+$`));
  });
  for (const name of names) {
    const text = await readFile(join(migrationsDir, `${name}.sql`), "utf8");
    // In a function's body `begin` opens a block; a transaction's stands alone on its line with a semicolon.
    expect(text, name).not.toMatch(/^\s*(?:begin|start transaction|commit|rollback)\s*;/im);
  }
});
