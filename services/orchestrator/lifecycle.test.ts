import { once } from "node:events";
import { expect, test } from "vitest";
import { internalKey, reply, startAgent, startOrchestrator } from "./orchestrator.fixture.ts";

const kindsOf = (task: { events: { kind: string }[] }) => task.events.map((event) => event.kind);
const anHourAhead = () => new Date(Date.now() + 3_600_000).toISOString();

test.concurrent("a task runs on its agent and ends with created, started, completed", async () => {
  await using box = await startOrchestrator();
  await using agent = await startAgent((call) => ({ result: { echo: call.payload } }));
  await box.register(agent, [{}]);

  const task = await box.post({ type: "work", payload: { hello: "world" }, correlationId: "order 7" });
  expect(task).toMatchObject({ status: "queued", version: 1, attempt: 0 });
  const done = await box.until(task.id, (now) => now.status === "completed");

  expect(done).toMatchObject({
    version: 3,
    attempt: 1,
    result: { echo: { hello: "world" } },
    error: null,
    agent: "fixture",
  });
  expect(done.events.map((event) => [event.kind, event.version])).toEqual([
    ["created", 1],
    ["started", 2],
    ["completed", 3],
  ]);
  expect(done.events[2]?.data.durationMs).toEqual(expect.any(Number));
  const [call] = agent.calls;
  expect(call?.headers).toMatchObject({ "x-task-id": task.id, "x-task-attempt": "1", "x-correlation-id": "order 7" });
  expect(call?.headers.traceparent).toContain(task.traceId);
  expect(call?.headers["x-internal-key"]).toBe(internalKey);
});

test.concurrent("a failing attempt is retried until it succeeds", async () => {
  await using box = await startOrchestrator();
  await using agent = await startAgent((call) => {
    if (call.attempt < 3) return reply(call.response, 503, { error: { code: "busy", message: "later" } });
    return { result: call.attempt };
  });
  await box.register(agent, [{}]);
  const task = await box.post({ type: "work" });
  const done = await box.until(task.id, (now) => now.status === "completed");
  expect(kindsOf(done)).toEqual([
    "created",
    "started",
    "retry_scheduled",
    "started",
    "retry_scheduled",
    "started",
    "completed",
  ]);
  expect(done.events.map((event) => event.version)).toEqual([1, 2, 3, 4, 5, 6, 7]);
});

test.concurrent("an agent's rejection fails the task for good, with its code, message and status", async () => {
  await using box = await startOrchestrator();
  await using agent = await startAgent((call) =>
    reply(call.response, 422, { error: { code: "no_such_order", message: "order 9 is unknown" } }),
  );
  await box.register(agent, [{}]);
  const task = await box.post({ type: "work" });
  const failed = await box.until(task.id, (now) => now.status === "failed");
  expect(failed.error).toMatchObject({
    code: "no_such_order",
    message: "order 9 is unknown",
    retryable: false,
    details: { status: 422 },
  });
  expect(kindsOf(failed)).toEqual(["created", "started", "failed"]);
});

test.concurrent.each([
  [
    "a body that is no JSON",
    (call: { response: import("node:http").ServerResponse }) => call.response.writeHead(200).end("<html>"),
    "bad_answer",
  ],
  [
    "a 200 without result",
    (call: { response: import("node:http").ServerResponse }) => reply(call.response, 200, { ok: true }),
    "bad_answer",
  ],
  [
    "two megabytes",
    (call: { response: import("node:http").ServerResponse }) =>
      reply(call.response, 200, { result: "x".repeat(2_000_000) }),
    "bad_answer",
  ],
  [
    "a cut connection",
    (call: { response: import("node:http").ServerResponse }) => call.response.destroy(),
    "agent_unreachable",
  ],
  [
    "a redirect",
    (call: { response: import("node:http").ServerResponse }) =>
      reply(call.response, 307, {}, { location: "http://127.0.0.1:1/" }),
    "agent_307",
  ],
])("an agent that answers %s uses up its attempts", async (_what, answer, code) => {
  await using box = await startOrchestrator();
  await using agent = await startAgent((call) => void answer(call));
  await box.register(agent, [{}]);
  const task = await box.post({ type: "work", maxAttempts: 1 });
  const failed = await box.until(task.id, (now) => now.status === "failed");
  expect(failed.error).toMatchObject({ code, details: { attempt: 1, maxAttempts: 1 } });
});

test.concurrent("an agent that does not answer in time is cut off", async () => {
  await using box = await startOrchestrator();
  await using agent = await startAgent(() => undefined);
  await box.register(agent, [{}]);
  const task = await box.post({ type: "work", maxAttempts: 1, timeoutMs: 100 });
  const failed = await box.until(task.id, (now) => now.status === "failed");
  expect(failed.error).toMatchObject({ code: "agent_timeout" });
  await agent.calls[0]?.closed;
});

test.concurrent("a person's patch that ends a running task aborts the agent's call, and its late answer changes nothing", async () => {
  await using box = await startOrchestrator();
  await using agent = await startAgent(() => undefined);
  await box.register(agent, [{}]);
  const task = await box.post({ type: "work" });
  const running = await box.until(task.id, () => agent.calls.length === 1);
  const patched = await box.call(`/task/${task.id}`, {
    method: "PATCH",
    body: { ifVersion: running.version, status: "completed", result: { by: "hand" }, reason: "done by phone" },
  });
  expect(patched).toMatchObject({ status: 200, body: { status: "completed", result: { by: "hand" } } });
  await agent.calls[0]?.closed;
  const done = await box.get(task.id);
  expect(kindsOf(done)).toEqual(["created", "started", "patched"]);
  expect(done.events[2]).toMatchObject({
    actor: "person:operator",
    data: {
      reason: "done by phone",
      changes: { status: { from: "running", to: "completed" }, result: { from: null, to: { by: "hand" } } },
    },
  });
});

test.concurrent("a deferred run is renewed by progress and ended by its attempt, once", async () => {
  await using box = await startOrchestrator();
  await using agent = await startAgent((call) => reply(call.response, 202, {}));
  await box.register(agent, [{}]);
  const task = await box.post({ type: "work", timeoutMs: 60_000 });
  await box.until(task.id, () => agent.calls.length === 1);
  const progress = await box.call(`/task/${task.id}/progress`, {
    method: "POST",
    as: "service",
    body: { attempt: 1, message: "half", percent: 50, agentName: "slow" },
  });
  expect(progress).toMatchObject({ status: 200, body: { version: 3, leaseUntil: expect.any(String) } });
  expect((await box.get(task.id)).progress).toMatchObject({ message: "half", percent: 50, agentName: "slow" });

  const end = { method: "PATCH", as: "service", body: { attempt: 1, status: "completed", result: 42 } } as const;
  expect(await box.call(`/task/${task.id}`, end)).toMatchObject({
    status: 200,
    body: { status: "completed", result: 42 },
  });
  expect(await box.call(`/task/${task.id}`, end)).toMatchObject({
    status: 409,
    body: { error: { code: "lease_lost" } },
  });
  const late = await box.call(`/task/${task.id}/progress`, {
    method: "POST",
    as: "service",
    body: { attempt: 1, message: "late" },
  });
  expect(late).toMatchObject({ status: 409, body: { error: { code: "lease_lost" } } });
  expect(kindsOf(await box.get(task.id))).toEqual(["created", "started", "progress", "completed", "result_discarded"]);
});

test.concurrent("a deferred run that goes silent is lost and runs again", async () => {
  await using box = await startOrchestrator();
  await using agent = await startAgent((call) => {
    if (call.attempt === 1) return reply(call.response, 202, {});
    return { result: "second" };
  });
  await box.register(agent, [{}]);
  const task = await box.post({ type: "work", timeoutMs: 2_500 });
  const done = await box.until(task.id, (now) => now.status === "completed");
  expect(kindsOf(done)).toEqual(["created", "started", "lease_expired", "retry_scheduled", "started", "completed"]);
});

test.concurrent("canceling reaches the children, the running agent and everything behind the key", async () => {
  await using box = await startOrchestrator();
  await using agent = await startAgent((call) => (call.payload === "quick" ? { result: 1 } : undefined));
  await box.register(agent, [{}]);
  const parent = await box.post({ type: "work", concurrencyKey: "k" });
  const child = await box.post({ type: "work", parentId: parent.id, runAt: anHourAhead() });
  const behind = await box.post({ type: "work", concurrencyKey: "k", payload: "quick" });
  await box.until(parent.id, () => agent.calls.length === 1);
  expect((await box.get(behind.id)).why).toEqual({ reason: "behind_key", detail: parent.id });

  const canceled = await box.call(`/task/${parent.id}/cancel`, { method: "POST", body: { reason: "changed my mind" } });
  expect(canceled).toMatchObject({
    status: 200,
    body: { status: "canceled", error: { code: "canceled", message: "changed my mind" } },
  });
  await agent.calls[0]?.closed;
  expect((await box.get(child.id)).status).toBe("canceled");
  await box.until(behind.id, (now) => now.status === "completed");
  expect(await box.call(`/task/${parent.id}/cancel`, { method: "POST" })).toMatchObject({
    status: 200,
    body: { version: canceled.body.version },
  });
  expect(await box.call(`/task/${behind.id}/cancel`, { method: "POST" })).toMatchObject({ status: 422 });
});

test.concurrent("a retry by hand goes on counting attempts and raises their limit", async () => {
  await using box = await startOrchestrator();
  await using agent = await startAgent((call) => {
    if (call.attempt === 1) return reply(call.response, 400, {});
    return { result: "second" };
  });
  await box.register(agent, [{}]);
  const task = await box.post({ type: "work", maxAttempts: 2 });
  await box.until(task.id, (now) => now.status === "failed");
  const again = await box.call(`/task/${task.id}/retry`, { method: "POST" });
  expect(again).toMatchObject({ status: 200, body: { status: "queued", attempt: 1, maxAttempts: 4, error: null } });
  expect(await box.until(task.id, (now) => now.status === "completed")).toMatchObject({ attempt: 2, result: "second" });
  expect(await box.call(`/task/${task.id}/retry`, { method: "POST", body: {} })).toMatchObject({ status: 200 });
});

test.concurrent("an approval is bound to the version that was seen, and only a person gives it", async () => {
  await using box = await startOrchestrator();
  await using agent = await startAgent(() => ({ result: "deployed" }));
  await box.register(agent, [{}]);
  const task = await box.post({ type: "work", approval: { required: true, reason: "costs money" } });
  expect(task).toMatchObject({
    status: "waiting",
    waitingFor: "approval",
    approval: { reason: "costs money", decidedBy: null },
  });
  const decide = (body: unknown, as: "person" | "service" = "person") =>
    box.call(`/task/${task.id}/approve`, { method: "POST", body, as });
  expect(await decide({})).toMatchObject({ status: 428 });
  expect(await decide({ ifVersion: 1 }, "service")).toMatchObject({ status: 403 });
  await box.call(`/task/${task.id}`, { method: "PATCH", body: { ifVersion: 1, payload: { edited: true } } });
  expect(await decide({ ifVersion: 1 })).toMatchObject({
    status: 409,
    body: { error: { details: [{ currentVersion: 2, task: { payload: { edited: true } } }] } },
  });
  expect(agent.calls).toHaveLength(0);
  expect(await decide({ ifVersion: 2 })).toMatchObject({
    status: 200,
    body: { approval: { decidedBy: "person:operator", decidedAt: expect.any(String) } },
  });
  const done = await box.until(task.id, (now) => now.status === "completed");
  expect(kindsOf(done)).toEqual(["created", "approval_requested", "patched", "approved", "started", "completed"]);
});

test.concurrent("an agent may ask for input, and its next run carries the answer", async () => {
  await using box = await startOrchestrator();
  await using agent = await startAgent((call) =>
    "input" in call ? { result: call.input } : { waiting: { for: "input", prompt: "which one?" } },
  );
  await box.register(agent, [{}]);
  const task = await box.post({ type: "work", maxAttempts: 1 });
  const waiting = await box.until(task.id, (now) => now.status === "waiting");
  expect(waiting.why).toEqual({ reason: "input", detail: "which one?" });
  const answered = await box.call(`/task/${task.id}/input`, {
    method: "POST",
    body: { ifVersion: waiting.version, input: "the blue one" },
  });
  expect(answered.status).toBe(200);
  expect((await box.until(task.id, (now) => now.status === "completed")).result).toBe("the blue one");
});

test.concurrent("Prefer: wait answers with the ended task", async () => {
  await using box = await startOrchestrator();
  await using agent = await startAgent(() => ({ result: "now" }));
  await box.register(agent, [{}]);
  const reply = await box.call("/task", { method: "POST", body: { type: "work" }, headers: { prefer: "wait=10" } });
  expect(reply).toMatchObject({ status: 201, body: { status: "completed", result: "now" } });
});

test.concurrent("a task whose time lies ahead runs when it is due, and says until then why it waits", async () => {
  await using box = await startOrchestrator();
  await using agent = await startAgent(() => ({ result: 1 }));
  await box.register(agent, [{}]);
  const runAt = new Date(Date.now() + 2_500).toISOString();
  const task = await box.post({ type: "work", runAt });
  expect((await box.get(task.id)).why).toEqual({ reason: "run_at", detail: runAt });
  const done = await box.until(task.id, (now) => now.status === "completed");
  expect(Date.parse(done.startedAt ?? "")).toBeGreaterThanOrEqual(Date.parse(runAt));
});

test.concurrent("a run whose orchestrator vanished is taken up by another after its lease", async () => {
  await using box = await startOrchestrator();
  await using agent = await startAgent(() => undefined);
  await box.register(agent, [{}]);
  const task = await box.post({ type: "work" });
  await box.until(task.id, () => agent.calls.length === 1);
  // What the table looks like when its owner was killed half a minute ago.
  await box.database.pool.query(
    "update tasks set lease_id = gen_random_uuid(), lease_owner = 'dead', lease_until = now() - interval '1 s'",
  );
  await box.until(task.id, () => agent.calls.length === 2);
  const first = agent.calls[0];
  const second = agent.calls[1];
  if (!first || !second) throw new Error("two calls were expected");
  // The superseded attempt answers late; only the second counts.
  if (!first.response.destroyed) reply(first.response, 200, { result: "first" });
  await once(first.response, "close").catch(() => undefined);
  reply(second.response, 200, { result: "second" });
  const done = await box.until(task.id, (now) => now.status === "completed");
  expect(done).toMatchObject({ result: "second", attempt: 2 });
  expect(kindsOf(done)).toEqual(expect.arrayContaining(["lease_expired", "retry_scheduled"]));
});
