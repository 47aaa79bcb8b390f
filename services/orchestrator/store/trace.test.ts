import { expect, test } from "vitest";
import { openStore } from "../store.fixture.ts";

test("of a trace or a tree of large tasks come the oldest, up to some megabytes, and that it is cut", async () => {
  await using box = await openStore();
  const traceId = "a".repeat(32);
  const root = await box.insert({ traceId });
  const payload = "x".repeat(1_000_000);
  const ids = [root.id];
  for (let at = 0; at < 40; at++) ids.push((await box.insert({ traceId, parentId: root.id, payload })).id);
  const whole = { isCut: false, items: { length: 20 } };
  for (const read of [
    (limit: number) => box.store.listTraceTasks(traceId, limit),
    (limit: number) => box.store.listTree(root.id, limit),
  ]) {
    const { items, isCut } = await read(100);
    expect(isCut).toBe(true);
    expect(items.map(({ id }) => id)).toEqual(ids.slice(0, 34));
    expect(await read(20)).toMatchObject({ ...whole, isCut: true });
  }
  const { items, isCut } = await box.store.listEventsOf(ids.slice(0, 20), 20);
  expect([items.length, isCut]).toEqual([20, false]);
  expect(await box.store.listEventsOf(ids, 20)).toMatchObject({ ...whole, isCut: true });
});
