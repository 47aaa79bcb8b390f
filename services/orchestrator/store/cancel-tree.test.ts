import { eventually } from "@signalbox/testing/eventually.ts";
import { openSession } from "@signalbox/testing/session.ts";
import { expect, test } from "vitest";
import { openStore } from "../store.fixture.ts";

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
  const canceling = box.store.cancelTree(parent.id, { actor: "person:tester", reason: null });
  const isWaiting = async () => {
    const { rowCount } = await box.pool.query(
      "select 1 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'",
    );
    return rowCount === 1;
  };
  await eventually(isWaiting, { what: "a cancel that waits" });
  await agent.query("commit");
  expect(await canceling).toMatchObject({ task: { status: "completed" }, canceled: [] });
  expect(await box.store.findTask(child.id)).toMatchObject({ status: "queued", version: 1 });
});
