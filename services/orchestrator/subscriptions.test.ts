import type { Subscription } from "@signalbox/common/contracts/subscription.ts";
import { freshDatabase } from "@signalbox/testing/database.ts";
import { eventually } from "@signalbox/testing/eventually.ts";
import { expect, test } from "vitest";
import { type Items, startAgent, startOrchestrator } from "./orchestrator.fixture.ts";
import { look, sign, skipWait, startReceiver, subscribe, withSecretsKey } from "./receiver.fixture.ts";

const start = (more: Parameters<typeof startOrchestrator>[0] = {}) =>
  startOrchestrator({ ...more, env: { ...withSecretsKey, ...more.env } });

test.concurrent("a subscriber is told of the events of the kinds that it named, signed, in their order, once each", async () => {
  await using box = await start();
  await using agent = await startAgent(() => ({ result: { n: 1 } }));
  await using receiver = await startReceiver();
  await box.register(agent, [{}]);
  const { id, secret } = await subscribe(box, receiver.url, { kinds: ["created", "completed"] });
  const task = await box.post({ type: "work", payload: { a: 1 } });
  await receiver.got(2);
  expect(receiver.shown()).toEqual(["1 created", "3 completed"]);
  const { events } = await box.get(task.id);
  for (const [index, message] of receiver.messages.entries()) {
    expect(message.headers).toMatchObject({
      "content-type": "application/json",
      "user-agent": expect.stringMatching(/^signalbox\/\d/),
      "webhook-signature": sign(message, secret),
    });
    expect(Math.abs(Number(message.headers["webhook-timestamp"]) - Date.now() / 1_000)).toBeLessThan(60);
    expect(message.body.data.event).toEqual(events[index * 2]);
  }
  const [created, completed] = receiver.messages.map(({ body }) => body);
  expect(created).toMatchObject({
    type: "task.created",
    timestamp: events[0]?.at,
    data: { task: { status: "queued", result: null } },
  });
  expect(completed).toMatchObject({ type: "task.completed", data: { task: { id: task.id, result: { n: 1 } } } });
  await eventually(async () => (await look(box, id))?.lastOutcome === "delivered");
  expect(await look(box, id)).toMatchObject({
    pending: 0,
    failures: 0,
    lastStatus: 204,
    lastError: null,
    lastDeliveryAt: expect.any(String),
  });
});

test.concurrent("its secret is shown once, is stored encrypted, and shows up nowhere again", async () => {
  await using box = await start();
  await using receiver = await startReceiver();
  const made = await box.call<{ id: string; secret: string }>("/subscriptions", {
    method: "POST",
    body: { url: receiver.url, kinds: ["created"] },
  });
  expect(made).toMatchObject({
    status: 201,
    body: { secret: expect.stringMatching(/^whsec_[A-Za-z0-9+/]{43}=$/), enabled: true },
  });
  const { id, secret } = made.body;
  const path = `/subscriptions/${id}`;
  const answers = [
    await box.call("/subscriptions"),
    await box.call(path, { method: "PATCH", body: { enabled: true } }),
  ];
  const { rows } = await box.database.pool.query("select * from subscriptions");
  expect(rows).toHaveLength(1);
  const key = secret.slice("whsec_".length);
  expect(JSON.stringify([answers, rows])).not.toContain(key.slice(0, 20));
  expect((await box.call(path, { method: "DELETE" })).status).toBe(204);
  expect((await box.database.pool.query("select secret from subscriptions")).rows).toEqual([{ secret: "" }]);
});

test.concurrent("what a schema calls secret is told to a subscriber as to everybody else, and the original to nobody", async () => {
  await using box = await start();
  await using agent = await startAgent(() => ({ result: 1 }));
  await using receiver = await startReceiver();
  const payloadSchema = { type: "object", properties: { token: { type: "string", writeOnly: true } } };
  await box.register(agent, [{ payloadSchema }]);
  await subscribe(box, receiver.url, { kinds: ["created", "completed", "patched"] });
  await box.post({ type: "work", payload: { token: "canary-one", n: 1 } });
  await box.call("/v1/events", {
    method: "POST",
    as: "service",
    body: {
      schema_version: 1,
      type: "work",
      conversation_key: "c",
      user_key: "u",
      text: "hello",
      raw: { secret: "canary-two" },
    },
  });
  await receiver.got(4);
  const text = JSON.stringify(receiver.messages.map((message) => message.text));
  expect(text).toContain("[redacted]");
  expect(text).not.toContain("canary");
});

test.concurrent("a message stays small: what is large is cut, and says where the whole is", async () => {
  await using box = await start({ env: { PUBLIC_URL: "https://box.example" } });
  await using agent = await startAgent(() => ({ result: { text: "y".repeat(100_000) } }));
  await using receiver = await startReceiver();
  await box.register(agent, [{}]);
  await subscribe(box, receiver.url, { kinds: ["completed"] });
  const task = await box.post({ type: "work", payload: { text: "é".repeat(100_000), small: 1 }, userKey: "ann" });
  await receiver.got(1);
  const [message] = receiver.messages;
  expect(Buffer.byteLength(message?.text ?? "")).toBeLessThan(20_000);
  const whole = `https://box.example/task/${task.id}`;
  expect(message?.body.data.task).toMatchObject({
    userKey: "ann",
    status: "completed",
    payload: { cut: true, bytes: 200_021, whole },
    result: { cut: true, bytes: 100_011, whole },
  });
});

test.concurrent("the events before a subscription are not its own; one of another type is not either", async () => {
  await using box = await start();
  await box.register({ url: "http://127.0.0.1:9" }, [{}, { type: "other" }]);
  const runAt = "2100-01-01T00:00:00Z";
  await box.post({ type: "work", runAt });
  await using receiver = await startReceiver();
  await subscribe(box, receiver.url, { types: ["work"] });
  await box.post({ type: "other", runAt });
  const mine = await box.post({ type: "work", runAt });
  await receiver.got(1);
  expect(receiver.messages.map(({ body }) => body.data.task.id)).toEqual([mine.id]);
});

test.concurrent("what fails is sent again with the same id and a signature of its own, later each time", async () => {
  await using box = await start();
  await using receiver = await startReceiver((_message, nth) => (nth <= 3 ? 500 : 200));
  await box.register({ url: "http://127.0.0.1:9" }, [{}]);
  const { id, secret } = await subscribe(box, receiver.url);
  await box.post({ type: "work", runAt: "2100-01-01T00:00:00Z" });
  for (const [failures, seconds] of [
    [1, 5],
    [2, 60],
    [3, 300],
  ] as const) {
    await eventually(async () => (await look(box, id))?.failures === failures, { what: `failure ${failures}` });
    expect(await look(box, id)).toMatchObject({
      pending: 1,
      lastOutcome: "failed",
      lastStatus: 500,
      lastError: "answered 500",
    });
    const { rows } = await box.database.pool.query(
      "select extract(epoch from next_at - now())::float8 as wait from outbox_messages",
    );
    expect(rows[0].wait).toBeGreaterThan(seconds * 0.75 - 1);
    expect(rows[0].wait).toBeLessThan(seconds * 1.25);
    await skipWait(box);
  }
  await receiver.got(4);
  await eventually(async () => (await look(box, id))?.pending === 0);
  expect(await look(box, id)).toMatchObject({ failures: 0, lastOutcome: "delivered", lastError: null });
  expect(new Set(receiver.messages.map((message) => message.id)).size).toBe(1);
  for (const message of receiver.messages) expect(message.headers["webhook-signature"]).toBe(sign(message, secret));
});

test.concurrent("a redirect is not followed", async () => {
  await using box = await start();
  await using elsewhere = await startReceiver();
  await using receiver = await startReceiver(({ response }) => {
    response.writeHead(307, { location: elsewhere.url }).end();
    return undefined;
  });
  await box.register({ url: "http://127.0.0.1:9" }, [{}]);
  const { id } = await subscribe(box, receiver.url);
  await box.post({ type: "work", runAt: "2100-01-01T00:00:00Z" });
  await eventually(async () => (await look(box, id))?.failures === 1);
  expect((await look(box, id))?.lastError).toBe("answered 307; redirects are not followed");
  expect(elsewhere.messages).toEqual([]);
});

test.concurrent("a receiver that answers 410 is told of nothing more, and the subscription says why", async () => {
  await using box = await start();
  await using receiver = await startReceiver(() => 410);
  await box.register({ url: "http://127.0.0.1:9" }, [{}]);
  const { id } = await subscribe(box, receiver.url);
  const runAt = "2100-01-01T00:00:00Z";
  await box.post({ type: "work", runAt });
  await eventually(async () => (await look(box, id))?.enabled === false);
  expect(await look(box, id)).toMatchObject({
    disabledReason: expect.stringContaining("410"),
    pending: 0,
    failures: 1,
    lastStatus: 410,
  });
  await box.post({ type: "work", runAt });
  await using other = await startReceiver();
  await subscribe(box, other.url);
  await box.post({ type: "work", runAt });
  await other.got(1);
  expect(receiver.messages).toHaveLength(1);
  expect((await look(box, id))?.pending).toBe(0);
});

test.concurrent.each([429, 503])(
  "Retry-After of a %i holds back that message and all others of the receiver",
  async (status) => {
    await using box = await start();
    await using receiver = await startReceiver(({ response }) => {
      response.writeHead(status, { "retry-after": "120" }).end();
      return undefined;
    });
    await box.register({ url: "http://127.0.0.1:9" }, [{}]);
    const { id } = await subscribe(box, receiver.url);
    const runAt = "2100-01-01T00:00:00Z";
    await box.post({ type: "work", runAt });
    await eventually(async () => (await look(box, id))?.failures === 1);
    await box.post({ type: "work", runAt });
    await using other = await startReceiver();
    await subscribe(box, other.url);
    await box.post({ type: "work", runAt });
    await other.got(1);
    expect(receiver.messages).toHaveLength(1);
    const { rows } = await box.database.pool.query(`
    select extract(epoch from max(next_at) - now())::float8 as message, extract(epoch from max(hold_until) - now())::float8 as all
      from outbox_messages m join subscriptions s on s.id = m.subscription_id where s.hold_until is not null`);
    expect(rows[0].message).toBeGreaterThan(100);
    expect(rows[0].all).toBeGreaterThan(100);
  },
);

test.concurrent("an event that could not be delivered in three days, while nothing else could, ends the subscription", async () => {
  await using box = await start();
  await using receiver = await startReceiver((_message, nth) => (nth <= 2 ? 500 : 200));
  await box.register({ url: "http://127.0.0.1:9" }, [{}]);
  const { id } = await subscribe(box, receiver.url);
  const runAt = "2100-01-01T00:00:00Z";
  await box.post({ type: "work", runAt });
  await eventually(async () => (await look(box, id))?.failures === 1);
  await box.database.pool.query("update outbox_messages set attempts = 10");
  await skipWait(box);
  await eventually(async () => (await look(box, id))?.enabled === false);
  expect(await look(box, id)).toMatchObject({ disabledReason: expect.stringContaining("three days"), pending: 0 });
  const again = await box.call(`/subscriptions/${id}`, { method: "PATCH", body: { enabled: true } });
  expect(again.body).toMatchObject({ enabled: true, disabledReason: null, failures: 0 });
  await box.post({ type: "work", runAt });
  await receiver.got(3);
});

test.concurrent("a paused subscription is told of nothing; resumed, of what waited and of what comes", async () => {
  await using box = await start();
  let status = 500;
  await using receiver = await startReceiver(() => status);
  await box.register({ url: "http://127.0.0.1:9" }, [{}]);
  const { id } = await subscribe(box, receiver.url);
  const runAt = "2100-01-01T00:00:00Z";
  const waited = await box.post({ type: "work", runAt });
  await eventually(async () => (await look(box, id))?.failures === 1);
  const paused = await box.call(`/subscriptions/${id}`, { method: "PATCH", body: { enabled: false } });
  expect(paused.body).toMatchObject({ enabled: false, disabledReason: null, pending: 1 });
  await box.post({ type: "work", runAt });
  status = 200;
  await box.call(`/subscriptions/${id}`, { method: "PATCH", body: { enabled: true } });
  const after = await box.post({ type: "work", runAt });
  await receiver.got(3);
  expect(receiver.messages.map(({ body }) => body.data.task.id)).toEqual([waited.id, waited.id, after.id]);
});

test.concurrent("another URL gets what waits at once; other kinds count from then on", async () => {
  await using box = await start();
  await using away = await startReceiver(() => 500);
  await using receiver = await startReceiver();
  await box.register({ url: "http://127.0.0.1:9" }, [{}]);
  const { id, secret } = await subscribe(box, away.url);
  const task = await box.post({ type: "work", runAt: "2100-01-01T00:00:00Z" });
  await eventually(async () => (await look(box, id))?.failures === 1);
  const moved = await box.call(`/subscriptions/${id}`, {
    method: "PATCH",
    body: { url: receiver.url, kinds: ["canceled"] },
  });
  expect(moved).toMatchObject({ status: 200, body: { id, url: receiver.url, kinds: ["canceled"] } });
  await receiver.got(1);
  await box.call(`/task/${task.id}/cancel`, { method: "POST", body: {} });
  await receiver.got(2);
  expect(receiver.shown()).toEqual(["1 created", "2 canceled"]);
  for (const message of receiver.messages) expect(message.headers["webhook-signature"]).toBe(sign(message, secret));
});

test.concurrent("a deleted subscription is told of nothing more, and what waited is removed", async () => {
  await using box = await start();
  await using receiver = await startReceiver(() => 500);
  await box.register({ url: "http://127.0.0.1:9" }, [{}]);
  const { id } = await subscribe(box, receiver.url);
  await box.post({ type: "work", runAt: "2100-01-01T00:00:00Z" });
  await eventually(async () => (await look(box, id))?.failures === 1);
  expect((await box.call(`/subscriptions/${id}`, { method: "DELETE" })).status).toBe(204);
  expect((await box.call<Items<Subscription>>("/subscriptions")).body.items).toEqual([]);
  for (const method of ["DELETE", "PATCH"])
    expect((await box.call(`/subscriptions/${id}`, { method, ...(method === "PATCH" && { body: {} }) })).status).toBe(
      404,
    );
  const left = async () => (await box.database.pool.query("select id from outbox_messages")).rowCount;
  await eventually(async () => (await left()) === 0, { what: "an empty outbox" });
  expect(receiver.messages).toHaveLength(1);
});

test.concurrent("two orchestrators tell of each event once, and what a dead one had claimed is taken up by the other", async () => {
  await using database = await freshDatabase();
  await using one = await start({ database });
  await using two = await start({ database });
  await using agent = await startAgent(() => ({ result: 1 }));
  await using receiver = await startReceiver();
  await one.register(agent, [{ maxConcurrency: 20 }]);
  const { id } = await subscribe(one, receiver.url, { kinds: ["created", "started", "completed"] });
  const tasks = await Promise.all(
    Array.from({ length: 60 }, (_, index) => (index % 2 === 0 ? one : two).post({ type: "work", payload: index })),
  );
  await receiver.got(180);
  await eventually(async () => (await look(one, id))?.pending === 0);
  const told = receiver.messages.map(({ body }) => `${body.data.task.id} ${body.data.event.kind}`);
  expect(told.toSorted()).toEqual(
    tasks.flatMap((task) => ["completed", "created", "started"].map((kind) => `${task.id} ${kind}`)).toSorted(),
  );
  // Of one task, in order.
  for (const task of tasks) {
    const ofTask = receiver.messages.filter(({ body }) => body.data.task.id === task.id);
    expect(ofTask.map(({ body }) => body.data.event.version)).toEqual([1, 2, 3]);
  }
  // As one that was killed while it sent leaves it.
  await database.pool.query(`
    update outbox_messages set ended_at = null, outcome = null, body = '{"data":{"event":{}}}', lease_id = gen_random_uuid(), next_at = now()
     where id = (select id from outbox_messages limit 1)`);
  await database.pool.query("notify signalbox_subscriptions");
  await receiver.got(181);
  await eventually(async () => (await look(one, id))?.pending === 0);
});

test.concurrent("events of a time when no orchestrator was there to tell of them are told of later", async () => {
  await using database = await freshDatabase();
  await using receiver = await startReceiver();
  const first = await start({ database });
  await first.register({ url: "http://127.0.0.1:9" }, [{}]);
  await subscribe(first, receiver.url);
  await first.post({ type: "work", runAt: "2100-01-01T00:00:00Z" });
  await receiver.got(1);
  await first.stop();
  // What another process had committed when it was killed.
  await database.pool.query(`
    insert into task_events (task_id, kind, actor, version, data, state)
    select id, 'created', 'person:ann', version, '{}', task_state(tasks) from tasks`);
  await using _second = await start({ database });
  await receiver.got(2);
});

test.concurrent("a slow receiver holds up itself alone", async () => {
  await using box = await start();
  await using slow = await startReceiver(() => undefined);
  await using quick = await startReceiver();
  await box.register({ url: "http://127.0.0.1:9" }, [{}]);
  await subscribe(box, slow.url);
  await subscribe(box, quick.url);
  for (let index = 0; index < 30; index++) await box.post({ type: "work", runAt: "2100-01-01T00:00:00Z" });
  await quick.got(30);
  expect(slow.messages).toHaveLength(16);
  // The stop below calls them off: they are due again, and their attempt does not count.
  await box.stop();
  const { rows } = await box.database.pool.query(
    "select distinct attempts, lease_id from outbox_messages where ended_at is null",
  );
  expect(rows).toEqual([{ attempts: 0, lease_id: null }]);
});

test.concurrent("an answer is judged by its status, however much follows", async () => {
  await using box = await start();
  await using receiver = await startReceiver(({ response }) => {
    response.writeHead(200);
    const pump = () => {
      while (!response.destroyed && response.write(Buffer.alloc(65_536)));
    };
    response.on("drain", pump).on("error", () => undefined);
    pump();
    return undefined;
  });
  await box.register({ url: "http://127.0.0.1:9" }, [{}]);
  const { id } = await subscribe(box, receiver.url);
  await box.post({ type: "work", runAt: "2100-01-01T00:00:00Z" });
  await eventually(async () => (await look(box, id))?.lastOutcome === "delivered");
});
