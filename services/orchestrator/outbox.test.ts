import { freshDatabase } from "@signalbox/testing/database.ts";
import { eventually } from "@signalbox/testing/eventually.ts";
import { startService } from "@signalbox/testing/service-process.ts";
import { expect, test } from "vitest";
import { isPrivateAddress } from "./address.ts";
import { buildCheckedLookup } from "./clients/checked-lookup.ts";
import { buildReceiverClient } from "./clients/receiver.ts";
import { basic, internalKey, type Orchestrator, startAgent, startOrchestrator } from "./orchestrator.fixture.ts";
import { look, skipWait, startReceiver, subscribe, withSecretsKey } from "./receiver.fixture.ts";

const runAt = "2100-01-01T00:00:00Z";
const nobody = { url: "http://127.0.0.1:9" };

test.concurrent("a name that resolves to a private address is not connected to", async () => {
  const resolve = (isRefused: (address: string) => boolean) =>
    new Promise<string>((done) => {
      buildCheckedLookup(isRefused)("localhost", { all: true }, (error, found) =>
        done(error?.message ?? JSON.stringify(found)),
      );
    });
  expect(await resolve(() => false)).toContain("127.0.0.1");
  expect(await resolve(isPrivateAddress)).toContain("not called");
});

test.concurrent("whatever was stored, nothing is sent to a private address where that is not allowed (any more)", async () => {
  await using database = await freshDatabase();
  await using receiver = await startReceiver();
  const before = await startOrchestrator({ database, env: withSecretsKey });
  await before.register(nobody, [{}]);
  const { id } = await subscribe(before, receiver.url);
  await before.stop();
  await using box = await startOrchestrator({
    database,
    env: { ...withSecretsKey, SUBSCRIPTIONS_ALLOW_PRIVATE: "false" },
  });
  await box.post({ type: "work", runAt });
  await eventually(async () => (await look(box, id))?.failures === 1);
  expect(await look(box, id)).toMatchObject({
    lastStatus: null,
    lastError: expect.stringContaining("private"),
    pending: 1,
  });
  expect(receiver.messages).toEqual([]);
});

test.concurrent("a receiver that does not answer in time, or answers a byte now and then, has failed", async () => {
  const receivers = buildReceiverClient({ allowPrivate: true, userAgent: "test", timeoutMs: 200 });
  await using silent = await startReceiver(() => undefined);
  const post = (url: string) => receivers.post({ url, headers: {}, body: "{}", signal: new AbortController().signal });
  expect(await post(silent.url)).toEqual({ kind: "failed", message: "did not answer within 0.2 s" });
  expect(await post("http://127.0.0.1:1/")).toMatchObject({
    kind: "failed",
    message: expect.stringContaining("ECONNREFUSED"),
  });
  await receivers.close();
});

test.concurrent("with another SECRETS_KEY nothing can be signed, and the subscription says so", async () => {
  await using database = await freshDatabase();
  await using receiver = await startReceiver();
  const before = await startOrchestrator({ database, env: withSecretsKey });
  await before.register(nobody, [{}]);
  const { id } = await subscribe(before, receiver.url);
  await before.stop();
  await using box = await startOrchestrator({ database, env: { ...withSecretsKey, SECRETS_KEY: "quite another key" } });
  await box.post({ type: "work", runAt });
  await eventually(async () => (await look(box, id))?.failures === 1);
  expect((await look(box, id))?.lastError).toContain("SECRETS_KEY");
  expect(receiver.messages).toEqual([]);
});

test.concurrent("while nobody is subscribed, nothing is written; the first subscriber does not read what nobody wanted", async () => {
  await using box = await startOrchestrator({ env: withSecretsKey });
  await box.register(nobody, [{}]);
  for (let index = 0; index < 5; index++) await box.post({ type: "work", runAt });
  const cursor = async () => Number((await box.database.pool.query("select seq from outbox_cursor")).rows[0].seq);
  expect(await cursor()).toBe(0);
  await using receiver = await startReceiver();
  await subscribe(box, receiver.url);
  expect(await cursor()).toBe(5);
  const task = await box.post({ type: "work", runAt });
  await receiver.got(1);
  expect(receiver.messages[0]?.body.data.task.id).toBe(task.id);
});

test.concurrent("many events about one task arrive one after the other, in order", async () => {
  await using box = await startOrchestrator({ env: withSecretsKey });
  await using receiver = await startReceiver(() => undefined);
  await using agent = await startAgent(() => undefined);
  await box.register(agent, [{}]);
  await subscribe(box, receiver.url, { kinds: ["progress"] });
  const task = await box.post({ type: "work" });
  await agent.called(1);
  for (let percent = 1; percent <= 40; percent++) {
    const body = { attempt: 1, message: "on the way", percent };
    await box.call(`/task/${task.id}/progress`, { method: "POST", as: "service", body });
  }
  for (let nth = 1; nth <= 40; nth++) {
    await receiver.got(nth);
    // All forty are due, but the next is not sent before this one is answered.
    expect(receiver.messages).toHaveLength(nth);
    receiver.messages[nth - 1]?.response.writeHead(200).end();
  }
  expect(receiver.messages.map(({ body }) => body.data.task.progress?.percent)).toEqual(
    Array.from({ length: 40 }, (_, index) => index + 1),
  );
});

/** Messages of a subscription as they lie in the table, made by nobody. */
const fill = (box: Orchestrator, id: string, [body, members]: [string, string], count: number) =>
  box.database.pool.query(`
    insert into outbox_messages (id, subscription_id, seq, task_id, body, created_at, ended_at, outcome, attempts, next_at)
    select gen_random_uuid(), '${id}', (select coalesce(max(seq), 0) from outbox_messages) + n, gen_random_uuid(), body, ${members}
      from generate_series(1, ${count}) n, (select ${body}::text as body) b`);

/** As a ring would that comes from another orchestrator. */
const ring = (box: Orchestrator) => box.database.pool.query("notify signalbox_subscriptions");

test.concurrent("what has ended is forgotten after a week, what waits in vain two weeks after the subscription was disabled", async () => {
  await using box = await startOrchestrator({ env: withSecretsKey });
  const { id } = await subscribe(box, "http://127.0.0.1:9/", { enabled: false });
  const left = async () => (await box.database.pool.query("select id from outbox_messages")).rowCount;
  await fill(box, id, ["null", "now() - interval '9 days', now() - interval '8 days', 'delivered', 1, now()"], 3);
  await fill(box, id, ["null", "now() - interval '9 days', now() - interval '6 days', 'delivered', 1, now()"], 1);
  await fill(box, id, ["'{}'", "now() - interval '20 days', null, null, 3, now()"], 2);
  await ring(box);
  await eventually(async () => (await left()) === 3, { what: "the first sweep" });
  expect((await look(box, id))?.pending).toBe(2);
  await box.database.pool.query("update subscriptions set updated_at = now() - interval '15 days'");
  await ring(box);
  await eventually(async () => (await left()) === 1, { what: "the second sweep" });
});

test.concurrent("a hundred thousand waiting events end a subscription; resumed, all of them are due again", async () => {
  await using box = await startOrchestrator({ env: withSecretsKey });
  const { id } = await subscribe(box, "http://127.0.0.1:9/");
  await box.database.pool.query("update subscriptions set updated_at = now() - interval '1 hour'");
  await fill(box, id, ["'{}'", "now(), null, null, 5, now() + interval '1 hour'"], 100_001);
  await ring(box);
  await eventually(async () => (await look(box, id))?.enabled === false, { timeoutMs: 30_000 });
  expect((await look(box, id))?.disabledReason).toContain("100000");
  expect((await box.call(`/subscriptions/${id}`, { method: "PATCH", body: { enabled: true } })).status).toBe(200);
  const late =
    "select 1 from outbox_messages where ended_at is null and (attempts = 5 or next_at > now() + interval '1 minute') limit 1";
  await eventually(async () => (await box.database.pool.query(late)).rowCount === 0, {
    timeoutMs: 40_000,
    what: "their renewal",
  });
  expect((await look(box, id))?.enabled).toBe(true);
});

test.concurrent("attempts and what waits are measured, and so are webhooks that come in", async () => {
  await using box = await startOrchestrator({
    env: { ...withSecretsKey, GITHUB_WEBHOOK_SECRET: "s", WEBHOOK_SECRETS: "ci=bearer:a-long-token" },
  });
  await using receiver = await startReceiver((_message, nth) => (nth === 1 ? 500 : 200));
  await box.register(nobody, [{}]);
  const { id } = await subscribe(box, receiver.url);
  await box.post({ type: "work", runAt });
  await eventually(async () => (await look(box, id))?.failures === 1);
  const read = async () =>
    (await (await fetch(`${box.url}/metrics`, { headers: { authorization: basic } })).text()).split("\n");
  const waiting = await read();
  expect(waiting).toContainEqual(expect.stringMatching(/^signalbox_outgoing_pending\{.*\} 1$/));
  expect(waiting).toContainEqual(expect.stringMatching(/^signalbox_outgoing_oldest_seconds\{.*\} (?!0$)[\d.]+$/));
  await skipWait(box);
  await eventually(async () => (await look(box, id))?.pending === 0);
  const post = (source: string, token: string, delivery: string) =>
    box.call(`/webhooks/${source}`, {
      method: "POST",
      as: "nobody",
      body: {},
      headers: { authorization: `Bearer ${token}`, "x-delivery-id": delivery },
    });
  for (const [source, token, delivery] of [
    ["ci", "a-long-token", "1"],
    ["ci", "a-long-token", "1"],
    ["ci", "a-wrong-token", "2"],
    ["github", "", "3"],
    ["stranger", "", "4"],
  ] as const)
    await post(source, token, delivery);
  const lines = (await read())
    .filter((line) => /^signalbox_(?:outgoing_deliveries|webhook_deliveries)_total/.test(line))
    .sort();
  expect(lines.map((line) => line.replace(/,?service="orchestrator",?/, ""))).toEqual([
    'signalbox_outgoing_deliveries_total{outcome="delivered"} 1',
    'signalbox_outgoing_deliveries_total{outcome="failed"} 1',
    'signalbox_webhook_deliveries_total{source="ci",outcome="duplicate"} 1',
    'signalbox_webhook_deliveries_total{source="ci",outcome="ignored"} 1',
    'signalbox_webhook_deliveries_total{source="ci",outcome="refused"} 1',
    'signalbox_webhook_deliveries_total{source="github",outcome="refused"} 1',
  ]);
});

test.concurrent("no event is lost and none has two ids when an orchestrator is killed while it sends; no log line holds a secret", async () => {
  await using database = await freshDatabase();
  const env = {
    ...withSecretsKey,
    DATABASE_URL: database.url,
    BASIC_AUTH_USER: "operator",
    BASIC_AUTH_PASS: "a-test-password",
    INTERNAL_KEY: internalKey,
    LOGGING_URL: "http://127.0.0.1:9",
    LOG_LEVEL: "debug",
  };
  const start = () => startService({ main: "services/orchestrator/main.ts", env });
  const post = async (url: string, body: unknown) => {
    const headers = { authorization: basic, "x-internal-key": internalKey, "content-type": "application/json" };
    const response = await fetch(url, { method: "POST", headers, body: JSON.stringify(body) });
    return (await response.json()) as { id: string; secret: string };
  };
  await using first = await start();
  await using second = await start();
  await using receiver = await startReceiver((_message, nth) => (nth % 10 === 0 ? 500 : 200));
  const types = [{ type: "work", path: "/run" }];
  await post(`${first.url}/agents/heartbeat`, { name: "a", instance: "a-1", url: "http://127.0.0.1:9", types });
  const { secret } = await post(`${first.url}/subscriptions`, { url: receiver.url, kinds: ["created", "canceled"] });
  const ids: string[] = [];
  for (let index = 0; index < 100; index++) {
    const { id } = await post(`${second.url}/task`, { type: "work", runAt });
    ids.push(id);
    if (index === 50) await first.stop("SIGKILL");
    await post(`${second.url}/task/${id}/cancel`, {});
  }
  const waiting = async () =>
    (await database.pool.query("select 1 from outbox_messages where ended_at is null")).rowCount;
  const fed = async () => (await database.pool.query("select 1 from outbox_messages")).rowCount;
  await eventually(async () => (await fed()) === 200, { what: "all messages" });
  await eventually(
    async () => {
      // As if the lease of the dead one and the waits of those that failed were over.
      await database.pool.query(
        "update outbox_messages set next_at = now() where ended_at is null and next_at > now() + interval '2 s'",
      );
      await database.pool.query("notify signalbox_subscriptions");
      return (await waiting()) === 0;
    },
    { everyMs: 300, timeoutMs: 30_000, what: "an empty outbox" },
  );
  const idsOf = new Map<string, Set<string>>();
  for (const { body, id } of receiver.messages) {
    const event = `${body.data.task.id} ${body.data.event.kind}`;
    idsOf.set(event, (idsOf.get(event) ?? new Set()).add(id));
  }
  expect([...idsOf.keys()].sort()).toEqual(ids.flatMap((id) => [`${id} canceled`, `${id} created`]).sort());
  expect([...idsOf.values()].every(({ size }) => size === 1)).toBe(true);
  await second.stop();
  const key = secret.slice("whsec_".length);
  expect(first.output() + second.output()).toContain("somebody subscribed");
  expect(first.output() + second.output()).not.toContain(key.slice(0, 16));
});
