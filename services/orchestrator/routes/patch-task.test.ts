import type { Task } from "@signalbox/common/contracts/task.ts";
import { expect, test } from "vitest";
import { reply as answer, type Orchestrator, startAgent, startOrchestrator } from "../orchestrator.fixture.ts";

const anHourAhead = () => new Date(Date.now() + 3_600_000).toISOString();

async function startWithTask(members: object = {}): Promise<{ box: Orchestrator; task: Task } & AsyncDisposable> {
  const box = await startOrchestrator();
  await box.register({ url: "http://127.0.0.1:9" }, [{}]);
  const task = await box.post({ type: "work", runAt: anHourAhead(), ...members });
  return { box, task, [Symbol.asyncDispose]: () => box[Symbol.asyncDispose]() };
}

function patch(box: Orchestrator, id: string, body: unknown, headers: Record<string, string> = {}) {
  return box.call(`/task/${id}`, { method: "PATCH", body, headers });
}

test.concurrent("the version that was seen comes in the body or in If-Match; both must agree, and one must come", async () => {
  await using held = await startWithTask();
  const { box, task } = held;
  expect(await patch(box, task.id, { priority: 1 })).toMatchObject({
    status: 428,
    body: { error: { code: "precondition_required" } },
  });
  expect(await patch(box, task.id, { ifVersion: 1, priority: 1 }, { "if-match": '"2"' })).toMatchObject({
    status: 400,
    body: { error: { code: "invalid_request" } },
  });
  expect(await patch(box, task.id, { priority: 1 }, { "if-match": '"1"' })).toMatchObject({
    status: 200,
    body: { version: 2 },
    headers: { etag: '"2"' },
  });
  expect(await patch(box, task.id, { ifVersion: 2, priority: 2 }, { "if-match": '"2"' })).toMatchObject({
    status: 200,
    body: { version: 3 },
  });
  for (const header of ["3", "*", 'W/"3"', '"3", "4"', '""', '"x"', '"-3"'])
    expect([header, (await patch(box, task.id, { priority: 3 }, { "if-match": header })).status]).toEqual([
      header,
      400,
    ]);
  for (const ifVersion of [0, -1, 1.5, "3", null])
    expect((await patch(box, task.id, { ifVersion, priority: 3 })).status).toBe(400);
  expect(await box.get(task.id)).toMatchObject({ version: 3, priority: 2 });
});

test.concurrent("a stale version changes nothing and is told the current one", async () => {
  await using held = await startWithTask();
  const { box, task } = held;
  await patch(box, task.id, { ifVersion: 1, priority: 1 });
  for (const ifVersion of [1, 3]) {
    const reply = await patch(box, task.id, { ifVersion, priority: 9 });
    expect(reply).toMatchObject({
      status: 409,
      body: { error: { code: "version_conflict", details: [{ currentVersion: 2 }] } },
    });
  }
  const now = await box.get(task.id);
  expect(now).toMatchObject({ version: 2, priority: 1 });
  expect(now.events).toHaveLength(2);
});

test.concurrent("of twenty patches at once with one version one wins", async () => {
  await using held = await startWithTask({ concurrencyKey: "k" });
  const { box, task } = held;
  const replies = await Promise.all(
    Array.from({ length: 20 }, (_, at) => patch(box, task.id, { ifVersion: 1, priority: at + 1 })),
  );
  expect(replies.map((reply) => reply.status).sort()).toEqual([200, ...Array(19).fill(409)]);
  const winner = replies.find((reply) => reply.status === 200)?.body;
  const now = await box.get(task.id);
  expect(now).toMatchObject({ version: 2, priority: winner?.priority });
  expect(now.events.map((event) => event.kind)).toEqual(["created", "patched"]);
});

test.concurrent("one patched event tells every change, who made it, and why", async () => {
  await using held = await startWithTask();
  const { box, task } = held;
  const body = {
    ifVersion: 1,
    payload: { a: 1 },
    result: [1],
    correlationId: "mine",
    priority: 5,
    runAt: "2199-01-31T08:00:00Z",
    reason: "by phone",
  };
  expect((await patch(box, task.id, body)).status).toBe(200);
  const { events, ...now } = await box.get(task.id);
  expect(now).toMatchObject({
    payload: { a: 1 },
    result: [1],
    correlationId: "mine",
    priority: 5,
    runAt: "2199-01-31T08:00:00.000Z",
    version: 2,
  });
  expect(events[1]).toMatchObject({
    kind: "patched",
    actor: "person:operator",
    version: 2,
    data: {
      reason: "by phone",
      changes: {
        payload: { from: {}, to: { a: 1 } },
        result: { from: null, to: [1] },
        correlationId: { from: null, to: "mine" },
        priority: { from: 0, to: 5 },
        runAt: { from: task.runAt, to: "2199-01-31T08:00:00.000Z" },
      },
    },
  });
});

test.concurrent("a patch that changes nothing is 200 with no new version and no event", async () => {
  await using held = await startWithTask({ payload: { a: 1, b: [2] } });
  const { box, task } = held;
  for (const same of [
    {},
    { reason: "why" },
    { status: "queued" },
    { payload: { b: [2], a: 1 }, priority: 0, runAt: task.runAt, error: null },
  ]) {
    expect(await patch(box, task.id, { ifVersion: 1, ...same })).toMatchObject({
      status: 200,
      body: { version: 1, updatedAt: task.updatedAt },
    });
  }
  expect((await box.get(task.id)).events).toHaveLength(1);
});

test.concurrent("the schema of its type holds for a patched payload too", async () => {
  await using box = await startOrchestrator();
  await box.register({ url: "http://127.0.0.1:9" }, [{ payloadSchema: { type: "object", required: ["n"] } }]);
  const task = await box.post({ type: "work", runAt: anHourAhead(), payload: { n: 1 } });
  for (const payload of [{ m: 1 }, null, []])
    expect(await patch(box, task.id, { ifVersion: 1, payload })).toMatchObject({
      status: 400,
      body: { error: { code: "invalid_request" } },
    });
  expect(await patch(box, task.id, { ifVersion: 1, payload: { n: 2 } })).toMatchObject({ status: 200 });
});

test.concurrent("what is not allowed is 422 and changes nothing", async () => {
  await using held = await startWithTask();
  const { box, task } = held;
  const refused = { status: 422, body: { error: { code: "illegal_transition" } } };
  expect(await patch(box, task.id, { ifVersion: 1, status: "running" })).toMatchObject(refused);
  expect(await patch(box, task.id, { ifVersion: 1, waitingFor: "input" })).toMatchObject(refused);
  expect((await patch(box, task.id, { ifVersion: 1, status: "completed", result: 1 })).status).toBe(200);
  for (const status of ["running", "waiting", "failed", "canceled"])
    expect(await patch(box, task.id, { ifVersion: 2, status })).toMatchObject(refused);
  expect(await box.get(task.id)).toMatchObject({ version: 2, status: "completed", result: 1 });
});

test.concurrent("a task that is patched to canceled takes along what is below it, as by the cancel action", async () => {
  await using held = await startWithTask();
  const { box, task } = held;
  const later = { type: "work", runAt: anHourAhead() };
  const child = await box.post({ ...later, parentId: task.id });
  const grandchild = await box.post({ ...later, parentId: child.id });
  const canceling = { ifVersion: 1, status: "canceled", reason: "changed my mind" };
  expect(await patch(box, task.id, canceling)).toMatchObject({
    status: 200,
    body: { status: "canceled", version: 2, error: { code: "canceled", message: "changed my mind" } },
  });
  for (const { id } of [child, grandchild])
    expect(await box.get(id)).toMatchObject({ status: "canceled", version: 2, error: { message: "changed my mind" } });
  const late = await box.post({ ...later, parentId: task.id });
  expect(await patch(box, task.id, { ifVersion: 2, status: "canceled" })).toMatchObject({ body: { version: 2 } });
  expect(await box.get(late.id)).toMatchObject({ status: "canceled", version: 2 });
});

const badPatches: [object, string][] = [
  [{ nonsense: 1 }, "/nonsense"],
  [{ status: "done" }, "/status"],
  [{ status: null }, "/status"],
  [{ waitingFor: "godot" }, "/waitingFor"],
  [{ error: "text" }, "/error"],
  [{ error: { code: "", message: "" } }, "/error/code"],
  [{ error: { code: "x" } }, "/error/message"],
  [{ priority: 101 }, "/priority"],
  [{ priority: null }, "/priority"],
  [{ correlationId: "x".repeat(201) }, "/correlationId"],
  [{ reason: "x".repeat(2_001) }, "/reason"],
  [{ maxAttempts: 9 }, "/maxAttempts"],
  [{ type: "other" }, "/type"],
];

test.concurrent("members that cannot be patched, or not so, are 400 and say where", async () => {
  await using held = await startWithTask();
  const { box, task } = held;
  for (const [members, path] of badPatches) {
    const reply = await patch(box, task.id, { ifVersion: 1, ...members });
    expect([members, reply.status, reply.body.error?.details?.[0]?.path]).toEqual([members, 400, path]);
  }
  expect((await box.get(task.id)).version).toBe(1);
});

test.concurrent("an attempt is an agent's word: 400 from a person, and not beside a version", async () => {
  await using held = await startWithTask();
  const { box, task } = held;
  const body = { attempt: 1, status: "completed" };
  expect((await patch(box, task.id, body)).status).toBe(400);
  expect((await patch(box, task.id, { ...body, ifVersion: 1 })).status).toBe(400);
  const asService = (members: object, headers = {}) =>
    box.call(`/task/${task.id}`, { method: "PATCH", as: "service", body: { ...body, ...members }, headers });
  expect((await asService({ ifVersion: 1 })).status).toBe(400);
  expect((await asService({}, { "if-match": '"1"' })).status).toBe(400);
  expect((await asService({ attempt: 0 })).status).toBe(400);
  expect((await box.get(task.id)).events).toHaveLength(1);
});

test.concurrent("an attempt that does not run is 409 lease_lost, once in the ledger, and changes nothing", async () => {
  await using box = await startOrchestrator();
  await using agent = await startAgent((call) => answer(call.response, 202, {}));
  await box.register(agent, [{}]);
  const task = await box.post({ type: "work", timeoutMs: 60_000 });
  await agent.called(1);
  const end = (attempt: number, result: number) =>
    box.call(`/task/${task.id}`, { method: "PATCH", as: "service", body: { attempt, status: "completed", result } });
  expect(await end(2, 2)).toMatchObject({ status: 409, body: { error: { code: "lease_lost" } } });
  expect(await end(1, 1)).toMatchObject({ status: 200, body: { status: "completed", result: 1 } });
  expect(await end(1, 3)).toMatchObject({ status: 409, body: { error: { code: "lease_lost" } } });
  const done = await box.get(task.id);
  expect(done).toMatchObject({ result: 1, version: 3 });
  expect(done.events.map((event) => [event.kind, event.version, event.actor])).toEqual([
    ["created", 1, "person:operator"],
    ["started", 2, "service:orchestrator"],
    ["result_discarded", 2, "agent:fixture"],
    ["completed", 3, "agent:fixture"],
    ["result_discarded", 3, "agent:fixture"],
  ]);
  expect(done.events[4]?.data).toMatchObject({ attempt: 1, outcome: "completed" });
});

test.concurrent("a later time takes a queued task out of the queue, and an earlier one puts it back", async () => {
  await using box = await startOrchestrator();
  await using agent = await startAgent(() => ({ result: 1 }));
  await box.register(agent, [{}]);
  for (const concurrencyKey of [undefined, "k"]) {
    const task = await box.post({ type: "work", runAt: anHourAhead(), ...(concurrencyKey && { concurrencyKey }) });
    const now = new Date().toISOString();
    expect(await patch(box, task.id, { ifVersion: 1, runAt: now })).toMatchObject({
      status: 200,
      body: { runAt: now },
    });
    expect(await box.until(task.id, (seen) => seen.status === "completed")).toMatchObject({ attempt: 1 });
  }
});

test.concurrent("an orchestrator stops a run that a person ended on another one", async () => {
  await using box = await startOrchestrator();
  await using other = await startOrchestrator({ database: box.database });
  await using agent = await startAgent(() => undefined);
  await box.register(agent, [{ maxConcurrency: 1 }]);
  const task = await box.post({ type: "work" });
  await agent.called(1);
  const { version } = await box.get(task.id);
  const ends = [
    patch(box, task.id, { ifVersion: version, status: "failed" }),
    patch(other, task.id, { ifVersion: version, status: "failed" }),
  ];
  expect((await Promise.all(ends)).map((reply) => reply.status).sort()).toEqual([200, 409]);
  await agent.calls[0]?.closed;
  expect((await box.get(task.id)).events.map((event) => event.kind)).toEqual(["created", "started", "patched"]);
});
