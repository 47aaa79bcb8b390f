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
  const set = async (...secondsAgo: number[]) => {
    await box.pool.query("delete from recent_uses");
    await box.pool.query(
      "insert into recent_uses (key, second, used) select 'user:u', now() - s * interval '1 second', 1 from unnest($1::int[]) s",
      [secondsAgo],
    );
  };
  await set(63, 10);
  expect(await box.store.countUse("u", limits)).toBeNull();
  await set(40, 10);
  const refused = await box.store.countUse("u", limits);
  expect(refused?.whose).toBe("user");
  expect(refused?.resetSeconds).toBeGreaterThan(0);
  expect(refused?.resetSeconds).toBeLessThanOrEqual(22);
  // A limit that was lowered meanwhile leaves room only when the newer ones are over too.
  const lowered = await box.store.countUse("u", { ...limits, userPerMinute: 1 });
  expect(lowered?.resetSeconds).toBeLessThanOrEqual(52);
  expect(lowered?.resetSeconds).toBeGreaterThan(refused?.resetSeconds ?? 0);
  await set(700, 10);
  await box.store.forgetUses();
  expect((await box.pool.query("select from recent_uses")).rowCount).toBe(1);
});
