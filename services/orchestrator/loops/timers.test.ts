import { buildLog } from "@signalbox/common/log.ts";
import { ownCluster } from "@signalbox/testing/database.ts";
import { eventually } from "@signalbox/testing/eventually.ts";
import pg from "pg";
import { expect, test } from "vitest";
import { type OpenStore, openStore } from "../store.fixture.ts";
import { buildTimers } from "./timers.ts";

function startTimers({ store }: OpenStore) {
  const end = new AbortController();
  const { log } = buildLog({ service: "test", level: "fatal", format: "json" });
  let looks = 0;
  const wakeDue = (limit: number) => {
    looks++;
    return store.wakeDue(limit);
  };
  const timers = buildTimers({ store: { ...store, wakeDue }, log, onReady: () => undefined });
  const running = timers.run(end.signal);
  return {
    looks: () => looks,
    ring: timers.ring,
    async [Symbol.asyncDispose]() {
      end.abort();
      await running;
    },
  };
}

/** Holds the row of a task until its scope ends. */
async function lockTask({ url }: OpenStore, id: string) {
  const holder = new pg.Client({ connectionString: url });
  await holder.connect();
  await holder.query("begin");
  await holder.query("select 1 from tasks where id = $1 for update", [id]);
  const free = () => holder.end();
  return { free, [Symbol.asyncDispose]: free };
}

test.concurrent("a due task that somebody has locked is woken once it is free, and not asked for all the time", async () => {
  await using cluster = await ownCluster();
  await using box = await openStore(cluster.url);
  const { id } = await box.insert({ runAt: new Date(Date.now() + 3_600_000).toISOString() });
  await box.pool.query("update tasks set run_at = now()");
  await using held = await lockTask(box, id);
  const startedAt = performance.now();
  await using timers = startTimers(box);
  await eventually(() => performance.now() - startedAt > 500, { what: "half a second" });
  expect(timers.looks()).toBeLessThan((performance.now() - startedAt) / 20 + 2);
  await held.free();
  await eventually(async () => (await box.claim(1)).length === 1, { what: "the task" });
});

test.concurrent("an approval that has expired on a locked task holds up neither another nor what else is due", async () => {
  await using cluster = await ownCluster();
  await using box = await openStore(cluster.url);
  const approval = { reason: null, expiresInSeconds: 1 };
  const [locked, free] = [await box.insert({ approval }), await box.insert({ approval })];
  await box.pool.query("update tasks set waits_until = now() - interval '1 s'");
  await box.pool.query("update tasks set waits_until = now() - interval '1 min' where id = $1", [locked.id]);
  await using held = await lockTask(box, locked.id);
  await using _timers = startTimers(box);
  const statusOf = async (id: string) => (await box.store.findTask(id))?.status;
  await eventually(async () => (await statusOf(free.id)) === "failed", { what: "the other's end" });
  expect(await statusOf(locked.id)).toBe("waiting");
  await held.free();
  await eventually(async () => (await statusOf(locked.id)) === "failed", { what: "its own end" });
});

test.concurrent("of old idempotency keys all are forgotten, however many there are", async () => {
  await using box = await openStore();
  const { id } = await box.insert();
  await box.pool.query(
    `insert into idempotency_keys (key, body_hash, task_id, created_at)
     select n::text, '', $1, now() - interval '3 days' from generate_series(1, 20001) n`,
    [id],
  );
  await using timers = startTimers(box);
  await box.cleared("idempotency_keys", timers.ring);
});
