import { getEventListeners } from "node:events";
import { setTimeout as pause } from "node:timers/promises";
import type { Cluster } from "@signalbox/testing/cluster.ts";
import { freshDatabase, ownCluster } from "@signalbox/testing/database.ts";
import { eventually } from "@signalbox/testing/eventually.ts";
import pg from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";
import { buildPool, many, sql } from "./sql.ts";
import { buildBell, buildTail } from "./tail.ts";

/** Of its own, because transactions are held open here: a snapshot holds back every tail of its cluster. */
let cluster: Cluster;

beforeAll(async () => {
  cluster = await ownCluster();
});

afterAll(() => cluster[Symbol.asyncDispose]());

type Row = { seq: number; hot: number; version: number };

const hotRows = 5;

/** A ledger as the product has them, beside rows that many writers want at once. */
async function openLedger() {
  const database = await freshDatabase(cluster.url);
  await database.pool.query(`
    create sequence ledger_seq cache 1;
    create table ledger (xid xid8 not null default pg_current_xact_id(), seq bigint primary key default nextval('ledger_seq'),
                         hot int not null, version int not null);
    create table hot (id int primary key, version int not null);
    insert into hot select n, 0 from generate_series(1, ${hotRows}) n`);
  return database;
}

type Ledger = Awaited<ReturnType<typeof openLedger>>;

function follow(ledger: Ledger) {
  const pool = buildPool({ url: ledger.url, name: "tail test", max: 2, onError: () => undefined });
  const rows: Row[] = [];
  const errors: unknown[] = [];
  const rewound: number[] = [];
  let asked = 0;
  pool.on("acquire", () => asked++);
  const tail = buildTail<Row>({
    pool,
    sequence: "ledger_seq",
    latest: async (upTo) =>
      (await many(pool, (row) => Number(row.seq), sql`select max(seq) as seq from ledger where seq <= ${upTo}`))[0] ??
      0,
    read: (after, upTo, limit) =>
      many(
        pool,
        (row) => ({ seq: Number(row.seq), hot: row.hot as number, version: row.version as number }),
        sql`select * from ledger where seq > ${after} and seq <= ${upTo} order by seq limit ${limit}`,
      ),
    seqOf: (row) => row.seq,
    deliver: (page) => void rows.push(...page),
    onError: (error) => void errors.push(error),
    onRewound: (position) => void rewound.push(position),
  });
  const end = new AbortController();
  const running = tail.run(end.signal);
  return {
    tail,
    rows,
    errors,
    rewound,
    asked: () => asked,
    async [Symbol.asyncDispose]() {
      end.abort();
      await running;
      await pool.end();
    },
  };
}

const stored = async (ledger: Ledger): Promise<number[]> =>
  (await ledger.pool.query("select seq from ledger order by seq")).rows.map((row) => Number(row.seq));

/** One change of a hot row with its ledger row, as the product writes them. */
const change = (hot: number) => `
  with changed as (update hot set version = version + 1 where id = ${hot} returning id, version)
  insert into ledger (hot, version) select id, version from changed`;

/** Transactions of one, two or fifteen rows; some linger before they commit, some are rolled back. */
async function write(ledger: Ledger, transactions: number): Promise<void> {
  const client = new pg.Client({ connectionString: ledger.url });
  await client.connect();
  for (let at = 0; at < transactions; at++) {
    const kind = Math.random();
    if (kind < 0.3) await client.query(change(pickHot()));
    else if (kind < 0.5)
      await client.query("insert into ledger (hot, version) select 0, 0 from generate_series(1, 15)");
    else await writeBoth(client, kind > 0.8 ? Math.random() * 25 : 0);
  }
  await client.end();
}

const pickHot = () => 1 + Math.floor(Math.random() * hotRows);

async function writeBoth(client: pg.Client, lingerMs: number): Promise<void> {
  await client.query("begin");
  // In one order for everybody, so that the writers themselves do not deadlock.
  for (const hot of [pickHot(), pickHot()].sort()) await client.query(change(hot));
  if (lingerMs > 0) await pause(lingerMs);
  await client.query(Math.random() < 0.15 ? "rollback" : "commit");
}

function expectInOrder(rows: readonly Row[]): void {
  expect(rows.every((row, at) => at === 0 || row.seq > (rows[at - 1]?.seq ?? 0))).toBe(true);
  for (const [hot, group] of Map.groupBy(rows, (row) => row.hot)) {
    if (hot === 0) continue;
    expect(group.map((row) => row.version)).toEqual(group.map((_, at) => at + 1));
  }
}

test("six writers: every row is delivered once, in order, each hot row's versions too, to every tail the same", async () => {
  await using ledger = await openLedger();
  await using one = follow(ledger);
  await using two = follow(ledger);
  await Promise.all([one.tail.started, two.tail.started]);
  await Promise.all(Array.from({ length: 6 }, () => write(ledger, 150)));
  const all = await stored(ledger);
  expect(all.length).toBeGreaterThan(2_000);
  for (const { rows, tail, errors } of [one, two]) {
    await eventually(() => rows.length >= all.length, { what: "every row" });
    expect(rows.map((row) => row.seq)).toEqual(all);
    expectInOrder(rows);
    expect(errors).toEqual([]);
    expect(tail.position()).toBe(all.at(-1));
  }
});

test("connections that are cut all the time lose and double nothing", async () => {
  await using ledger = await openLedger();
  await using one = follow(ledger);
  await one.tail.started;
  const end = new AbortController();
  let cuts = 0;
  const cutting = (async () => {
    while (!end.signal.aborted) {
      const cut = await ledger.pool.query(
        "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and application_name = 'tail test'",
      );
      cuts += cut.rowCount ?? 0;
      one.tail.ring();
    }
  })();
  while (cuts < 4) await Promise.all(Array.from({ length: 3 }, () => write(ledger, 30)));
  end.abort();
  await cutting;
  const all = await stored(ledger);
  await eventually(() => one.rows.length >= all.length, { what: "every row" });
  expect(one.rows.map((row) => row.seq)).toEqual(all);
});

test("a transaction that is held open delays what came after it and is delivered in its place", async () => {
  await using ledger = await openLedger();
  await using one = follow(ledger);
  await one.tail.started;
  const holder = await ledger.pool.connect();
  await holder.query("begin");
  await holder.query(change(1));
  for (let at = 0; at < 5; at++) await ledger.pool.query(change(2));
  one.tail.ring();
  await eventually(() => one.tail.lagMs() > 100, { what: "a lag that is told" });
  expect(one.rows).toEqual([]);
  await holder.query("commit");
  holder.release();
  await eventually(() => one.rows.length === 6, { what: "all rows" });
  expect(one.rows.map((row) => row.hot)).toEqual([1, 2, 2, 2, 2, 2]);
  await eventually(() => one.tail.lagMs() === 0);
});

test("a rolled back transaction leaves a gap that nobody waits for", async () => {
  await using ledger = await openLedger();
  await using one = follow(ledger);
  await one.tail.started;
  const holder = await ledger.pool.connect();
  await holder.query("begin");
  await holder.query("insert into ledger (hot, version) select 0, 0 from generate_series(1, 700)");
  await ledger.pool.query(change(1));
  await holder.query("rollback");
  holder.release();
  one.tail.ring();
  await eventually(() => one.rows.length === 1, { what: "the only row" });
});

test("pages follow each other until all is read", async () => {
  await using ledger = await openLedger();
  await using one = follow(ledger);
  await one.tail.started;
  await ledger.pool.query("insert into ledger (hot, version) select 0, 0 from generate_series(1, 1234)");
  one.tail.ring();
  await eventually(() => one.rows.length === 1_234, { what: "three pages" });
});

test("a tail begins with what is new, not with what was there", async () => {
  await using ledger = await openLedger();
  await ledger.pool.query(change(1));
  await using one = follow(ledger);
  await one.tail.started;
  expect(one.tail.position()).toBe(1);
  await ledger.pool.query(change(1));
  await eventually(() => one.rows.length === 1, { what: "the new row, found by polling alone" });
  expect(one.rows[0]?.seq).toBe(2);
});

test("a database that comes back without its last rows is followed from where it then stands, and that is told", async () => {
  await using ledger = await openLedger();
  await using tail = follow(ledger);
  await tail.tail.started;
  await write(ledger, 30);
  const all = await stored(ledger);
  await eventually(() => tail.tail.position() === all.at(-1), { what: "all rows" });
  const kept = all[all.length - 5] ?? 0;
  await ledger.pool.query(`delete from ledger where seq > ${kept}; select setval('ledger_seq', ${kept})`);
  await eventually(() => tail.rewound.length > 0, { what: "the way back" });
  const before = tail.rows.length;
  await ledger.pool.query(change(1));
  await eventually(() => tail.rows.length > before, { what: "the new row" });
  expect(tail.rewound).toEqual([kept]);
  expect(tail.rows.slice(before).map(({ seq }) => seq)).toEqual([kept + 1]);
  expect(tail.errors).toEqual([]);
});

test("with nothing new it asks now and then, and spends no transaction id", async () => {
  await using ledger = await openLedger();
  await using one = follow(ledger);
  await one.tail.started;
  await eventually(() => one.tail.lagMs() === 0);
  const next = "select pg_snapshot_xmax(pg_current_snapshot())::text as xid";
  const before = (await ledger.pool.query(next)).rows;
  const asked = one.asked();
  for (let at = 0; at < 5; at++) {
    one.tail.ring();
    await eventually(() => one.asked() > asked + at, { what: "another look" });
  }
  expect((await ledger.pool.query(next)).rows).toEqual(before);
});

test("at rest a row is delivered within moments of its commit", async () => {
  await using ledger = await openLedger();
  await using one = follow(ledger);
  await one.tail.started;
  const delays: number[] = [];
  for (let at = 1; at <= 30; at++) {
    await ledger.pool.query(change(1));
    const committedAt = performance.now();
    one.tail.ring();
    await eventually(() => one.rows.length === at, { everyMs: 1, what: "the row" });
    delays.push(performance.now() - committedAt);
  }
  const median = delays.toSorted((a, b) => a - b)[15] ?? 0;
  expect(median).toBeLessThan(250);
});

test("a bell keeps one ring while nobody listens, and wakes whoever does", async () => {
  const bell = buildBell();
  const never = new AbortController().signal;
  bell.ring();
  bell.ring();
  await bell.heard(60_000, never);
  const heard = bell.heard(60_000, never);
  bell.ring();
  await heard;
  await bell.heard(1, never);
  const stop = new AbortController();
  const stopped = bell.heard(60_000, stop.signal);
  stop.abort();
  await stopped;
  await bell.heard(60_000, stop.signal);
});

test("a bell that nobody rang leaves nothing at the signal", async () => {
  const { signal } = new AbortController();
  const bell = buildBell();
  for (let at = 0; at < 3; at++) await bell.heard(1, signal);
  expect(getEventListeners(signal, "abort")).toEqual([]);
});
