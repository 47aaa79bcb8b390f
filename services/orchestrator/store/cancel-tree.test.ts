import { eventually } from "@signalbox/testing/eventually.ts";
import { openSession } from "@signalbox/testing/session.ts";
import { expect, test } from "vitest";
import { type OpenStore, openStore } from "../store.fixture.ts";

const by = { actor: "person:tester", reason: null };

async function untilOneWaits(box: OpenStore): Promise<void> {
  const isWaiting = async () => {
    const { rowCount } = await box.pool.query(
      "select 1 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'",
    );
    return rowCount === 1;
  };
  await eventually(isWaiting, { what: "a cancel that waits" });
}

test.concurrent("a task that completes while its cancel waits for it stays completed, and what is below it goes on", async () => {
  await using box = await openStore();
  await using agent = await openSession(box.url);
  const parent = await box.insert();
  await box.claim(1);
  const child = await box.insert({ parentId: parent.id });
  await agent.query("begin");
  await agent.query(
    `update tasks set status = 'completed', finished_at = now(), lease_id = null, lease_owner = null, lease_until = null
      where id = $1`,
    [parent.id],
  );
  const canceling = box.store.cancelTree(parent.id, by);
  await untilOneWaits(box);
  await agent.query("commit");
  expect(await canceling).toMatchObject({ task: { status: "completed" }, canceled: [] });
  expect(await box.store.findTask(child.id)).toMatchObject({ status: "queued", version: 1 });
});

test.concurrent("a child that is being made while its parent is canceled is canceled too, with what is below it", async () => {
  await using box = await openStore();
  await using maker = await openSession(box.url);
  const parent = await box.insert();
  await maker.query("begin");
  const child = await box.insert({ parentId: parent.id, concurrencyKey: "k" }, maker);
  const grandchild = await box.insert({ parentId: child.id }, maker);
  const canceling = box.store.cancelTree(parent.id, by);
  await untilOneWaits(box);
  await maker.query("commit");
  const done = await canceling;
  expect(done?.canceled.toSorted()).toEqual([parent.id, child.id, grandchild.id].toSorted());
  for (const { id } of [child, grandchild])
    expect(await box.store.findTask(id)).toMatchObject({ status: "canceled", version: 2 });
  expect(await box.line("k")).toEqual([[null, false]]);
});
