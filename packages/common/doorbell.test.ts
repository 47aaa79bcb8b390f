import { freshDatabase } from "@signalbox/testing/database.ts";
import { eventually } from "@signalbox/testing/eventually.ts";
import { expect, test } from "vitest";
import { buildDoorbell } from "./doorbell.ts";
import { buildPool } from "./sql.ts";

type Database = Awaited<ReturnType<typeof freshDatabase>>;

/** The doorbell of one process, and what it heard. */
async function openBell(database: Database, self: string) {
  const pool = buildPool({ url: database.url, name: self, max: 2, onError: () => undefined });
  const errors: unknown[] = [];
  const bell = buildDoorbell({
    pool,
    url: database.url,
    name: "bell test",
    self,
    onError: (error) => errors.push(error),
  });
  const heard = { news: 0, other: 0 };
  bell.on("news", () => heard.news++);
  bell.on("other", () => heard.other++);
  await bell.start();
  // Once connected it calls everybody, for what was rung before.
  heard.news = 0;
  heard.other = 0;
  return {
    bell,
    heard,
    errors,
    async [Symbol.asyncDispose]() {
      await bell.stop();
      await pool.end();
    },
  };
}

const listening =
  "select pid from pg_stat_activity where datname = current_database() and application_name like '%listen'";

test.concurrent("a ring is heard here at once and elsewhere soon, on its own channel, once by whoever rang", async () => {
  await using database = await freshDatabase();
  await using one = await openBell(database, "one");
  await using two = await openBell(database, "two");
  one.bell.ring("news");
  expect(one.heard).toEqual({ news: 1, other: 0 });
  await eventually(() => two.heard.news === 1, { what: "the ring" });
  two.bell.ring("news");
  await eventually(() => one.heard.news === 2, { what: "the ring back" });
  expect(one.heard).toEqual({ news: 2, other: 0 });
  expect(two.heard).toEqual({ news: 2, other: 0 });
});

test.concurrent("a thousand rings are few for others, and the last of them is heard", async () => {
  await using database = await freshDatabase();
  await using one = await openBell(database, "one");
  await using two = await openBell(database, "two");
  for (let at = 0; at < 1_000; at++) one.bell.ring("news");
  expect(one.heard.news).toBe(1_000);
  await eventually(() => two.heard.news === 2, { what: "the first and the last" });
});

test.concurrent("a connection that is cut comes back, and calls everybody for what was missed", async () => {
  await using database = await freshDatabase();
  await using one = await openBell(database, "one");
  await using two = await openBell(database, "two");
  await database.pool.query(`select pg_terminate_backend(pid) from (${listening}) l`);
  await eventually(async () => (await database.pool.query(listening)).rowCount === 2, { what: "two listeners again" });
  await eventually(() => one.heard.news > 0 && two.heard.news > 0, { what: "the call for what was missed" });
  const before = two.heard.news;
  one.bell.ring("news");
  await eventually(() => two.heard.news > before, { what: "a new ring" });
});

test.concurrent("one that is stopped while it connects leaves no connection behind", async () => {
  await using database = await freshDatabase();
  const pool = buildPool({ url: database.url, name: "brief", max: 1, onError: () => undefined });
  const bell = buildDoorbell({ pool, url: database.url, name: "bell test", self: "brief", onError: () => undefined });
  bell.on("news", () => undefined);
  const started = bell.start();
  await bell.stop();
  await started;
  await pool.end();
  await eventually(async () => (await database.pool.query(listening)).rowCount === 0, {
    timeoutMs: 3_000,
    what: "no listener",
  });
  bell.ring("news");
});
