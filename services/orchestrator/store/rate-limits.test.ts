import { expect, test } from "vitest";
import { openStore } from "../store.fixture.ts";

const limits = { userPerMinute: 2, globalPerMinute: 100 };

test.concurrent("what one user is refused takes nothing from all the others", async () => {
  await using box = await openStore();
  const use = (user: string) => box.store.countUse(user, { userPerMinute: 2, globalPerMinute: 3 });
  const verdicts = [];
  for (const user of ["loud", "loud", "loud", "loud", "quiet", "late", "late"]) verdicts.push((await use(user))?.whose);
  expect(verdicts).toEqual([undefined, undefined, "user", "user", undefined, "all", "all"]);
});

test.concurrent("of many submissions at once as many pass as may", async () => {
  await using box = await openStore();
  const use = (user: string) => box.store.countUse(user, { userPerMinute: 5, globalPerMinute: 12 });
  const users = Array.from({ length: 40 }, (_, at) => `u${at % 4}`);
  const verdicts = await Promise.all(users.map(use));
  const passed = users.filter((_, at) => verdicts[at] === null);
  expect(passed).toHaveLength(12);
  for (const user of new Set(users)) expect(passed.filter((other) => other === user).length).toBeLessThanOrEqual(5);
});

test.concurrent("any sixty seconds count, and who is refused is told when the first of them are over", async () => {
  await using box = await openStore();
  const set = (...secondsAgo: number[]) =>
    box.pool.query(
      `insert into recent_uses (key, at)
       select 'user:u', array(select now() - s * interval '1 second' from unnest($1::int[]) s)
       on conflict (key) do update set at = excluded.at`,
      [secondsAgo],
    );
  await set(61, 10);
  expect(await box.store.countUse("u", limits)).toBeNull();
  await set(40, 10);
  const refused = await box.store.countUse("u", limits);
  expect(refused?.whose).toBe("user");
  expect(refused?.resetSeconds).toBeGreaterThan(0);
  expect(refused?.resetSeconds).toBeLessThanOrEqual(20);
  // A limit that was lowered meanwhile leaves room only when the newer ones are over too.
  const lowered = await box.store.countUse("u", { ...limits, userPerMinute: 1 });
  expect(lowered?.resetSeconds).toBeLessThanOrEqual(50);
  await set(700);
  await box.store.forgetUses();
  expect((await box.pool.query("select from recent_uses where key = 'user:u'")).rowCount).toBe(0);
});
