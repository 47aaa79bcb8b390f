import { freshDatabase } from "@signalbox/testing/database.ts";
import { expect, test } from "vitest";
import { lastDrawn } from "./sequence.ts";

test("before the first number is drawn the last one is 0", async () => {
  await using database = await freshDatabase();
  await database.pool.query("create sequence numbers cache 1");
  const read = async () => (await database.pool.query(`select ${lastDrawn("numbers").text} as last`)).rows[0].last;
  expect(await read()).toBe("0");
  await database.pool.query("select nextval('numbers')");
  expect(await read()).toBe("1");
});

test("the last number is never one that nobody has drawn yet", async () => {
  await using database = await freshDatabase();
  await database.pool.query("create sequence numbers cache 1; create table drawn (seq bigint)");
  let isOver = false;
  const draw = async () => {
    while (!isOver)
      await database.pool.query("insert into drawn select nextval('numbers') from generate_series(1, 5000)");
  };
  // Looks as often as one session can: a number that is too high stands there for a moment only, and the next look is lower.
  const look = async () => {
    await database.pool.query(`
      create function count_steps_back() returns int language plpgsql as $$
      declare highest bigint := 0; seen bigint; back int := 0; until timestamptz := clock_timestamp() + interval '1.5 s';
      begin
        while clock_timestamp() < until loop
          seen := (select ${lastDrawn("numbers").text});
          if seen < highest then back := back + 1; end if;
          highest := greatest(highest, seen);
        end loop;
        return back;
      end $$`);
    const { rows } = await database.pool.query("select count_steps_back() as back");
    isOver = true;
    return rows[0].back;
  };
  const [back] = await Promise.all([look(), draw()]);
  expect(back).toBe(0);
});
