import type { Agent, TaskType } from "@signalbox/common/contracts/agent.ts";
import type { Task, TaskWithEvents } from "@signalbox/common/contracts/task.ts";
import { eventually } from "@signalbox/testing/eventually.ts";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Call, type Items, type Pair, startPair, startReceiver } from "./contract.fixture.ts";

/* The orchestrator's part of the wire, from outside, on a fleet with two of them that are called in turn. */

let pair: Pair;
let call: Pair["call"];
let make: Pair["make"];
let read: Pair["read"];
let until: Pair["until"];

beforeAll(async () => {
  pair = await startPair();
  ({ call, make, read, until } = pair);
}, 120_000);

afterAll(() => pair?.stop(), 60_000);

const later = { runAt: "2199-01-01T00:00:00Z" };

const kinds = (task: TaskWithEvents) => task.events.map(({ kind }) => kind);

test.concurrent("POST /task: 201 with the whole task, Location, ETag; Prefer: wait; unknown types and bad payloads", async () => {
  const made = await call("POST", "/task", { body: { type: "echo", payload: { hello: "world" } } });
  expect(made).toMatchObject({
    status: 201,
    body: { status: "queued", version: 1, priority: 0, maxAttempts: 3, timeoutMs: 30_000 },
  });
  expect(made.headers.get("location")).toBe(`/task/${made.body.id}`);
  expect(made.headers.get("etag")).toBe('"1"');
  const waited = await call("POST", "/tasks", { body: { type: "echo", payload: {} }, headers: { prefer: "wait=20" } });
  expect(waited).toMatchObject({ status: 201, body: { status: "completed", result: { echo: {} } } });
  expect(await call("POST", "/task", { body: { type: "no.such" } })).toMatchObject({
    status: 422,
    body: { error: { code: "unsupported_task_type" } },
  });
  expect((await call("POST", "/task", { body: { type: "echo", payload: { delayMs: "no" } } })).status).toBe(400);
  const done = await until(made.body.id, "completed");
  expect(kinds(done)).toEqual(["created", "started", "completed"]);
  expect(done.events.map(({ version }) => version)).toEqual([1, 2, 3]);
  expect(done.events.at(-1)?.data).toMatchObject({ durationMs: expect.any(Number) });
});

test.concurrent("Idempotency-Key: the same task on either orchestrator, also at the same moment; another body conflicts", async () => {
  const headers = { "idempotency-key": `contract-${Date.now()}` };
  const body = { type: "echo", payload: { once: true }, ...later };
  const replies = await Promise.all(Array.from({ length: 6 }, () => call("POST", "/task", { body, headers })));
  expect(replies.filter(({ status }) => status === 201)).toHaveLength(1);
  expect(new Set(replies.map((reply) => reply.body.id)).size).toBe(1);
  for (const reply of replies.filter(({ status }) => status === 200))
    expect(reply.headers.get("idempotent-replayed")).toBe("true");
  expect(await call("POST", "/task", { body: { ...body, priority: 1 }, headers })).toMatchObject({
    status: 409,
    body: { error: { code: "idempotency_conflict" } },
  });
});

test.concurrent("PATCH: one of twenty wins; 428, 400, 409, 422; what changes nothing leaves nothing", async () => {
  const { id } = await make(later);
  const many = await Promise.all(
    Array.from({ length: 20 }, (_, priority) =>
      call("PATCH", `/task/${id}`, { body: { ifVersion: 1, priority: priority + 1 } }),
    ),
  );
  expect(many.filter(({ status }) => status === 200)).toHaveLength(1);
  expect(many.filter(({ status }) => status === 409)).toHaveLength(19);
  expect((await call("PATCH", `/task/${id}`, { body: { priority: 3 } })).status).toBe(428);
  expect((await call("PATCH", `/task/${id}`, { body: { ifVersion: 2 }, headers: { "if-match": '"3"' } })).status).toBe(
    400,
  );
  expect(await call("PATCH", `/task/${id}`, { body: { ifVersion: 1, priority: 3 } })).toMatchObject({
    status: 409,
    body: { error: { code: "version_conflict", details: [{ currentVersion: 2 }] } },
  });
  const now = await read(id);
  expect(
    (await call("PATCH", `/task/${id}`, { body: { priority: now.priority }, headers: { "if-match": '"2"' } })).body
      .version,
  ).toBe(2);
  expect(kinds(await read(id))).toEqual(["created", "patched"]);
  expect(await call("PATCH", `/task/${id}`, { body: { ifVersion: 2, status: "running" } })).toMatchObject({
    status: 422,
    body: { error: { code: "illegal_transition" } },
  });
  expect((await call("PATCH", `/task/${id}`, { body: { attempt: 1, status: "completed" } })).status).toBe(400);
});

test.concurrent("lists: filters, keyset pages and their refusals", async () => {
  const traceId = "0123456789abcdef0123456789abcd01";
  for (let at = 0; at < 5; at++) await make({ ...later, traceId, userKey: "u-1" });
  const first = await call<Items<Task>>("GET", `/tasks?traceId=${traceId}&limit=2`);
  const second = await call<Items<Task>>("GET", `/tasks?traceId=${traceId}&limit=2&cursor=${first.body.nextCursor}`);
  const third = await call<Items<Task>>("GET", `/tasks?traceId=${traceId}&limit=2&cursor=${second.body.nextCursor}`);
  const ids = [first, second, third].flatMap((page) => page.body.items.map(({ id }) => id));
  expect(new Set(ids).size).toBe(5);
  expect(third.body.nextCursor).toBeNull();
  for (const query of ["limit=0", "limit=201", "cursor=x", "since=yesterday", "status=nope", "nonsense=1"]) {
    expect((await call("GET", `/tasks?${query}`)).status).toBe(400);
  }
  expect(
    (await call<Items<Task>>("GET", `/tasks?userKey=u-1&status=queued,running&type=echo&traceId=${traceId}`)).body
      .items,
  ).toHaveLength(5);
});

test.concurrent("cancel reaches a running task on the other orchestrator, and its children; retry goes on counting", async () => {
  const parent = await make({ payload: { delayMs: 25_000 } });
  const child = await make({ ...later, parentId: parent.id });
  await until(parent.id, "running");
  expect(await call("POST", `/task/${parent.id}/cancel`, { body: { reason: "enough" } })).toMatchObject({
    status: 200,
    body: { status: "canceled" },
  });
  expect((await read(child.id)).status).toBe("canceled");
  expect((await call("GET", `/task/${parent.id}/tree`)).body).toMatchObject({
    task: { id: parent.id },
    children: [{ task: { id: child.id } }],
  });
  const failed = await make({ payload: { failPermanently: true } });
  await until(failed.id, "failed");
  expect((await call("POST", `/task/${failed.id}/retry`)).body).toMatchObject({
    status: "queued",
    attempt: 1,
    maxAttempts: 6,
  });
  const again = await eventually(async () => ((await read(failed.id)).attempt === 2 ? read(failed.id) : null), {
    what: "the second attempt",
  });
  expect((again as Task).attempt).toBe(2);
});

test.concurrent("retries, deferral and progress of the echo agent", async () => {
  const flaky = await make({ payload: { failTimes: 2 } });
  const deferred = await make({ payload: { defer: true, progressSteps: 2, delayMs: 100 } });
  expect(kinds(await until(flaky.id, "completed")).filter((kind) => kind === "retry_scheduled")).toHaveLength(2);
  const done = await until(deferred.id, "completed");
  expect(kinds(done).filter((kind) => kind === "progress")).toHaveLength(2);
  const report = { body: { attempt: 9, message: "late" }, as: "service" } as const;
  expect(await call("POST", `/task/${done.id}/progress`, report)).toMatchObject({
    status: 409,
    body: { error: { code: "lease_lost" } },
  });
  expect((await call("POST", `/task/${done.id}/progress`, { body: report.body })).status).toBe(403);
});

test.concurrent("approvals are bound to the version; a service needs a person; nothing else lets go", async () => {
  const task = await make({ approval: { required: true, reason: "costs" } });
  expect(task).toMatchObject({ status: "waiting", waitingFor: "approval", approval: { reason: "costs" } });
  expect((await read(task.id)).why).toMatchObject({ reason: "approval" });
  const decide = (action: string, body: object, more: Call = {}) =>
    call("POST", `/task/${task.id}/${action}`, { body, ...more });
  expect((await decide("approve", {})).status).toBe(428);
  expect(await decide("approve", { ifVersion: 7 })).toMatchObject({
    status: 409,
    body: { error: { details: [{ task: { id: task.id } }] } },
  });
  expect((await decide("approve", { ifVersion: 1 }, { as: "service" })).status).toBe(403);
  expect(
    (await decide("approve", { ifVersion: 1 }, { as: "service", headers: { "x-on-behalf-of": "echo-agent" } })).status,
  ).toBe(403);
  expect((await call("PATCH", `/task/${task.id}`, { body: { ifVersion: 1, status: "queued" } })).status).toBe(422);
  expect(
    await decide("approve", { ifVersion: 1, note: "go" }, { as: "service", headers: { "x-on-behalf-of": "ada" } }),
  ).toMatchObject({ status: 200, body: { approval: { decidedBy: "ada" } } });
  await until(task.id, "completed");
  const other = await make({ approval: { required: true, expiresInSeconds: 1 } });
  expect((await until(other.id, "failed")).error).toMatchObject({ code: "approval_expired" });
  const third = await make({ approval: { required: true } });
  expect((await call("POST", `/task/${third.id}/reject`, { body: { ifVersion: 1 } })).body).toMatchObject({
    status: "canceled",
    error: { code: "rejected" },
  });
});

test.concurrent("one key, forty tasks, two orchestrators: one at a time, in creation order", async () => {
  const key = `line-${Date.now()}`;
  const ids: string[] = [];
  for (let at = 0; at < 40; at++) ids.push((await make({ concurrencyKey: key, payload: { delayMs: at % 7 } })).id);
  const ended = await Promise.all(ids.map((id) => until(id, "completed")));
  const spans = ended.map(
    ({ startedAt, finishedAt }) => [Date.parse(startedAt ?? ""), Date.parse(finishedAt ?? "")] as const,
  );
  for (const [at, [started]] of spans.entries()) expect(started).toBeGreaterThanOrEqual(spans[at - 1]?.[1] ?? 0);
});

test.concurrent("stats, agents, types and one trace of everything; unknown ones are 404", async () => {
  const task = await make({ payload: { traced: true } });
  await until(task.id, "completed");
  expect((await call("GET", "/tasks/stats?window=1h")).status).toBe(200);
  const agents = (await call<Items<Agent>>("GET", "/agents")).body.items;
  expect(agents[0]).toMatchObject({
    name: "echo-agent",
    state: "live",
    running: expect.any(Number),
    types: expect.any(Array),
  });
  expect((await call<Items<TaskType>>("GET", "/task-types")).body.items.map(({ type }) => type)).toContain("echo");
  const trace = await call("GET", `/trace/${task.traceId}`);
  expect(trace.status).toBe(200);
  expect(JSON.stringify(trace.body)).toContain(task.id);
  expect((await call("GET", "/trace/ffffffffffffffffffffffffffffffff")).status).toBe(404);
  expect((await call("GET", "/task/01a1fe48-80c8-7644-b258-7c5779874031")).status).toBe(404);
  expect((await call("GET", "/task/nonsense")).status).toBe(400);
});

test.concurrent("secrets of a payload are shown to nobody but the agent", async () => {
  await using receiver = await startReceiver({ status: 200, body: { result: 1 } });
  const payloadSchema = { type: "object", properties: { token: { type: "string", writeOnly: true } } };
  const beat = {
    name: "keeper",
    instance: "keeper-1",
    url: receiver.url,
    types: [{ type: "keep.secret", path: "/run", payloadSchema }],
  };
  expect((await call("POST", "/agents/heartbeat", { body: beat })).status).toBe(403);
  expect((await call("POST", "/agents/heartbeat", { body: beat, as: "service" })).status).toBe(200);
  const { id } = (await eventually(
    async () => {
      const made = await call("POST", "/task", { body: { type: "keep.secret", payload: { token: "canary-token-9" } } });
      return made.status === 201 ? (made.body as Task) : null;
    },
    { what: "the type to be known everywhere" },
  )) as Task;
  const done = await until(id, "completed");
  expect(JSON.stringify(done)).not.toContain("canary-token-9");
  expect(done.payload).toEqual({ token: "[redacted]" });
  expect(receiver.got.map(({ body }) => body).join()).toContain("canary-token-9");
});
