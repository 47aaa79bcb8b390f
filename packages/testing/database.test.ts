import pg from "pg";
import { expect, test } from "vitest";
import { emptyDatabase, freshDatabase, ownCluster } from "./database.ts";
import { migrate } from "./migrate.ts";

test.concurrent("every test has a migrated database of its own", async () => {
  await using one = await freshDatabase();
  await using other = await freshDatabase();
  await one.pool.query("create table only_here (id int)");

  const here = await one.pool.query("select to_regclass('only_here') as found, to_regclass('tasks') as tasks");
  const there = await other.pool.query("select to_regclass('only_here') as found, to_regclass('tasks') as tasks");
  expect(here.rows).toEqual([{ found: "only_here", tasks: "tasks" }]);
  expect(there.rows).toEqual([{ found: null, tasks: "tasks" }]);
});

test.concurrent("a database is gone after its scope, even with a session open", async () => {
  let url: string;
  let client: pg.Client;
  let ended: Promise<unknown>;
  {
    await using db = await freshDatabase();
    url = db.url;
    client = new pg.Client({ connectionString: url });
    ended = new Promise((resolve) => client.on("error", resolve));
    await client.connect();
  }
  await ended;
  await expect(new pg.Client({ connectionString: url }).connect()).rejects.toThrow("does not exist");
});

test.concurrent("thirty databases can be made at once", async () => {
  const databases = await Promise.all(Array.from({ length: 30 }, () => freshDatabase()));
  expect(new Set(databases.map((db) => db.name)).size).toBe(30);
  await Promise.all(databases.map((db) => db[Symbol.asyncDispose]()));
});

test.concurrent("a test's role is no superuser", async () => {
  await using db = await freshDatabase();
  const { rows } = await db.pool.query("select rolname, rolsuper from pg_roles where rolname = current_user");
  expect(rows).toEqual([{ rolname: "signalbox", rolsuper: false }]);
});

test.concurrent("a cluster of its own keeps its data over a restart and takes new sessions", async () => {
  await using cluster = await ownCluster();
  await using db = await freshDatabase(cluster.url);
  await db.pool.query("create table kept as select 1 as id");
  const before = cluster.pid;
  await cluster.stop("fast");
  await cluster.start();
  const { rows } = await db.pool.query("select id from kept");
  expect(rows).toEqual([{ id: 1 }]);
  expect(cluster.pid).not.toBe(before);
});

test.concurrent("two runners at once apply every migration once", async () => {
  const url = await emptyDatabase();
  const runs = await Promise.all([migrate({ url }), migrate({ url }), migrate({ url })]);
  const applied = runs.filter((names) => names.length > 0);
  expect(applied).toHaveLength(1);
  expect(await migrate({ url })).toEqual([]);
});
