import type { Run } from "@signalbox/common/contracts/run.ts";
import type { TaskStats } from "@signalbox/common/contracts/stats.ts";
import type { Task } from "@signalbox/common/contracts/task.ts";
import type { TaskTree, TraceTree } from "@signalbox/common/contracts/trace.ts";
import { expect, test } from "vitest";
import { type Items, reply, startAgent, startOrchestrator } from "./orchestrator.fixture.ts";

const event = (more: object = {}) => ({
  schema_version: 1,
  type: "chat",
  conversation_key: "c1",
  user_key: "u1",
  text: "ping",
  ...more,
});

test.concurrent("an event becomes a run whose raw original only the agent sees", async () => {
  await using box = await startOrchestrator();
  await using agent = await startAgent((call) => ({
    result: { output: `you said ${(call.payload as { text: string }).text}` },
  }));
  await box.register(agent, [{ type: "chat" }]);
  const accepted = await box.call<Run>("/v1/events", {
    method: "POST",
    body: event({ raw: { phone: "+49 151 secret" } }),
  });
  expect(accepted).toMatchObject({ status: 202, body: { run_id: expect.any(String) } });
  const id = accepted.body.run_id;
  await box.until(id, (task) => task.status === "completed");
  expect((await box.call(`/v1/runs/${id}`)).body).toEqual({ run_id: id, status: "succeeded", output: "you said ping" });
  expect(agent.calls[0]?.payload).toMatchObject({ text: "ping", raw: { phone: "+49 151 secret" } });
  const task = await box.get(id);
  expect(task).toMatchObject({ concurrencyKey: "c1", userKey: "u1", type: "chat" });
  const shown = [task, (await box.call("/tasks")).body, (await box.call(`/trace/${task.traceId}`)).body];
  expect(JSON.stringify(shown)).not.toContain("secret");
  expect((await box.call<Items<Task>>("/tasks?q=secret")).body.items).toEqual([]);
});

test.concurrent.each([["plain words"], [[1, 2]], [null]])(
  "a payload that a person made %j reaches the agent as it is",
  async (payload) => {
    await using box = await startOrchestrator();
    await using agent = await startAgent(() => (agent.calls.length === 1 ? undefined : { result: 1 }));
    await box.register(agent, [{ type: "chat" }]);
    const send = (text: string) =>
      box.call<Run>("/v1/events", { method: "POST", body: event({ text, raw: { text } }) });
    await send("first");
    const { run_id: id } = (await send("second")).body;
    await agent.called(1);
    expect((await box.call(`/task/${id}`, { method: "PATCH", body: { ifVersion: 1, payload } })).status).toBe(200);
    const [first] = agent.calls;
    if (first) reply(first.response, 200, { result: 1 });
    await box.until(id, (task) => task.status === "completed");
    expect(agent.calls[1]?.payload).toEqual(payload);
  },
);

test.concurrent("events are told apart by version, type and key, and a person's are limited", async () => {
  await using box = await startOrchestrator({ env: { RATE_LIMIT_USER_PER_MINUTE: "3" } });
  await box.register({ url: "http://127.0.0.1:9" }, [{ type: "chat" }]);
  const send = (body: object, headers = {}, as: "person" | "service" = "service") =>
    box.call("/v1/events", { method: "POST", body, headers, as });
  expect((await send(event({ schema_version: 2 }))).status).toBe(400);
  expect((await send(event({ type: "unheard.of" }))).status).toBe(422);
  const first = await send(event(), { "idempotency-key": "k" });
  const again = await send(event(), { "idempotency-key": "k" });
  expect(again).toMatchObject({ status: 202, body: first.body, headers: { "idempotent-replayed": "true" } });
  expect((await send(event({ text: "other" }), { "idempotency-key": "k" })).status).toBe(409);
  const statuses = [];
  for (let index = 0; index < 5; index++) statuses.push((await send(event({ user_key: "busy" }), {}, "person")).status);
  expect(statuses).toEqual([202, 202, 202, 429, 429]);
  const fresh = () => send(event({ user_key: "forgetful" }), { "idempotency-key": "once" }, "person");
  for (let index = 0; index < 5; index++) expect((await fresh()).status).toBe(202);
  for (let index = 0; index < 20; index++) expect((await send(event({ user_key: "service" }))).status).toBe(202);
});

test.concurrent("all people together have a limit too, and who is over it is told when to come again", async () => {
  await using box = await startOrchestrator({ env: { RATE_LIMIT_GLOBAL_PER_MINUTE: "5" } });
  await box.register({ url: "http://127.0.0.1:9" }, [{ type: "chat" }]);
  const replies = [];
  for (let index = 0; index < 12; index++)
    replies.push(await box.call("/v1/events", { method: "POST", body: event({ user_key: `u${index}` }) }));
  const refused = replies.filter(({ status }) => status !== 202);
  expect(refused).toHaveLength(7);
  for (const { status, body, headers } of refused) {
    expect([status, body.error.code]).toEqual([429, "rate_limited"]);
    expect(Number(headers["retry-after"])).toBeGreaterThan(0);
  }
});

test.concurrent("a run reads as running until it ends, and as failed with its error", async () => {
  await using box = await startOrchestrator();
  await using agent = await startAgent((call) =>
    reply(call.response, 400, { error: { code: "no", message: "never" } }),
  );
  await box.register(agent, [{ type: "chat" }]);
  const failed = (await box.call<Run>("/v1/events", { method: "POST", body: event() })).body.run_id;
  await box.until(failed, (task) => task.status === "failed");
  expect((await box.call(`/v1/runs/${failed}`)).body).toMatchObject({
    status: "failed",
    error: { code: "no", message: "never" },
  });
  const waiting = await box.post({ type: "chat", approval: { required: true } });
  expect((await box.call(`/v1/runs/${waiting.id}`)).body).toEqual({ run_id: waiting.id, status: "running" });
});

test.concurrent("members that a schema marks writeOnly reach the agent and nobody else, also after a retry", async () => {
  await using box = await startOrchestrator({ env: { SECRETS_KEY: "a key of the tests, long enough" } });
  await using agent = await startAgent((call) =>
    call.attempt === 1 ? reply(call.response, 422, {}) : { result: "ok" },
  );
  const payloadSchema = {
    type: "object",
    properties: { env: { type: "object", additionalProperties: { type: "string", writeOnly: true } } },
  };
  await box.register(agent, [{ payloadSchema }]);
  const made = await box.post({ type: "work", payload: { env: { TOKEN: "hunter2" }, open: 1 } });
  expect(made.payload).toEqual({ env: { TOKEN: "[redacted]" }, open: 1 });
  await box.until(made.id, (task) => task.status === "failed");
  await box.call(`/task/${made.id}/retry`, { method: "POST" });
  const done = await box.until(made.id, (task) => task.status === "completed");
  expect(agent.calls.map((call) => call.payload)).toEqual(Array(2).fill({ env: { TOKEN: "hunter2" }, open: 1 }));
  const dump = await box.database.pool.query(
    "select (select jsonb_agg(t) from tasks t)::text || (select jsonb_agg(e) from task_events e)::text as text",
  );
  expect(JSON.stringify(done) + dump.rows[0].text).not.toContain("hunter2");
});

test.concurrent("a patch brings no secret in, and leaves those that are there", async () => {
  await using box = await startOrchestrator({ env: { SECRETS_KEY: "a key of the tests, long enough" } });
  await using agent = await startAgent(() => ({ result: 1 }));
  const token = { type: "string", pattern: "^hunter[0-9]$", writeOnly: true };
  const payloadSchema = { type: "object", properties: { token, more: { type: "integer" } } };
  await box.register(agent, [{ payloadSchema }]);
  const made = await box.post({ type: "work", payload: { token: "hunter2" }, approval: { required: true } });
  const patch = (payload: object) => box.call(`/task/${made.id}`, { method: "PATCH", body: { ifVersion: 1, payload } });
  expect(await patch({ token: "hunter3" })).toMatchObject({
    status: 400,
    body: { error: { details: [{ path: "/payload/token" }] } },
  });
  expect(await patch({ token: "[redacted]", more: "x" })).toMatchObject({
    status: 400,
    body: { error: { details: [{ path: "/payload/more" }] } },
  });
  expect((await patch({ token: "[redacted]", more: 1 })).status).toBe(200);
  await box.call(`/task/${made.id}/approve`, { method: "POST", body: { ifVersion: 2 } });
  await box.until(made.id, (task) => task.status === "completed");
  expect(agent.calls[0]?.payload).toEqual({ token: "hunter2", more: 1 });
});

test.concurrent("secrets without a key to keep them are refused, and nothing is stored", async () => {
  await using box = await startOrchestrator();
  await box.register({ url: "http://127.0.0.1:9" }, [
    { payloadSchema: { properties: { token: { writeOnly: true } } } },
  ]);
  expect(await box.call("/task", { method: "POST", body: { type: "work", payload: { token: "x" } } })).toMatchObject({
    status: 503,
  });
  expect((await box.call<Items<Task>>("/tasks")).body.items).toEqual([]);
});

test.concurrent("a tree that is too large to be shown says so, and where the rest is", async () => {
  await using box = await startOrchestrator();
  await box.register({ url: "http://127.0.0.1:9" }, [{}]);
  const parent = await box.post({ type: "work", runAt: "2199-01-01T00:00:00Z" });
  const addChildren = (count: number) =>
    box.database.pool.query(
      `insert into tasks (id, type, source, status, payload, trace_id, max_attempts, attempt_budget, run_at, timeout_ms, ready, parent_id)
       select gen_random_uuid(), type, source, status, payload, trace_id, 3, 3, run_at, timeout_ms, false, id
         from tasks, generate_series(1, $2) where id = $1`,
      [parent.id, count],
    );
  const tree = async () => (await box.call<TaskTree>(`/task/${parent.id}/tree`)).body;
  await addChildren(999);
  expect(await tree()).toMatchObject({ task: { id: parent.id }, children: { length: 999 } });
  expect(await tree()).not.toHaveProperty("notes");
  await addChildren(1);
  expect(await tree()).toMatchObject({
    children: { length: 999 },
    notes: [expect.stringContaining("GET /tasks?parentId=")],
  });
});

test.concurrent("tree, statistics and trace tell of a task with children", async () => {
  await using box = await startOrchestrator();
  await using agent = await startAgent((call) =>
    call.payload === "bad" ? reply(call.response, 400, {}) : { result: 1 },
  );
  await box.register(agent, [{}]);
  const parent = await box.post({ type: "work" });
  const child = await box.post({ type: "work", parentId: parent.id, traceId: parent.traceId, payload: "bad" });
  const grandchild = await box.post({ type: "work", parentId: child.id, traceId: parent.traceId });
  for (const task of [parent, child, grandchild]) await box.until(task.id, (now) => now.finishedAt !== null);

  const tree = (await box.call(`/task/${parent.id}/tree`)).body;
  expect(tree).toMatchObject({
    task: { id: parent.id },
    children: [{ task: { id: child.id }, children: [{ task: { id: grandchild.id }, children: [] }] }],
  });
  const stats = (await box.call<TaskStats>("/tasks/stats?window=15m")).body;
  expect(stats).toMatchObject({
    total: 3,
    byStatus: { completed: 2, failed: 1 },
    byType: { work: { completed: 2, failed: 1 } },
  });
  expect(stats.success.byAgent.fixture).toEqual({ completed: 2, failed: 1, successRate: 2 / 3 });
  expect(stats.runMs.p50).toEqual(expect.any(Number));
  const trace = (await box.call<TraceTree>(`/trace/${parent.traceId}`)).body;
  expect(trace.tasks).toMatchObject([
    {
      task: { id: parent.id },
      calls: [{ attempt: 1, agent: "fixture", outcome: "completed" }],
      children: [{ calls: [{ outcome: "failed" }] }],
    },
  ]);
  expect(trace.notes).toEqual([expect.stringContaining("logging service cannot be reached")]);
  expect((await box.call(`/trace/${"e".repeat(32)}`)).status).toBe(404);
  expect((await box.call<TaskStats>("/tasks/stats?window=forever")).status).toBe(400);
  expect((await box.call(`/task/${"0".repeat(8)}-0000-7000-8000-000000000000/tree`)).status).toBe(404);
});
