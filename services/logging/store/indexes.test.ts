import { freshDatabase } from "@signalbox/testing/database.ts";
import { expect, test } from "vitest";

test("the newest errors of one service are found by an index that holds nothing else, on days of now and of later", async () => {
  await using database = await freshDatabase();
  const { pool } = database;
  await pool.query("select ensure_log_partition(current_date + 9)");
  await pool.query(`
    insert into logs (id, at, level, service, message)
    select gen_random_uuid(), now() + (n % 2) * interval '9 days', case when n % 1000 = 0 then 4 else 3 end, 's' || n % 3, 'x'
      from generate_series(1, 20000) n`);
  await pool.query("analyze logs");
  for (const [level, name] of [
    [3, "warn"],
    [4, "error"],
  ]) {
    const { rows } = await pool.query(
      `explain select * from logs where service = 's1' and level >= ${level} order by at desc, id desc limit 100`,
    );
    const plan = rows.map((row) => row["QUERY PLAN"]).join("\n");
    expect(plan).toMatch(new RegExp(`Index Scan using logs_\\d+_service_(?:${name}|at_id_idx)`));
    expect(plan).not.toMatch(/Seq Scan on logs_\d+ .*rows=[1-9]\d{3}/);
  }
  const { rows } = await pool.query(
    "select count(*)::integer as n from pg_indexes where tablename ~ '^logs_[0-9]{8}$' and indexdef like '%service, at DESC, id DESC) WHERE%'",
  );
  const { rows: days } = await pool.query(
    "select count(*)::integer as n from pg_inherits where inhparent = 'logs'::regclass",
  );
  expect(rows[0].n).toBe(2 * days[0].n);
});
