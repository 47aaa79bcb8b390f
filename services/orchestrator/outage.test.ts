import { toStreamCursor } from "@signalbox/common/cursor.ts";
import type { Cluster } from "@signalbox/testing/cluster.ts";
import { freshDatabase, ownCluster } from "@signalbox/testing/database.ts";
import { eventually } from "@signalbox/testing/eventually.ts";
import { checkLedger } from "@signalbox/testing/ledger-check.ts";
import { afterAll, beforeAll, expect, test } from "vitest";
import { reply as answer, type Orchestrator, startAgent, startOrchestrator } from "./orchestrator.fixture.ts";
import { openStream, readLedger } from "./stream-client.fixture.ts";

/** Of its own, because it is stopped and locked here. One after the other: each test has the whole server. */
let cluster: Cluster;

beforeAll(async () => {
  // A crash of the server must keep what was committed, as in production.
  cluster = await ownCluster({ settings: { synchronous_commit: "on" } });
});

afterAll(() => cluster[Symbol.asyncDispose]());

const unavailable = {
  status: 503,
  body: { error: { code: "unavailable" } },
  headers: { "retry-after": expect.stringMatching(/^\d+$/) },
};

async function follow(box: Orchestrator, query?: string) {
  const client = openStream(box, query);
  await client.hello();
  return client;
}

test.each(["fast", "immediate"] as const)(
  "a restart (%s) of PostgreSQL: 503 meanwhile, back within 5 s, runs under way end once, no frame is lost",
  async (mode) => {
    await using database = await freshDatabase(cluster.url);
    await using box = await startOrchestrator({ database });
    await using agent = await startAgent((call) => (call.payload === "held" ? undefined : { result: 1 }));
    await box.register(agent, [{}]);
    using client = await follow(box);
    const before = await box.post({ type: "work" });
    await box.until(before.id, (now) => now.status === "completed");
    const held = await box.post({ type: "work", payload: "held", concurrencyKey: "k" });
    await agent.called(2);

    await cluster.stop(mode);
    const key = { "idempotency-key": "over the outage" };
    expect(await box.call("/task", { method: "POST", body: { type: "work" }, headers: key })).toMatchObject(
      unavailable,
    );
    expect(await box.call(`/task/${held.id}`)).toMatchObject(unavailable);
    expect(await box.call("/tasks")).toMatchObject(unavailable);
    expect(await box.call(`/task/${held.id}`, { method: "PATCH", body: { ifVersion: 2 } })).toMatchObject(unavailable);
    expect((await box.call("/health")).status).toBe(200);
    expect(await box.call("/ready")).toMatchObject({
      status: 503,
      body: { ready: false, checks: [{ name: "database", ok: false }] },
    });
    // Its answer comes while there is nowhere to write it.
    const call = agent.calls[1];
    if (call) answer(call.response, 200, { result: "held" });

    await cluster.start();
    const back = await eventually(
      async () => {
        const reply = await box.call("/task", { method: "POST", body: { type: "work" }, headers: key });
        return reply.status < 300 && reply;
      },
      { timeoutMs: 20_000, what: "recovery" },
    );
    await box.until(back.body.id, (now) => now.status === "completed");
    const done = await box.until(held.id, (now) => now.status === "completed");
    expect(done).toMatchObject({ result: "held", attempt: 1 });
    expect(done.events.map((event) => event.kind)).toEqual(["created", "started", "completed"]);
    await eventually(async () => (await box.call("/ready")).status === 200, { what: "ready" });
    await eventually(async () => client.shown().length >= (await readLedger(box)).length, { what: "every frame" });
    expect(client.shown()).toEqual(await readLedger(box));
  },
  60_000,
);

test("every connection cut, again and again under load: nothing is lost and nothing runs twice in a key", async () => {
  await using database = await freshDatabase(cluster.url);
  await using box = await startOrchestrator({ database });
  await using agent = await startAgent(() => ({ result: 1 }));
  await box.register(agent, [{ maxConcurrency: 20 }]);
  using client = await follow(box);
  const made: string[] = [];
  const post = async (at: number) => {
    const headers = { "idempotency-key": `cut ${at}` };
    const body = { type: "work", payload: at, ...(at % 2 && { concurrencyKey: `k${at % 7}` }) };
    const reply = await eventually(
      async () => {
        const tried = await box.call("/task", { method: "POST", body, headers });
        return tried.status < 300 && tried;
      },
      { what: "a task that is taken" },
    );
    made.push(reply.body.id);
  };
  const posting = Promise.all(
    Array.from({ length: 4 }, async (_, lane) => {
      for (let at = lane; at < 160; at += 4) await post(at);
    }),
  );
  for (let round = 0; round < 6; round++) {
    await eventually(() => made.length > 20 * (round + 1), { what: "load" });
    await database.pool.query(
      "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()",
    );
  }
  await posting;
  for (const id of made) await box.until(id, (now) => now.status === "completed", "a task after the cuts");
  expect(new Set(made).size).toBe(160);
  const { rows } = await database.pool.query("select count(*)::int as n from tasks");
  expect(rows).toEqual([{ n: 160 }]);
  expect(await checkLedger(database.pool, [])).toEqual([]);
  await eventually(async () => client.shown().length >= (await readLedger(box)).length, { what: "every frame" });
  expect(client.shown()).toEqual(await readLedger(box));
});

test("a locked row costs its own callers a 503 in time, and nobody else anything", async () => {
  await using database = await freshDatabase(cluster.url);
  await using box = await startOrchestrator({ database });
  await using agent = await startAgent(() => ({ result: 1 }));
  await box.register(agent, [{}]);
  const locked = await box.post({ type: "work", runAt: "2199-01-01T00:00:00Z" });
  const holder = await database.pool.connect();
  await holder.query("begin");
  await holder.query("select 1 from tasks where id = $1 for update", [locked.id]);
  const startedAt = performance.now();
  const patched = box.call(`/task/${locked.id}`, { method: "PATCH", body: { ifVersion: 1, priority: 1 } });
  const canceled = box.call(`/task/${locked.id}/cancel`, { method: "POST" });
  const other = await box.post({ type: "work" });
  await box.until(other.id, (now) => now.status === "completed");
  expect(await patched).toMatchObject(unavailable);
  expect(await canceled).toMatchObject(unavailable);
  expect(performance.now() - startedAt).toBeLessThan(20_000);
  await holder.query("rollback");
  holder.release();
  expect(await box.get(locked.id)).toMatchObject({ version: 1, status: "queued" });
  expect((await box.call(`/task/${locked.id}`, { method: "PATCH", body: { ifVersion: 1, priority: 1 } })).status).toBe(
    200,
  );
});

test("a transaction that is held open delays the frames and loses none", async () => {
  await using database = await freshDatabase(cluster.url);
  await using box = await startOrchestrator({ database });
  await using agent = await startAgent(() => ({ result: 1 }));
  await box.register(agent, [{}]);
  using client = await follow(box);
  const holder = await database.pool.connect();
  await holder.query("begin");
  await holder.query("select pg_current_xact_id()");
  const task = await box.post({ type: "work" });
  await box.until(task.id, (now) => now.status === "completed");
  const waiting = box.call("/task", { method: "POST", body: { type: "work" }, headers: { prefer: "wait=1" } });
  expect((await waiting).body).toMatchObject({ status: "completed" });
  expect(client.shown()).toEqual([]);
  expect((await box.call("/health")).status).toBe(200);
  await holder.query("rollback");
  holder.release();
  await eventually(async () => client.shown().length >= (await readLedger(box)).length, { what: "every frame" });
  expect(client.shown()).toEqual(await readLedger(box));
});

test("a client that resumes at an orchestrator that has just begun, while a transaction is open, misses nothing", async () => {
  await using database = await freshDatabase(cluster.url);
  await using box = await startOrchestrator({ database });
  await box.register({ url: "http://127.0.0.1:9" }, [{}]);
  const later = { type: "work", runAt: "2199-01-01T00:00:00Z" };
  using first = await follow(box);
  await box.post(later);
  await eventually(() => first.shown().length === 1, { what: "a frame" });
  first.socket.terminate();
  const holder = await database.pool.connect();
  await holder.query("begin");
  await holder.query("select pg_current_xact_id()");
  for (let at = 0; at < 3; at++) await box.post(later);
  await using other = await startOrchestrator({ database });
  using again = openStream(other, `?types=task&since=${first.cursor()}`);
  using fresh = openStream(other);
  await new Promise((resolve) => again.socket.once("open", resolve));
  await other.post(later);
  await holder.query("rollback");
  holder.release();
  await eventually(() => again.shown().length === 4, { what: "what was missed" });
  expect([...first.shown(), ...again.shown()]).toEqual(await readLedger(other));
  // Whoever begins anew begins with a cursor that is not the beginning of time.
  expect((await fresh.hello()).cursor).not.toBe(toStreamCursor({ task: 0, log: null }));
});

test("an orchestrator that is stopped while the database is away does not wait for it", async () => {
  await using database = await freshDatabase(cluster.url);
  await using box = await startOrchestrator({ database });
  await using agent = await startAgent(() => undefined);
  await box.register(agent, [{}]);
  await box.post({ type: "work" });
  await agent.called(1);
  await cluster.stop();
  const [call] = agent.calls;
  if (call) answer(call.response, 200, { result: 1 });
  const startedAt = performance.now();
  await box.stop();
  expect(performance.now() - startedAt).toBeLessThan(30_000);
  await cluster.start();
});

test("an orchestrator that starts while the database is away serves as soon as it is there", async () => {
  await using database = await freshDatabase(cluster.url);
  await cluster.stop();
  await using box = await startOrchestrator({ database });
  expect((await box.call("/health")).status).toBe(200);
  expect((await box.call("/ready")).status).toBe(503);
  await cluster.start();
  await using agent = await startAgent(() => ({ result: 1 }));
  await eventually(() => box.register(agent, [{}]).then(() => true), { timeoutMs: 20_000, what: "recovery" });
  const task = await box.post({ type: "work" });
  await box.until(task.id, (now) => now.status === "completed");
  using client = await follow(box);
  await box.post({ type: "work" });
  await eventually(() => client.shown().length === 3, { what: "frames" });
});
