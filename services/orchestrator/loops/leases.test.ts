import { buildLog } from "@signalbox/common/log.ts";
import { ownCluster } from "@signalbox/testing/database.ts";
import { eventually } from "@signalbox/testing/eventually.ts";
import pg from "pg";
import { expect, test } from "vitest";
import { leaseMs } from "../lease.ts";
import type { Renewal } from "../store/leases.ts";
import { finishOf, type OpenStore, openStore } from "../store.fixture.ts";
import { buildFinishQueue } from "./finish-queue.ts";
import { buildLeaseKeeper, buildReaper } from "./leases.ts";

function startReaper(box: OpenStore) {
  const end = new AbortController();
  const { log } = buildLog({ service: "test", level: "fatal", format: "json" });
  const finishes = buildFinishQueue({
    store: box.store,
    onWritten: () => undefined,
    onError: () => undefined,
    signal: end.signal,
  });
  const running = buildReaper({ store: box.store, log, finishes }).run(end.signal);
  return {
    async [Symbol.asyncDispose]() {
      end.abort();
      await running;
    },
  };
}

const expire = "update tasks set lease_until = now() - interval '1 s' where status = 'running'";

async function statesOf(box: OpenStore) {
  const { rows } = await box.pool.query("select id, status, attempt, line, ready from tasks order by seq");
  return rows;
}

test.concurrent("an expired run is tried again at once, or fails when its attempts are used up; its key goes on", async () => {
  await using box = await openStore();
  await box.insert({ maxAttempts: 1, concurrencyKey: "k" });
  await box.insert({ concurrencyKey: "k" });
  await box.insert();
  await box.claim(5);
  await box.pool.query(expire);
  await using _reaper = startReaper(box);
  await eventually(async () => (await statesOf(box)).every((row) => row.status !== "running"), { what: "the reaper" });
  expect(await statesOf(box)).toMatchObject([
    { status: "failed", attempt: 1, line: null },
    { status: "queued", attempt: 0, line: 1, ready: true },
    { status: "queued", attempt: 1, line: null, ready: true },
  ]);
  const { rows } = await box.pool.query("select kind from task_events where kind <> 'created' order by task_id, seq");
  expect(rows.map((row) => row.kind)).toEqual([
    "started",
    "lease_expired",
    "failed",
    "started",
    "lease_expired",
    "retry_scheduled",
  ]);
});

test.concurrent("a deferred run that went silent gets a rest, and keeps its key over it", async () => {
  await using box = await openStore();
  await box.insert({ concurrencyKey: "k" });
  await box.insert({ concurrencyKey: "k" });
  await box.claim(1);
  await box.pool.query("update tasks set lease_owner = null where status = 'running'");
  await box.pool.query(expire);
  await using _reaper = startReaper(box);
  await eventually(async () => (await statesOf(box))[0]?.status === "queued", { what: "the reaper" });
  expect(await box.line("k")).toEqual([
    [1, expect.any(Boolean)],
    [2, false],
  ]);
  const { rows } = await box.pool.query("select data from task_events where kind = 'retry_scheduled'");
  expect(rows[0].data).toMatchObject({ error: { code: "lease_expired", message: expect.stringContaining("silent") } });
});

test.concurrent("a row that somebody has locked holds up no other expired run", async () => {
  // Its own cluster: a transaction that is open for seconds would hold back the streams of all other tests.
  await using cluster = await ownCluster();
  await using box = await openStore(cluster.url);
  for (let at = 0; at < 4; at++) await box.insert();
  const claimed = await box.claim(4);
  await box.pool.query(expire);
  await box.pool.query("update tasks set lease_until = lease_until + interval '100 ms' where id = $1", [
    claimed[3]?.task.id,
  ]);
  const holder = new pg.Client({ connectionString: box.url });
  await holder.connect();
  await holder.query("begin");
  await holder.query("select 1 from tasks where id = $1 for update", [claimed[3]?.task.id]);
  await using _reaper = startReaper(box);
  await eventually(async () => (await statesOf(box)).filter((row) => row.status === "queued").length === 3, {
    timeoutMs: 15_000,
    what: "the other three",
  });
  await holder.end();
  await eventually(async () => (await statesOf(box)).every((row) => row.status === "queued"), { what: "the last one" });
});

test.concurrent("two reapers at once take up each run once", async () => {
  await using box = await openStore();
  for (let at = 0; at < 50; at++) await box.insert(at % 2 ? { concurrencyKey: `k${at}` } : {});
  await box.claim(50);
  await box.pool.query(expire);
  await using _one = startReaper(box);
  await using _two = startReaper(box);
  await eventually(async () => (await statesOf(box)).every((row) => row.status === "queued"), { what: "the reapers" });
  const { rows } = await box.pool.query("select count(*)::int as n from task_events where kind = 'lease_expired'");
  expect(rows).toEqual([{ n: 50 }]);
});

test.concurrent("a lease that was renewed meanwhile is left alone", async () => {
  await using box = await openStore();
  await box.insert();
  const [claimed] = await box.claim(1);
  if (!claimed) throw new Error("a task was expected");
  await box.pool.query(expire);
  const [expired] = await box.store.listExpired(10);
  expect(expired?.lease).toEqual(claimed.lease);
  expect((await box.store.renewLeases([claimed.lease], 30_000)).renewed).toEqual(new Set([claimed.lease.leaseId]));
  const error = { code: "lease_expired", message: "" };
  const verdict = {
    lease: claimed.lease,
    outcome: { kind: "fail", error } as const,
    actor: "x",
    concurrencyKey: null,
    expired: true,
  };
  expect((await box.store.finishAttempts([verdict])).ended.size).toBe(0);
  expect(await statesOf(box)).toMatchObject([{ status: "running", attempt: 1 }]);
});

test.concurrent("a renewal tells what it renewed, what was locked just now, and by silence what is lost", async () => {
  await using box = await openStore();
  for (let at = 0; at < 4; at++) await box.insert({ payload: at });
  const [plain, locked, ended, taken] = await box.claim(4);
  if (!plain || !locked || !ended || !taken) throw new Error("four tasks were expected");
  await box.store.finishAttempts([finishOf(ended)]);
  await box.pool.query("update tasks set lease_id = gen_random_uuid() where id = $1", [taken.task.id]);
  const holder = new pg.Client({ connectionString: box.url });
  await holder.connect();
  await holder.query("begin");
  await holder.query("select 1 from tasks where id = $1 for update", [locked.task.id]);
  const held = [plain, locked, ended, taken].map((claimed) => claimed.lease);
  expect(await box.store.renewLeases(held, 60_000)).toEqual({
    renewed: new Set([plain.lease.leaseId]),
    skipped: new Set([locked.lease.leaseId]),
  });
  await holder.end();
  const { rows } = await box.pool.query("select payload from tasks where lease_until > now() + interval '45 s'");
  expect(rows).toEqual([{ payload: 0 }]);
});

test.concurrent("a run that its agent has put off meanwhile keeps the time that its agent asked for", async () => {
  await using box = await openStore();
  await box.insert({ timeoutMs: 600_000 });
  const [claimed] = await box.claim(1);
  if (!claimed) throw new Error("a task was expected");
  await box.store.finishAttempts([finishOf(claimed, { kind: "defer" })]);
  const { lease } = claimed;
  expect(await box.store.renewLeases([lease], 30_000)).toEqual({
    renewed: new Set(),
    skipped: new Set([lease.leaseId]),
  });
  const { rows } = await box.pool.query("select lease_until > now() + interval '9 minutes' as is_long from tasks");
  expect(rows).toEqual([{ is_long: true }]);
});

test.concurrent("while a renewal is never answered, a run whose lease is about to be another's is let go", async () => {
  const end = new AbortController();
  const { log } = buildLog({ service: "test", level: "fatal", format: "json" });
  const lease = { taskId: "task", attempt: 1, leaseId: "lease" };
  const lost = Promise.withResolvers<ReadonlySet<string>>();
  const answer = Promise.withResolvers<Renewal>();
  const dispatcher = {
    leases: () => [{ ...lease, leasedAt: performance.now() - leaseMs }],
    lose: (ids: ReadonlySet<string>) => ids.size > 0 && lost.resolve(ids),
  };
  const running = buildLeaseKeeper({ store: { renewLeases: () => answer.promise }, dispatcher, log }).run(end.signal);
  expect(await lost.promise).toEqual(new Set(["lease"]));
  end.abort();
  answer.resolve({ renewed: new Set(), skipped: new Set() });
  await running;
});
