import { createHmac } from "node:crypto";
import type { Frame } from "@signalbox/common/contracts/frame.ts";
import type { Run } from "@signalbox/common/contracts/run.ts";
import type { Schedule } from "@signalbox/common/contracts/schedule.ts";
import type { Task } from "@signalbox/common/contracts/task.ts";
import type { Delivery, DeliveryAccepted } from "@signalbox/common/contracts/webhook.ts";
import { eventually } from "@signalbox/testing/eventually.ts";
import { afterAll, beforeAll, expect, test } from "vitest";
import WebSocket from "ws";
import { type Items, type Pair, type Received, startPair, startReceiver } from "./contract.fixture.ts";

const githubSecret = "a-github-webhook-secret";
const senderSecret = `whsec_${Buffer.from("a-secret-of-a-standard-sender!!!").toString("base64")}`;

/* The orchestrator's part of the wire, from outside, on a fleet with two of them that are called in turn. */

let pair: Pair;
let call: Pair["call"];
let make: Pair["make"];
let read: Pair["read"];

beforeAll(async () => {
  pair = await startPair({
    GITHUB_WEBHOOK_SECRET: githubSecret,
    WEBHOOK_SECRETS: `shop=standard:${senderSecret}`,
  });
  ({ call, make, read } = pair);
}, 120_000);

afterAll(() => pair?.stop(), 60_000);

test.concurrent("schedules: made, fired once, run now, paused, removed; bad ones are refused", async () => {
  const task = { type: "echo", payload: { by: "schedule" } };
  const made = await call("POST", "/schedules", { body: { name: "each second", everySeconds: 3_600, task } });
  expect(made).toMatchObject({
    status: 201,
    body: { id: expect.any(String), nextAt: expect.any(String), lastFiredAt: null, lastTaskId: null },
  });
  const run = await call("POST", `/schedules/${made.body.id}/run`);
  expect([200, 201, 202]).toContain(run.status);
  const at = new Date(Date.now() + 1_500).toISOString();
  const once = await call("POST", "/schedules", {
    body: { name: "once", at, task: { ...task, correlationId: `once-${at}` } },
  });
  await eventually(async () => (await call<Schedule>("GET", `/schedules/${once.body.id}`)).body.lastTaskId !== null, {
    timeoutMs: 15_000,
    what: "its fire",
  });
  expect(
    (await call<Items<Task>>("GET", `/tasks?correlationId=${encodeURIComponent(`once-${at}`)}`)).body.items,
  ).toHaveLength(1);
  expect((await call("PATCH", `/schedules/${made.body.id}`, { body: { enabled: false } })).body).toMatchObject({
    enabled: false,
  });
  for (const bad of [
    { cron: "nonsense" },
    { at: "2001-01-01T00:00:00Z" },
    { everySeconds: 0 },
    { cron: "0 8 * * *", timezone: "Mars/Olympus" },
    {},
  ]) {
    expect((await call("POST", "/schedules", { body: { name: "bad", task, ...bad } })).status).toBe(400);
  }
  expect((await call("DELETE", `/schedules/${made.body.id}`)).status).toBeLessThan(300);
  expect((await call("GET", `/schedules/${made.body.id}`)).status).toBe(404);
});

test.concurrent("/v1/events and /v1/runs: run ids, order, replay, refusals, raw kept from everybody but the agent", async () => {
  const conversation = `chat-${Date.now()}`;
  const event = {
    schema_version: 1,
    type: "cli.message",
    conversation_key: conversation,
    user_key: "u-events",
    text: "hi",
    raw: { canary: "raw-canary" },
  };
  const headers = { "idempotency-key": `${conversation}-1` };
  const [one, two] = [
    await call<Run>("POST", "/v1/events", { body: event, headers, as: "service" }),
    await call<Run>("POST", "/v1/events", { body: event, headers, as: "service" }),
  ];
  expect(one).toMatchObject({ status: 202, body: { run_id: expect.any(String) } });
  expect(two.body.run_id).toBe(one.body.run_id);
  const run = () => call<Run>("GET", `/v1/runs/${one.body.run_id}`);
  await eventually(async () => (await run()).body.status === "succeeded", { what: "the run" });
  expect((await run()).body).toEqual({ run_id: one.body.run_id, status: "succeeded", output: "hi" });
  expect(await read(one.body.run_id)).toMatchObject({ concurrencyKey: conversation, userKey: "u-events" });
  expect(JSON.stringify(await read(one.body.run_id))).not.toContain("raw-canary");
  expect((await call("POST", "/v1/events", { body: { ...event, schema_version: 2 }, as: "service" })).status).toBe(400);
});

test.concurrent("GitHub: signed once is one task, a redelivery none; bad signatures 401; ping 200; what no rule wants is ignored", async () => {
  const push = {
    ref: "refs/heads/main",
    after: "1".repeat(40),
    repository: { full_name: "acme/shop" },
    sender: { login: "ada", type: "User" },
  };
  const deliver = (event: string, body: object, id: string, secret = githubSecret) => {
    const raw = JSON.stringify(body);
    const signature = `sha256=${createHmac("sha256", secret).update(raw).digest("hex")}`;
    return call<DeliveryAccepted>("POST", "/webhooks/github", {
      raw,
      as: "nobody",
      headers: { "x-github-event": event, "x-github-delivery": id, "x-hub-signature-256": signature },
    });
  };
  const id = "72d3162e-cc78-11e3-81ab-4c9367dc0958";
  const [first, again] = await Promise.all([deliver("push", push, id), deliver("push", push, id)]);
  expect([first.status, again.status]).toEqual([202, 202]);
  expect(first.body).toEqual(again.body);
  expect(first.body.tasks).toHaveLength(1);
  expect((await deliver("push", push, "other", "wrong")).status).toBe(401);
  expect((await deliver("ping", { zen: "x" }, "ping-1")).status).toBe(200);
  expect(await deliver("star", { action: "created" }, "star-1")).toMatchObject({
    status: 200,
    body: { ignored: true },
  });
  expect(
    (await call<Items<Delivery>>("GET", "/webhooks/deliveries")).body.items.map(({ deliveryId }) => deliveryId),
  ).toContain(id);
});

test.concurrent("other senders: Standard Webhooks, old timestamps, unknown sources", async () => {
  const raw = JSON.stringify({ type: "order.paid" });
  const send = (source: string, at: number, secret = senderSecret) => {
    const stamp = String(Math.round(at / 1_000));
    const mac = createHmac("sha256", Buffer.from(secret.slice(6), "base64"))
      .update(`msg_1.${stamp}.${raw}`)
      .digest("base64");
    return call("POST", `/webhooks/${source}`, {
      raw,
      as: "nobody",
      headers: { "webhook-id": "msg_1", "webhook-timestamp": stamp, "webhook-signature": `v1,${mac}` },
    });
  };
  expect((await send("shop", Date.now())).status).toBeLessThan(300);
  expect((await send("shop", Date.now() - 310_000)).status).toBe(401);
  expect(
    (await send("shop", Date.now(), `whsec_${Buffer.from("another-secret-of-24-bytes!!").toString("base64")}`)).status,
  ).toBe(401);
  expect((await send("nobody", Date.now())).status).toBe(404);
});

test.concurrent("subscriptions: the secret once, signed events, gone after DELETE", async () => {
  await using receiver = await startReceiver({ status: 204 });
  const url = `${receiver.url}/hook`;
  const made = await call<{ id: string; secret: string }>("POST", "/subscriptions", {
    body: { url, kinds: ["completed"] },
  });
  expect(made).toMatchObject({ status: 201, body: { secret: expect.stringMatching(/^whsec_/) } });
  expect(JSON.stringify((await call("GET", "/subscriptions")).body)).not.toContain(made.body.secret);
  const { id } = await make({ payload: { subscribed: true } });
  const mine = await eventually(() => receiver.got.find(({ body }) => body.includes(id)), {
    timeoutMs: 20_000,
    what: "the event",
  });
  const { headers, body } = mine as Received;
  const key = Buffer.from(made.body.secret.slice(6), "base64");
  const mac = createHmac("sha256", key)
    .update(`${headers["webhook-id"]}.${headers["webhook-timestamp"]}.${body}`)
    .digest("base64");
  expect(headers["webhook-signature"]).toContain(`v1,${mac}`);
  expect((await call("DELETE", `/subscriptions/${made.body.id}`)).status).toBeLessThan(300);
});

test.concurrent("frames of both orchestrators on both, the same ones in the same order, resumed at the other", async () => {
  const open = (at: number, query: string) => {
    const socket = new WebSocket(`${pair.urls[at]?.replace("http", "ws")}/ws?types=task&${query}`, {
      headers: { authorization: pair.basic },
    });
    const frames: Frame[] = [];
    socket.on("message", (data) => frames.push(JSON.parse(String(data))));
    return { socket, frames, shown: () => frames.flatMap((one) => (one.type === "task" ? [one.event.id] : [])) };
  };
  const correlationId = `frames-${Date.now()}`;
  const [a, b] = [open(0, `correlationId=${correlationId}`), open(1, `correlationId=${correlationId}`)];
  for (const { frames } of [a, b])
    await eventually(() => frames.some(({ type }) => type === "hello"), { what: "hello" });
  for (let at = 0; at < 10; at++) await make({ correlationId });
  for (const { shown } of [a, b])
    await eventually(() => shown().length === 30, { timeoutMs: 20_000, what: "thirty frames" });
  expect(a.shown()).toEqual(b.shown());
  const middle = a.frames[10]?.cursor;
  const resumed = open(1, `correlationId=${correlationId}&since=${middle}`);
  await eventually(() => resumed.shown().length === a.frames.length - 11, { what: "what was missed" });
  expect(resumed.shown()).toEqual(a.shown().slice(-resumed.shown().length));
  for (const { socket } of [a, b, resumed]) socket.terminate();
});
