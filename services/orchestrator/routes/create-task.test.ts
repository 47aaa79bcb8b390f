import { Task } from "@signalbox/common/contracts/task.ts";
import { compileCheck } from "@signalbox/common/validate.ts";
import { eventually } from "@signalbox/testing/eventually.ts";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Items, type Orchestrator, startAgent, startOrchestrator } from "../orchestrator.fixture.ts";

const unreachable = { url: "http://127.0.0.1:9" };
const anHourAhead = () => new Date(Date.now() + 3_600_000).toISOString();
const checkTask = compileCheck(Task);

let box: Orchestrator;

beforeAll(async () => {
  box = await startOrchestrator();
  await box.register(unreachable, [
    { type: "plain" },
    { type: "patient", timeoutMs: 120_000 },
    {
      type: "strict",
      payloadSchema: { type: "object", required: ["order"], properties: { order: { type: "integer" } } },
    },
    { type: "careful", approval: "required" },
  ]);
});

afterAll(() => box[Symbol.asyncDispose]());

const post = (body: unknown, headers: Record<string, string> = {}, as: "person" | "service" = "person") =>
  box.call("/task", { method: "POST", body, headers, as });

/** Runs later, so that nothing changes while a test looks. */
const later = (members: object = {}) => ({ type: "plain", runAt: anHourAhead(), ...members });

const countTasks = async () => Number((await box.database.pool.query("select count(*) from tasks")).rows[0].count);

test("a type alone makes a task with every default, in the shape of the contract", async () => {
  const reply = await post({ type: "plain" });
  expect(reply.status).toBe(201);
  expect(checkTask(reply.body)).toBeNull();
  expect(reply.body).toMatchObject({
    source: "api",
    status: "queued",
    version: 1,
    payload: {},
    result: null,
    error: null,
    correlationId: null,
    priority: 0,
    attempt: 0,
    maxAttempts: 3,
    timeoutMs: 30_000,
    concurrencyKey: null,
    parentId: null,
    agent: null,
    userKey: null,
    waitingFor: null,
    approval: null,
    progress: null,
    startedAt: null,
    finishedAt: null,
  });
  expect(reply.headers).toMatchObject({ location: `/task/${reply.body.id}`, etag: '"1"' });
  expect((await box.get(reply.body.id)).events[0]).toMatchObject({
    kind: "created",
    version: 1,
    actor: "person:operator",
  });
});

test("every member that is given is what the task has", async () => {
  const parent = await box.post(later());
  const given = {
    type: "plain",
    payload: { deep: [1, "zwei", null, { ключ: "значение", emoji: "🚦" }] },
    source: "cron",
    correlationId: "order 7 / ü",
    traceId: "0af7651916cd43dd8448eb211c80319c",
    priority: -100,
    runAt: "2199-01-31T08:00:00.123Z",
    maxAttempts: 25,
    timeoutMs: 86_400_000,
    concurrencyKey: "key with spaces / % _ '",
    userKey: "user-1",
    parentId: parent.id,
  };
  const reply = await post(given, { "x-correlation-id": "from the header" });
  expect(reply).toMatchObject({ status: 201, body: given });
  expect(await box.get(reply.body.id)).toMatchObject(given);
});

test.each([[null], [0], [false], ["text"], [[]], [[1, [2]]], [{ "": 1 }], [1e308], [-1e-300], ["\u2028\u007f"]])(
  "any JSON is a payload: %j",
  async (payload) => {
    expect((await box.get((await box.post(later({ payload }))).id)).payload).toEqual(payload);
  },
);

test("a type's own time-out is the default of its tasks, and the body's counts before it", async () => {
  expect(await box.post(later({ type: "patient" }))).toMatchObject({ timeoutMs: 120_000 });
  expect(await box.post(later({ type: "patient", timeoutMs: 1 }))).toMatchObject({ timeoutMs: 1 });
});

test("the trace is continued from traceparent, and the body's trace and correlation count before the headers'", async () => {
  const traceId = "4bf92f3577b34da6a3ce929d0e0e4736";
  const headers = { traceparent: `00-${traceId}-00f067aa0ba902b7-01`, "x-correlation-id": "from the header" };
  expect(await box.post(later(), headers)).toMatchObject({ traceId, correlationId: "from the header" });
  const own = { traceId: "1".repeat(32), correlationId: "from the body" };
  expect(await box.post(later(own), headers)).toMatchObject(own);
  expect(await box.post(later({ correlationId: "" }), headers)).toMatchObject({ correlationId: "" });
  const broken = await box.post(later(), { traceparent: "00-rubbish" });
  expect(broken.traceId).toMatch(/^(?!0{32})[0-9a-f]{32}$/);
});

test("a service's task says so, and a service may post to a type that asks people first", async () => {
  expect((await post(later(), {}, "service")).body).toMatchObject({ source: "internal" });
  const asked = await post({ type: "careful" }, {}, "service");
  expect(asked.body).toMatchObject({
    status: "waiting",
    waitingFor: "approval",
    approval: { requestedBy: "service:internal" },
  });
  const told = await post({ type: "careful", approval: { required: false } }, {}, "service");
  expect(told.body).toMatchObject({ status: "waiting" });
  expect((await post(later({ type: "careful" }))).body).toMatchObject({ status: "queued", approval: null });
});

test("an approval that is demanded says why and until when; the created event comes first", async () => {
  const task = await box.post({
    type: "plain",
    approval: { required: true, reason: "costs money", expiresInSeconds: 60 },
  });
  const expiresAt = Date.parse(task.approval?.expiresAt ?? "");
  expect(Math.abs(expiresAt - Date.parse(task.createdAt) - 60_000)).toBeLessThanOrEqual(1);
  const { events, why } = await box.get(task.id);
  expect(events.map(({ kind, version }) => [kind, version])).toEqual([
    ["created", 1],
    ["approval_requested", 1],
  ]);
  expect(events[1]?.data).toEqual({ reason: "costs money", expiresAt: task.approval?.expiresAt });
  expect(why).toEqual({ reason: "approval", detail: "costs money" });
});

test("a type that no agent ever registered is refused, and nothing is stored", async () => {
  const before = await countTasks();
  const reply = await post({ type: "nobody.knows" }, { "idempotency-key": "unknown type" });
  expect(reply).toMatchObject({
    status: 422,
    body: { error: { code: "unsupported_task_type", message: expect.stringContaining("nobody.knows") } },
  });
  expect(await countTasks()).toBe(before);
  const { rows } = await box.database.pool.query("select 1 from idempotency_keys where key = 'unknown type'");
  expect(rows).toEqual([]);
});

test.each([
  [{}, "/payload/order"],
  [{ order: "seven" }, "/payload/order"],
  [[], "/payload"],
  [null, "/payload"],
])("a payload that its schema refuses (%j) is 400 at its place", async (payload, path) => {
  const reply = await post({ type: "strict", payload });
  expect(reply).toMatchObject({ status: 400, body: { error: { code: "invalid_request", details: [{ path }] } } });
});

test("a payload that is left out is {} and is judged as that", async () => {
  expect((await post({ type: "strict" })).body.error.details[0]?.path).toBe("/payload/order");
  expect((await post(later({ type: "strict", payload: { order: 7 } }))).status).toBe(201);
});

test("a parent that does not exist is 400, and nothing is stored", async () => {
  const before = await countTasks();
  const reply = await post(later({ parentId: "01890000-0000-7000-8000-000000000000" }), {
    "idempotency-key": "orphan",
  });
  expect(reply).toMatchObject({ status: 400, body: { error: { details: [{ path: "/parentId" }] } } });
  expect(await countTasks()).toBe(before);
  expect((await post(later(), { "idempotency-key": "orphan" })).status).toBe(201);
});

test("the same key and body give the first task again, whatever the order of members", async () => {
  const body = later({ payload: { a: 1, b: { c: 2, d: 3 } }, priority: 1 });
  const first = await post(body, { "idempotency-key": "same" });
  expect(first.status).toBe(201);
  expect(first.headers["idempotent-replayed"]).toBeUndefined();
  const reordered = { priority: 1, payload: { b: { d: 3, c: 2 }, a: 1 }, runAt: body.runAt, type: "plain" };
  const again = await post(reordered, { "idempotency-key": "same" });
  expect(again).toMatchObject({
    status: 200,
    body: first.body,
    headers: { "idempotent-replayed": "true", etag: '"1"' },
  });
  expect(again.headers.location).toBe(`/task/${first.body.id}`);
});

test("the same key with another body is a conflict that names the first task", async () => {
  const first = await post(later(), { "idempotency-key": "other" });
  const before = await countTasks();
  const other = await post(later({ priority: 1 }), { "idempotency-key": "other" });
  expect(other).toMatchObject({
    status: 409,
    body: { error: { code: "idempotency_conflict", details: [{ taskId: first.body.id }] } },
  });
  expect(await countTasks()).toBe(before);
});

test("twenty posts of one key at once make one task", async () => {
  const body = later({ concurrencyKey: "twenty" });
  const replies = await Promise.all(Array.from({ length: 20 }, () => post(body, { "idempotency-key": "twenty" })));
  expect(new Set(replies.map(({ body: task }) => task.id)).size).toBe(1);
  expect(replies.filter(({ status }) => status === 201)).toHaveLength(1);
  expect(replies.filter(({ status }) => status === 200)).toHaveLength(19);
  const { rows } = await box.database.pool.query("select version from tasks where concurrency_key = 'twenty'");
  expect(rows).toEqual([{ version: 1 }]);
});

test.each(["", " ", "x".repeat(256)])("an Idempotency-Key of %j is 400", async (key) => {
  expect((await post(later(), { "idempotency-key": key })).status).toBe(400);
});

test("a key of 255 characters is taken as it is", async () => {
  expect((await post(later(), { "idempotency-key": "ä".repeat(127) })).status).toBe(201);
  expect((await post(later(), { "idempotency-key": "x".repeat(255) })).status).toBe(201);
});

test("Prefer: wait answers after its time with the task as it is then", async () => {
  const reply = await post(later(), { prefer: "wait=1" });
  expect(reply).toMatchObject({ status: 201, body: { status: "queued", version: 1 } });
});

test.concurrent("Prefer: wait shows a failure, and a task that was canceled meanwhile", async () => {
  await using own = await startOrchestrator();
  await using agent = await startAgent((call) => {
    if (call.payload === "hang") return undefined;
    call.response.writeHead(400).end();
    return undefined;
  });
  await own.register(agent, [{}]);
  const call = { method: "POST", headers: { prefer: "wait=20" } };
  expect((await own.call("/task", { ...call, body: { type: "work" } })).body).toMatchObject({
    status: "failed",
    version: 3,
  });
  const hanging = own.call("/task", { ...call, body: { type: "work", payload: "hang", correlationId: "hang" } });
  await agent.called(2);
  const id = agent.calls[1]?.taskId;
  await own.call(`/task/${id}/cancel`, { method: "POST" });
  expect((await hanging).body).toMatchObject({ id, status: "canceled", version: 3 });
});

test.concurrent("who lost the answer and asks again with the same key waits again", async () => {
  await using own = await startOrchestrator();
  await using agent = await startAgent(() => undefined);
  await own.register(agent, [{}]);
  const call = { method: "POST", body: { type: "work" }, headers: { "idempotency-key": "once" } };
  const { id } = (await own.call("/task", call)).body;
  await agent.called(1);
  const waiting = { ...call, headers: { ...call.headers, prefer: "wait=60" } };
  const again = own.call("/task", waiting);
  // Time in which one that did not wait would long have been answered.
  for (let at = 0; at < 20; at++) await own.get(id);
  agent.calls[0]?.response.writeHead(200, { "content-type": "application/json" }).end('{"result":1}');
  const ended = { status: 200, headers: { "idempotent-replayed": "true" }, body: { id, status: "completed" } };
  expect(await again).toMatchObject(ended);
  expect(await own.call("/task", waiting)).toMatchObject(ended);
});

test.concurrent("whoever waits while the orchestrator stops is answered with the task as it is", async () => {
  await using own = await startOrchestrator();
  await own.register(unreachable, [{ type: "plain" }]);
  const waiting = own.call("/task", { method: "POST", body: later(), headers: { prefer: "wait=60" } });
  await eventually(async () => (await own.call<Items<Task>>("/tasks")).body.items.length === 1, { what: "the task" });
  await own.stop();
  expect(await waiting).toMatchObject({ status: 201, body: { status: "queued" } });
});

test.concurrent("a task that is stored is answered with 201, though it cannot be read after the wait", async () => {
  await using own = await startOrchestrator();
  await own.register(unreachable, [{ type: "plain" }]);
  const waiting = own.call("/task", { method: "POST", body: later(), headers: { prefer: "wait=1" } });
  await eventually(async () => (await own.call<Items<Task>>("/tasks")).body.items.length === 1, { what: "the task" });
  await own.database.pool.query("alter table tasks rename to away");
  expect(await waiting).toMatchObject({ status: 201, body: { status: "queued", version: 1 } });
  await own.database.pool.query("alter table away rename to tasks");
});

test("the alias makes tasks too", async () => {
  const reply = await box.call("/tasks", { method: "POST", body: later() });
  expect(reply).toMatchObject({ status: 201, headers: { location: `/task/${reply.body.id}` } });
});
