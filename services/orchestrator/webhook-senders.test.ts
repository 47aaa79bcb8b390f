import { createHmac, randomUUID } from "node:crypto";
import type { Delivery, DeliveryAccepted } from "@signalbox/common/contracts/webhook.ts";
import { buildConfigReport, ConfigError, ensureConfig } from "@signalbox/common/settings.ts";
import { expect, test } from "vitest";
import { type Items, type Orchestrator, startOrchestrator } from "./orchestrator.fixture.ts";
import { settings } from "./settings.ts";
import { nowhere, rulesFile } from "./webhooks.fixture.ts";

const whsec = `whsec_${Buffer.from("thirty-two bytes of a secret key").toString("base64")}`;
const older = `whsec_${Buffer.from("thirty-two bytes of an older key").toString("base64")}`;
const senders = `render=standard:${whsec},render=standard:${older},crm=bearer:a-token-of-the-crm`;
const rules = `
version: 1
rules:
  - name: deploys
    source: render
    event: deploy_ended
    task: { type: work, payload: { id: "{{data.id}}" } }
  - name: contacts
    source: crm
    task: { type: work, payload: "{{body}}" }
`;

type Signed = { id?: string; at?: number; key?: string; prefix?: string };

function send(
  box: Orchestrator,
  body: unknown,
  { id = "msg_1", at = 0, key = whsec, prefix = "webhook" }: Signed = {},
) {
  const text = JSON.stringify(body);
  const timestamp = String(Math.floor(Date.now() / 1_000) + at);
  const bytes = Buffer.from(key.replace("whsec_", ""), "base64");
  const signature = createHmac("sha256", bytes).update(`${id}.${timestamp}.${text}`).digest("base64");
  const headers = {
    [`${prefix}-id`]: id,
    [`${prefix}-timestamp`]: timestamp,
    [`${prefix}-signature`]: `v1,${signature}`,
  };
  return box.call<DeliveryAccepted>("/webhooks/render", { method: "POST", as: "nobody", body: text, headers });
}

async function start(file: { path: string }) {
  const box = await startOrchestrator({ env: { WEBHOOK_SECRETS: senders, WEBHOOK_RULES_FILE: file.path } });
  await box.register(nowhere, [{}]);
  return box;
}

const ended = { type: "deploy_ended", timestamp: "2026-11-21T12:00:00Z", data: { id: "dep-1 🙂" } };

test.concurrent("a Standard Webhook makes a task, and the same id again makes none, whatever its time", async () => {
  await using file = await rulesFile(rules);
  await using box = await start(file);
  const first = await send(box, ended, { id: "msg_a" });
  expect(first).toMatchObject({ status: 202, body: { deliveryId: "msg_a", tasks: [expect.any(String)] } });
  expect(await box.get(first.body.tasks[0] ?? "")).toMatchObject({
    source: "webhook:render",
    payload: { id: "dep-1 🙂" },
  });
  expect((await send(box, ended, { id: "msg_a", at: 60 })).body).toEqual(first.body);
  expect((await send(box, { ...ended, type: "other" }, { id: "msg_b" })).body).toEqual({ ignored: true });
  const { items } = (await box.call<Items<Delivery>>("/webhooks/deliveries?source=render")).body;
  expect(items).toMatchObject([
    { deliveryId: "msg_b", event: "other", outcome: "ignored" },
    { deliveryId: "msg_a", event: "deploy_ended", duplicates: 1, signature: "current" },
  ]);
});

test.concurrent("names of Svix and the previous secret are good; old and early times and other keys are not", async () => {
  await using file = await rulesFile(rules);
  await using box = await start(file);
  const statuses = [
    await send(box, ended, { id: "1", prefix: "svix" }),
    await send(box, ended, { id: "2", key: older }),
    await send(box, ended, { id: "3", at: -290 }),
    await send(box, ended, { id: "4", at: -310 }),
    await send(box, ended, { id: "5", at: 310 }),
    await send(box, ended, { id: "6", key: `whsec_${Buffer.alloc(32).toString("base64")}` }),
  ];
  expect(statuses.map(({ status }) => status)).toEqual([202, 202, 202, 401, 401, 401]);
  expect(JSON.stringify(statuses.map(({ body }) => body))).not.toMatch(/whsec|timestamp/);
});

test.concurrent("a bearer token opens its own source, with and without an id", async () => {
  await using file = await rulesFile(rules);
  await using box = await start(file);
  const call = (source: string, token: string, headers = {}) =>
    box.call<DeliveryAccepted>(`/webhooks/${source}`, {
      method: "POST",
      as: "nobody",
      body: { name: "Ann" },
      headers: { authorization: `Bearer ${token}`, ...headers },
    });
  const first = await call("crm", "a-token-of-the-crm");
  expect(first.body.tasks).toHaveLength(1);
  expect((await call("crm", "a-token-of-the-crm")).body.tasks).not.toEqual(first.body.tasks);
  const id = randomUUID();
  const withId = await call("crm", "a-token-of-the-crm", { "webhook-id": id });
  expect((await call("crm", "a-token-of-the-crm", { "webhook-id": id })).body).toEqual(withId.body);
  expect((await call("crm", "another-token")).status).toBe(401);
  expect((await call("render", "a-token-of-the-crm")).status).toBe(401);
  expect((await call("nobody", "a-token-of-the-crm")).status).toBe(404);
  expect((await call("deliveries", "a-token-of-the-crm")).status).toBe(405);
  const kept = (await box.call(`/webhooks/deliveries/${id}`)).body;
  expect(JSON.stringify(kept)).not.toContain("a-token-of-the-crm");
});

test.each([
  "github=bearer:some-long-token",
  "deliveries=bearer:some-long-token",
  "a=bearer:short",
  "a=other:some-long-token",
  "a=standard:no-prefix-here-at-all",
  "some-long-token",
])("the setting %s is refused, without its value", (value) => {
  const env = {
    DATABASE_URL: "postgres://x",
    BASIC_AUTH_USER: "u",
    BASIC_AUTH_PASS: "p".repeat(8),
    INTERNAL_KEY: "k".repeat(8),
  };
  const read = () => ensureConfig(settings, { ...env, WEBHOOK_SECRETS: value });
  expect(read).toThrow(ConfigError);
  expect(read).toThrow(/WEBHOOK_SECRETS/);
  const report = buildConfigReport(settings, { ...env, WEBHOOK_SECRETS: value });
  expect(JSON.stringify(report)).not.toContain("some-long-token");
});
