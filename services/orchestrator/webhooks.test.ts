import { createHmac, randomUUID } from "node:crypto";
import type { Delivery, DeliveryAccepted, DeliveryWithBody } from "@signalbox/common/contracts/webhook.ts";
import { ConfigError } from "@signalbox/common/settings.ts";
import { freshDatabase } from "@signalbox/testing/database.ts";
import { eventually } from "@signalbox/testing/eventually.ts";
import { expect, test } from "vitest";
import { type Items, type Orchestrator, type Reply, startAgent, startOrchestrator } from "./orchestrator.fixture.ts";
import { deliver, nowhere, rulesFile, secret, withSecret } from "./webhooks.fixture.ts";

const push = {
  ref: "refs/heads/main",
  before: "a".repeat(40),
  after: "b".repeat(40),
  deleted: false,
  forced: false,
  compare: "https://github.example/acme/api/compare",
  repository: { full_name: "acme/api" },
  sender: { login: "ann", type: "User" },
  head_commit: { message: "Ünïcode 🙂\r\nand more" },
  commits: [{ added: [], modified: ["services/a.ts"], removed: [] }],
};

async function start(env: Record<string, string> = {}) {
  const box = await startOrchestrator({ env: { ...withSecret, ...env } });
  await box.register(nowhere, [{ type: "github.event" }, { type: "work" }]);
  return box;
}

async function countTasks(box: Orchestrator): Promise<number> {
  const { rows } = await box.database.pool.query("select count(*)::int as n from tasks");
  return rows[0].n;
}

async function listDeliveries(box: Orchestrator, query = ""): Promise<Delivery[]> {
  return (await box.call<Items<Delivery>>(`/webhooks/deliveries${query}`)).body.items;
}

test.concurrent("a push becomes one task that carries what matters, and its agent also gets the original", async () => {
  await using box = await start();
  await using agent = await startAgent(() => ({ result: "ok" }));
  await box.register(agent, [{ type: "github.event", priority: 5 }], "real");
  const id = randomUUID();
  const accepted = await deliver(box, push, { id });
  expect(accepted).toMatchObject({ status: 202, body: { deliveryId: id, tasks: [expect.any(String)] } });
  const [taskId = ""] = accepted.body.tasks;
  const task = await box.until(taskId, ({ status }) => status === "completed");
  expect(task).toMatchObject({
    type: "github.event",
    source: "webhook:github",
    correlationId: id,
    concurrencyKey: null,
  });
  expect(task.events[0]).toMatchObject({ kind: "created", actor: "webhook:github" });
  expect(task.payload).toEqual({
    event: "push",
    action: null,
    repository: "acme/api",
    sender: "ann",
    ref: "refs/heads/main",
    branch: "main",
    before: push.before,
    after: push.after,
    deleted: false,
    forced: false,
    title: push.head_commit.message,
    url: push.compare,
  });
  expect(agent.calls[0]?.payload).toEqual({ ...(task.payload as object), raw: push });
});

test.concurrent("bytes are judged as they came: emoji, line ends and a byte order mark", async () => {
  await using box = await start();
  const text = JSON.stringify(push, null, 2).replaceAll("\n", "\r\n");
  for (const body of [text, `\ufeff${text}`, `${text}\r\n`]) expect((await deliver(box, body)).status).toBe(202);
  const signed = { "x-hub-signature-256": `sha256=${createHmac("sha256", secret).update(text).digest("hex")}` };
  expect((await deliver(box, text.replaceAll("\r\n", "\n"), { headers: signed })).status).toBe(401);
  expect(await countTasks(box)).toBe(3);
});

test.concurrent("wrong, missing and foreign signatures are refused, and nothing is stored", async () => {
  await using box = await start();
  const refused = [
    await deliver(box, push, { key: "another secret" }),
    await deliver(box, push, { headers: { "x-hub-signature-256": "" } }),
    await deliver(box, push, { headers: { "x-hub-signature-256": "sha256=00" } }),
  ];
  expect(refused.map(({ status }) => status)).toEqual([401, 401, 401]);
  expect(JSON.stringify(refused.map(({ body }) => body))).not.toContain(secret);
  expect(await listDeliveries(box)).toEqual([]);
});

test.concurrent("without a secret every delivery is refused", async () => {
  await using box = await startOrchestrator();
  expect((await deliver(box, push, { key: "" })).status).toBe(401);
});

test.concurrent("while secrets rotate both are good, and the ledger tells which one it was", async () => {
  await using box = await start({ GITHUB_WEBHOOK_SECRET: "new", GITHUB_WEBHOOK_SECRET_PREVIOUS: "old" });
  expect((await deliver(box, push, { key: "new" })).status).toBe(202);
  expect((await deliver(box, push, { key: "old" })).status).toBe(202);
  expect((await deliver(box, push, { key: "older" })).status).toBe(401);
  expect((await listDeliveries(box)).map(({ signature }) => signature)).toEqual(["previous", "current"]);
});

test.concurrent("ping is answered, an event that no rule takes is ignored, and both stand in the ledger", async () => {
  await using box = await start();
  expect(await deliver(box, { zen: "x", hook_id: 1 }, { event: "ping" })).toMatchObject({ status: 200 });
  const ignored = await deliver(box, { action: "created" }, { event: "star" });
  expect(ignored).toMatchObject({ status: 200, body: { ignored: true } });
  expect(await listDeliveries(box)).toMatchObject([
    { event: "star", action: "created", outcome: "ignored", taskIds: [] },
    { event: "ping", outcome: "ping", taskIds: [] },
  ]);
});

test.concurrent("a workflow run makes a task only when it failed", async () => {
  await using box = await start();
  const run = (conclusion: string | null, action = "completed") =>
    deliver(
      box,
      { action, repository: { full_name: "a/b" }, workflow_run: { conclusion, head_branch: "main", head_sha: "c" } },
      { event: "workflow_run" },
    );
  expect((await run("success")).body).toEqual({ ignored: true });
  expect((await run(null, "requested")).body).toEqual({ ignored: true });
  expect((await run("failure")).body.tasks).toHaveLength(1);
});

test.concurrent("the form that GitHub can send is read, another type is not", async () => {
  await using box = await start();
  const form = `payload=${encodeURIComponent(JSON.stringify(push))}`;
  const type = { "content-type": "application/x-www-form-urlencoded" };
  expect((await deliver(box, form, { headers: type })).status).toBe(202);
  expect((await deliver(box, push, { headers: { "content-type": "text/plain" } })).status).toBe(415);
  const [delivery] = await listDeliveries(box);
  expect((await box.call<DeliveryWithBody>(`/webhooks/deliveries/${delivery?.id}`)).body.body).toEqual(push);
});

test.concurrent("a body of 3 MB is taken, one over 25 MB is not", async () => {
  await using box = await start();
  const large = { ...push, padding: "x".repeat(3_000_000) };
  const accepted = await deliver(box, large);
  expect(accepted.status).toBe(202);
  const { rows } = await box.database.pool.query("select raw from tasks");
  expect(rows).toEqual([{ raw: null }]);
  expect((await deliver(box, Buffer.alloc(25_000_001, 32))).status).toBe(413);
});

test.concurrent("of a hundred deliveries at once none is refused, because GitHub would not send it again", async () => {
  await using box = await start();
  const replies = await Promise.all(Array.from({ length: 100 }, (_, index) => deliver(box, { ...push, index })));
  expect(new Set(replies.map(({ status }) => status))).toEqual(new Set([202]));
  expect(await countTasks(box)).toBe(100);
});

test.concurrent("a delivery that comes again makes no second task and gets the same answer", async () => {
  await using box = await start();
  const id = randomUUID();
  const first = await deliver(box, push, { id });
  const again = [await deliver(box, push, { id }), await deliver(box, push, { id })];
  for (const { status, body } of again) expect({ status, body }).toEqual({ status: 202, body: first.body });
  expect(await countTasks(box)).toBe(1);
  expect(await listDeliveries(box)).toMatchObject([{ deliveryId: id, duplicates: 2, taskIds: first.body.tasks }]);
});

test.concurrent("the same delivery at the same moment, at two orchestrators, makes one task", async () => {
  await using database = await freshDatabase();
  await using one = await startOrchestrator({ env: withSecret, database });
  await using other = await startOrchestrator({ env: withSecret, database });
  await one.register(nowhere, [{ type: "github.event" }]);
  for (let round = 0; round < 5; round++) {
    const id = randomUUID();
    const replies = await Promise.all([one, other, one, other, one, other].map((box) => deliver(box, push, { id })));
    expect(new Set(replies.map(({ status, body }) => JSON.stringify({ status, body })))).toHaveLength(1);
    expect(replies[0]?.status).toBe(202);
  }
  expect(await countTasks(one)).toBe(5);
});

test.concurrent("a database that breaks between delivery and tasks leaves nothing, and the redelivery is processed", async () => {
  await using box = await start();
  const id = randomUUID();
  await box.database.pool.query(`
    create function break_it() returns trigger language plpgsql as $$ begin raise 'broken' using errcode = '57P01'; end $$;
    create trigger break_it before insert on tasks for each row execute function break_it()`);
  expect((await deliver(box, push, { id })).status).toBe(503);
  expect(await listDeliveries(box)).toEqual([]);
  await box.database.pool.query("drop trigger break_it on tasks");
  expect((await deliver(box, push, { id })).body).toMatchObject({ deliveryId: id, tasks: [expect.any(String)] });
});

const twoRules = `
version: 1
rules:
  - name: unknown-type
    source: github
    task: { type: nobody.runs.this }
  - name: missing-path
    source: github
    task: { type: work, payload: "{{no.such.path}}" }
  - name: not-valid
    source: github
    task: { type: work, priority: "{{number}}" }
  - name: good
    source: github
    task: { type: work, concurrencyKey: "{{repository.full_name}}" }
`;

test.concurrent("a rule whose task cannot be made is recorded, the others go on, and a redelivery tries it again", async () => {
  await using file = await rulesFile(twoRules);
  await using box = await start({ WEBHOOK_RULES_FILE: file.path });
  const id = randomUUID();
  const body = { repository: { full_name: "a/b" }, number: 1_000 };
  const first = await deliver(box, body, { id });
  expect(first).toMatchObject({ status: 202, body: { tasks: [expect.any(String)] } });
  const [delivery] = await listDeliveries(box, "?outcome=failed");
  expect(delivery?.rules).toMatchObject([
    { rule: "unknown-type", outcome: "failed", reason: expect.stringContaining("nobody.runs.this") },
    { rule: "missing-path", outcome: "failed", reason: "{{no.such.path}} is not in the delivery" },
    { rule: "not-valid", outcome: "failed", reason: expect.stringContaining("/priority") },
    { rule: "good", outcome: "made", taskId: first.body.tasks[0], reason: null },
  ]);

  await box.register(nowhere, [{ type: "nobody.runs.this" }], "late");
  const again = await deliver(box, body, { id });
  expect(again.body.tasks).toHaveLength(2);
  expect(again.body.tasks).toContain(first.body.tasks[0]);
  expect(await countTasks(box)).toBe(2);
});

test.concurrent("a task that PostgreSQL refuses fails its rule alone", async () => {
  await using file = await rulesFile(twoRules);
  await using box = await start({ WEBHOOK_RULES_FILE: file.path });
  await box.register(nowhere, [{ type: "nobody.runs.this" }]);
  await box.database.pool.query("alter table tasks add constraint no_such check (type <> 'nobody.runs.this')");
  expect((await deliver(box, { repository: { full_name: "a/b" } })).body.tasks).toHaveLength(1);
  const [delivery] = await listDeliveries(box);
  expect(delivery?.rules[0]).toMatchObject({ outcome: "failed", reason: expect.stringContaining("23514") });
});

test.concurrent("two deliveries with one dedupe key make one task, in whatever order many arrive", async () => {
  await using file = await rulesFile(`
version: 1
rules:
  - { name: a, source: github, task: { type: work, dedupe: "{{after}}", concurrencyKey: "{{ref}}" } }
  - { name: b, source: github, task: { type: work, dedupe: "{{before}}" } }
`);
  await using box = await start({ WEBHOOK_RULES_FILE: file.path });
  const bodies = Array.from({ length: 12 }, (_, index) => ({
    after: `after ${index % 2}`,
    before: `before ${(index + 1) % 2}`,
    ref: `ref ${index % 3}`,
  }));
  // On a busy machine one may wait too long for the others' locks; its sender is told so, and comes again.
  const send = async (body: object, id: string) => {
    const reply = await deliver(box, body, { id });
    return reply.status === 503 ? null : reply.status;
  };
  const statuses = await Promise.all(
    bodies.map((body) => {
      const id = randomUUID();
      return eventually(() => send(body, id), { what: "a taken delivery" });
    }),
  );
  expect(statuses).toEqual(Array(12).fill(202));
  expect(await countTasks(box)).toBe(4);
  const results = (await listDeliveries(box)).flatMap(({ rules }) => rules);
  expect(results.filter(({ outcome }) => outcome === "duplicate")).toHaveLength(20);
  expect(results.every(({ taskId }) => taskId !== null)).toBe(true);
  const { rows } = await box.database.pool.query(
    "select deadlocks::int from pg_stat_database where datname = current_database()",
  );
  expect(rows).toEqual([{ deadlocks: 0 }]);
});

test.concurrent("a type's demand for approval holds for webhooks", async () => {
  await using box = await start();
  await box.register(nowhere, [{ type: "github.event", approval: "required" }]);
  const [taskId = ""] = (await deliver(box, push)).body.tasks;
  expect(await box.get(taskId)).toMatchObject({ status: "waiting", waitingFor: "approval" });
});

test.concurrent("a replay runs the rules on the stored body, makes new tasks and is recorded", async () => {
  await using box = await start();
  const id = randomUUID();
  const first = await deliver(box, push, { id });
  const [delivery] = await listDeliveries(box);
  const replayed = await box.call<DeliveryAccepted>(`/webhooks/deliveries/${delivery?.id}/replay`, { method: "POST" });
  expect(replayed).toMatchObject({ status: 202, body: { deliveryId: id, tasks: [expect.any(String)] } });
  expect(replayed.body.tasks).not.toEqual(first.body.tasks);
  const before = await box.get(first.body.tasks[0] ?? "");
  expect(await box.get(replayed.body.tasks[0] ?? "")).toMatchObject({
    payload: before.payload,
    source: "webhook:github",
  });
  const [after] = await listDeliveries(box);
  expect(after).toMatchObject({
    duplicates: 0,
    taskIds: [...first.body.tasks, ...replayed.body.tasks],
    rules: [{ run: 1 }, { run: 2, by: "person:operator", taskId: replayed.body.tasks[0] }],
  });
  expect((await deliver(box, push, { id })).body).toEqual(first.body);
  expect((await box.call(`/webhooks/deliveries/${id}/replay`, { method: "POST" })).status).toBe(202);
  expect((await box.call(`/webhooks/deliveries/${randomUUID()}/replay`, { method: "POST" })).status).toBe(404);
});

test.concurrent("what a replay has made up for is not made again by a redelivery", async () => {
  await using box = await startOrchestrator({ env: withSecret });
  const id = randomUUID();
  const first = await deliver(box, push, { id });
  await box.register(nowhere, [{ type: "github.event" }]);
  await box.call(`/webhooks/deliveries/${id}/replay`, { method: "POST" });
  expect((await deliver(box, push, { id })).body).toEqual(first.body);
  expect(await countTasks(box)).toBe(1);
});

test.concurrent("what was ignored can be replayed once a rule takes it", async () => {
  await using database = await freshDatabase();
  await using file = await rulesFile("version: 1\nrules: []\n");
  await using before = await startOrchestrator({ env: { ...withSecret, WEBHOOK_RULES_FILE: file.path }, database });
  await before.register(nowhere, [{ type: "github.event" }]);
  const id = randomUUID();
  expect((await deliver(before, push, { id })).body).toEqual({ ignored: true });
  await using after = await startOrchestrator({ env: withSecret, database });
  const replayed = await after.call<DeliveryAccepted>(`/webhooks/deliveries/${id}/replay`, { method: "POST" });
  expect(replayed.body.tasks).toHaveLength(1);
  expect(await listDeliveries(after)).toMatchObject([{ outcome: "accepted", taskIds: replayed.body.tasks }]);
});

test.concurrent("bodies are forgotten after thirty days, what became of them is not", async () => {
  await using box = await start();
  await deliver(box, push);
  await box.database.pool.query("update webhook_deliveries set received_at = now() - interval '31 days'");
  await using _sweeper = await startOrchestrator({ database: box.database });
  const [delivery] = await listDeliveries(box);
  const path = `/webhooks/deliveries/${delivery?.id}`;
  await eventually(async () => (await box.call<DeliveryWithBody>(path)).body.body === null, {
    what: "the forgetting of the body",
  });
  expect((await box.call(path)).body).toMatchObject({ body: null, outcome: "accepted" });
  expect((await box.call(`${path}/replay`, { method: "POST" })).status).toBe(422);
});

test.concurrent("what is signed and no JSON is kept, refused, and refused again", async () => {
  await using box = await start();
  const id = randomUUID();
  for (const _ of [1, 2]) expect((await deliver(box, "{not json", { id })).status).toBe(400);
  expect((await deliver(box, `${"[".repeat(100)}${"]".repeat(100)}`)).status).toBe(400);
  const [, first] = await listDeliveries(box, "?outcome=unreadable");
  expect(first).toMatchObject({ deliveryId: id, duplicates: 1 });
  expect((await box.call<DeliveryWithBody>(`/webhooks/deliveries/${id}`)).body.body).toBe("{not json");
  expect((await box.call(`/webhooks/deliveries/${id}/replay`, { method: "POST" })).status).toBe(422);
});

test.concurrent("deliveries are listed newest first, filtered, by pages", async () => {
  await using box = await start();
  for (let index = 0; index < 5; index++) await deliver(box, { ...push, index });
  await deliver(box, {}, { event: "star" });
  expect(await listDeliveries(box, "?outcome=ignored")).toHaveLength(1);
  expect(await listDeliveries(box, "?source=other")).toEqual([]);
  expect(await listDeliveries(box, "?source=github&event=push")).toHaveLength(5);
  const seen: string[] = [];
  let next = "";
  do {
    const page: Reply<Items<Delivery>> = await box.call<Items<Delivery>>(`/webhooks/deliveries?limit=4${next}`);
    seen.push(...page.body.items.map(({ id }) => id));
    next = page.body.nextCursor === null ? "" : `&cursor=${page.body.nextCursor}`;
  } while (next !== "");
  expect(seen).toEqual((await listDeliveries(box)).map(({ id }) => id));
  expect((await box.call("/webhooks/deliveries?cursor=x")).status).toBe(400);
  expect((await box.call("/webhooks/deliveries?outcome=x")).status).toBe(400);
  expect((await box.call("/webhooks/deliveries", { as: "nobody" })).status).toBe(401);
});

test("a rules file that is wrong stops the start and says where", async () => {
  await using file = await rulesFile(
    "version: 1\nrules:\n  - name: x\n    source: github\n    evnt: push\n    task: { type: t }\n",
  );
  const refusal = await startOrchestrator({ env: { WEBHOOK_RULES_FILE: file.path } }).catch((error: unknown) => error);
  expect(refusal).toBeInstanceOf(ConfigError);
  expect((refusal as ConfigError).problems).toEqual([
    { key: "WEBHOOK_RULES_FILE", message: `${file.path}:5: rule "x": evnt is not a known member` },
  ]);
  await expect(startOrchestrator({ env: { WEBHOOK_RULES_FILE: `${file.path}.not` } })).rejects.toThrow(
    "cannot be read",
  );
});
