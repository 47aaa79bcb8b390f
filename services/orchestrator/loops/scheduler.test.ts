import { buildLog } from "@signalbox/common/log.ts";
import { uuidv7 } from "@signalbox/common/uuid.ts";
import { ownCluster } from "@signalbox/testing/database.ts";
import { eventually } from "@signalbox/testing/eventually.ts";
import pg from "pg";
import { expect, test } from "vitest";
import { type OpenStore, openStore } from "../store.fixture.ts";
import { buildScheduler } from "./scheduler.ts";

/** A scheduler to which no type is known, and one cannot even be asked for. */
function startScheduler({ store }: OpenStore) {
  const end = new AbortController();
  const { log } = buildLog({ service: "test", level: "fatal", format: "json" });
  const find = async (type: string) => {
    if (type === "unaskable") throw new Error("canceling statement due to lock timeout");
    return null;
  };
  const catalog = { find, checkPayload: () => undefined };
  let looks = 0;
  const nextFireInMs = () => {
    looks++;
    return store.nextFireInMs();
  };
  const counting = { ...store, nextFireInMs };
  const scheduler = buildScheduler({ store: counting, catalog, log, onMade: () => undefined });
  const running = scheduler.run(end.signal);
  return {
    looks: () => looks,
    ring: scheduler.ring,
    async [Symbol.asyncDispose]() {
      end.abort();
      await running;
    },
  };
}

type Wanted = { everySeconds?: number; ageMs?: number; type?: string };

async function insertDue({ store }: OpenStore, wanted: Wanted = {}): Promise<string> {
  const { everySeconds = 3600, ageMs = 0, type = "work" } = wanted;
  const id = uuidv7();
  const when = { cron: null, everySeconds, at: null, timezone: "UTC" };
  const missed = ageMs > 0 ? "all" : "skip";
  const fields = { name: "by the clock", ...when, task: { type }, missed, enabled: true } as const;
  const nowMs = (await store.readClock()) - ageMs;
  await store.insertSchedule(id, fields, { by: "tester", nextMs: nowMs, nowMs });
  return id;
}

test.concurrent("a schedule that another orchestrator fires just now is not asked for all the time", async () => {
  await using cluster = await ownCluster();
  await using box = await openStore(cluster.url);
  const id = await insertDue(box);
  const other = new pg.Client({ connectionString: box.url });
  await other.connect();
  await using _other = { [Symbol.asyncDispose]: () => other.end() };
  await other.query("begin");
  await other.query("select 1 from schedules where id = $1 for update", [id]);
  const startedAt = performance.now();
  await using scheduler = startScheduler(box);
  await eventually(() => performance.now() - startedAt > 500, { what: "half a second" });
  expect(scheduler.looks()).toBeLessThan((performance.now() - startedAt) / 20 + 2);
  await other.query("rollback");
  const isFired = async () => (await box.store.findSchedule(id))?.lastError != null;
  await eventually(isFired, { what: "its fire" });
});

test.concurrent("one that has a whole month to make up for does not hold up what is due now", async () => {
  await using box = await openStore();
  const late = await insertDue(box, { everySeconds: 1, ageMs: 30 * 86_400_000 });
  const now = await insertDue(box);
  await using _scheduler = startScheduler(box);
  const read = async (id: string) => await box.store.findSchedule(id);
  await eventually(async () => (await read(now))?.lastError != null, { what: "its fire" });
  expect(Date.parse((await read(late))?.nextAt ?? "")).toBeLessThan(Date.now() - 86_400_000);
});

test.concurrent("one whose fire fails again and again holds up no other", async () => {
  await using box = await openStore();
  const other = await insertDue(box);
  const failing = await insertDue(box, { type: "unaskable" });
  await using _scheduler = startScheduler(box);
  await eventually(async () => (await box.store.findSchedule(other))?.lastError != null, { what: "the other's fire" });
  expect(Date.parse((await box.store.findSchedule(failing))?.nextAt ?? "")).toBeLessThan(Date.now());
});

test.concurrent("of old fires all are forgotten, however many there are", async () => {
  await using box = await openStore();
  const id = await insertDue(box);
  await box.pool.query(
    `insert into schedule_fires (schedule_id, fire_at, task_id, fired_at)
     select $1, now() - n * interval '1 s', $1, now() - interval '31 days' from generate_series(1, 20001) n`,
    [id],
  );
  await using scheduler = startScheduler(box);
  await box.cleared("schedule_fires", scheduler.ring);
});
