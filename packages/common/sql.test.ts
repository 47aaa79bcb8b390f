import { freshDatabase } from "@signalbox/testing/database.ts";
import { eventually } from "@signalbox/testing/eventually.ts";
import { expect, test } from "vitest";
import { buildPool, exec, joinSql, many, maybeOne, one, prepared, rawSql, sql, transaction } from "./sql.ts";

test("values become numbered parameters and never text", () => {
  const { text, values } = sql`select ${1}, ${"'; drop table tasks --"} from ${rawSql("t")} where a = ${null}`;
  expect(text).toBe("select $1, $2 from t where a = $3");
  expect(values).toEqual([1, "'; drop table tasks --", null]);
});

test("fragments are spliced in at any depth, and their parameters are numbered anew", () => {
  const inner = sql`b = ${2} or ${sql`c = ${3}`}`;
  const outer = sql`a = ${1} and (${inner}) and d = ${4}`;
  expect([outer.text, outer.values]).toEqual(["a = $1 and (b = $2 or c = $3) and d = $4", [1, 2, 3, 4]]);
  const joined = joinSql([sql`a = ${1}`, rawSql("true"), sql`b = ${2}`], " and ");
  expect([joined.text, joined.values]).toEqual(["a = $1 and true and b = $2", [1, 2]]);
  expect(joinSql([], " and ").text).toBe("");
});

test("undefined is refused, because it would be sent as null without anyone having said so", () => {
  expect(() => sql`select ${undefined}`).toThrow("value 1 is undefined");
});

async function openPool() {
  const database = await freshDatabase();
  const pool = buildPool({ url: database.url, name: "sql test", max: 3, onError: () => undefined });
  return {
    database,
    pool,
    async [Symbol.asyncDispose]() {
      await pool.end();
      await database[Symbol.asyncDispose]();
    },
  };
}

const toNumber = (row: Record<string, unknown>) => row.n as number;

test.concurrent("none, one and many rows", async () => {
  await using box = await openPool();
  const rows = (count: number) => sql`select n from generate_series(1, ${count}::int) n`;
  expect(await many(box.pool, toNumber, rows(3))).toEqual([1, 2, 3]);
  expect(await maybeOne(box.pool, toNumber, rows(0))).toBeNull();
  expect(await one(box.pool, toNumber, rows(1))).toBe(1);
  await expect(one(box.pool, toNumber, rows(0))).rejects.toThrow("expected one row");
  await expect(maybeOne(box.pool, toNumber, rows(2))).rejects.toThrow("at most one row, got 2");
  expect(await one(box.pool, toNumber, prepared("one_number", sql`select ${7}::int as n`))).toBe(7);
});

test.concurrent("a transaction is all or nothing, and its connection is as new afterwards", async () => {
  await using box = await openPool();
  await exec(box.pool, sql`create table kept (n int primary key)`);
  await transaction(box.pool, (db) => exec(db, sql`insert into kept values (1)`));
  const failing = transaction(box.pool, async (db) => {
    await exec(db, sql`insert into kept values (2)`);
    await exec(db, sql`insert into kept values (1)`);
  });
  await expect(failing).rejects.toMatchObject({ code: "23505" });
  expect(await many(box.pool, toNumber, sql`select n from kept`)).toEqual([1]);
  expect(box.pool.waitingCount).toBe(0);
  expect(box.pool.idleCount).toBe(box.pool.totalCount);
});

test.concurrent("every session reads what is committed and gives up in time, whatever its database's defaults are", async () => {
  await using box = await openPool();
  await box.database.pool.query(
    `do $$ begin execute format('alter database %I set default_transaction_isolation to ''repeatable read''', current_database()); end $$`,
  );
  const show = (name: string) => one(box.pool, (row) => row[name], sql`${rawSql(`show ${name}`)}`);
  expect(await show("default_transaction_isolation")).toBe("read committed");
  expect(await show("statement_timeout")).toBe("5s");
  expect(await show("lock_timeout")).toBe("2s");
  expect(await show("idle_in_transaction_session_timeout")).toBe("5s");
});

test.concurrent("a session that is cut is replaced, and its error goes to the pool's listener alone", async () => {
  await using box = await openPool();
  await many(box.pool, toNumber, sql`select 1 as n`);
  await box.database.pool.query(
    "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'sql test' and datname = current_database()",
  );
  await eventually(() => box.pool.totalCount === 0, { what: "the end of the session" });
  expect(await one(box.pool, toNumber, sql`select 1 as n`)).toBe(1);
});
