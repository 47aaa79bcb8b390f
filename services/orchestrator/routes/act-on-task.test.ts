import { expect, test } from "vitest";
import { reply as answer, type Orchestrator, startAgent, startOrchestrator } from "../orchestrator.fixture.ts";

const anHourAhead = () => new Date(Date.now() + 3_600_000).toISOString();

async function startStill(): Promise<Orchestrator> {
  const box = await startOrchestrator();
  await box.register({ url: "http://127.0.0.1:9" }, [{}]);
  await box.register({ url: "http://127.0.0.1:9" }, [{ type: "nobody" }]);
  return box;
}

function act(box: Orchestrator, id: string, action: string, body?: unknown) {
  return box.call(`/task/${id}/${action}`, { method: "POST", ...(body !== undefined && { body }) });
}

const waiting = (members: object = {}) => ({ type: "work", approval: { required: true, ...members } });

test.concurrent("cancel ends what has not ended, with its reason and its children, and gives the key on", async () => {
  await using box = await startStill();
  const parent = await box.post({ type: "work", concurrencyKey: "k" });
  const behind = await box.post({ type: "work", concurrencyKey: "k" });
  const child = await box.post({ ...waiting(), parentId: parent.id });
  const grandchild = await box.post({ type: "work", parentId: child.id, runAt: anHourAhead() });
  const reply = await act(box, parent.id, "cancel", { reason: "changed my mind" });
  expect(reply).toMatchObject({
    status: 200,
    headers: { etag: '"2"' },
    body: {
      status: "canceled",
      version: 2,
      error: { code: "canceled", message: "changed my mind" },
      finishedAt: expect.any(String),
    },
  });
  for (const { id } of [child, grandchild]) {
    const now = await box.get(id);
    expect(now).toMatchObject({ status: "canceled", version: 2, waitingFor: null });
    expect(now.events.at(-1)).toMatchObject({
      kind: "canceled",
      actor: "person:operator",
      data: { with: parent.id, reason: "changed my mind" },
    });
  }
  expect((await box.get(behind.id)).why?.reason).toBe("no_agent");
});

test.concurrent("cancel without a reason says who; canceling again is fine and changes nothing", async () => {
  await using box = await startStill();
  const task = await box.post({ type: "work" });
  expect((await act(box, task.id, "cancel")).body.error).toEqual({
    code: "canceled",
    message: "canceled by person:operator",
  });
  expect(await act(box, task.id, "cancel", {})).toMatchObject({ status: 200, body: { version: 2 } });
  expect((await box.get(task.id)).events).toHaveLength(2);
});

test.concurrent.each(["completed", "failed"])(
  "a task that has %s is not canceled, nor what it left behind",
  async (status) => {
    await using box = await startStill();
    const parent = await box.post({ type: "work" });
    const child = await box.post({ type: "work", parentId: parent.id });
    await box.call(`/task/${parent.id}`, { method: "PATCH", body: { ifVersion: 1, status } });
    expect(await act(box, parent.id, "cancel")).toMatchObject({
      status: 422,
      body: { error: { code: "illegal_transition" } },
    });
    expect(await box.get(child.id)).toMatchObject({ status: "queued", version: 1 });
  },
);

test.concurrent("only an ended task is retried", async () => {
  await using box = await startStill();
  const task = await box.post({ type: "work", maxAttempts: 2 });
  expect(await act(box, task.id, "retry")).toMatchObject({ status: 422 });
  for (const [at, status] of ["completed", "failed", "canceled"].entries()) {
    const { version } = await box.get(task.id);
    await box.call(`/task/${task.id}`, { method: "PATCH", body: { ifVersion: version, status } });
    const again = await act(box, task.id, "retry", { reason: "once more" });
    expect(again).toMatchObject({
      status: 200,
      body: {
        status: "queued",
        version: version + 2,
        maxAttempts: 2 * (at + 2),
        error: null,
        result: null,
        finishedAt: null,
      },
    });
  }
  const last = (await box.get(task.id)).events.at(-1);
  expect(last).toMatchObject({
    kind: "patched",
    data: { reason: "once more", changes: { status: { from: "canceled", to: "queued" } } },
  });
});

test.concurrent("a retried task goes back into its line, in its place by creation", async () => {
  await using box = await startStill();
  const [first, second, third] = [
    await box.post({ type: "work", concurrencyKey: "k" }),
    await box.post({ type: "work", concurrencyKey: "k" }),
    await box.post({ type: "work", concurrencyKey: "k" }),
  ];
  await act(box, second.id, "cancel");
  await act(box, second.id, "retry");
  expect((await box.get(second.id)).why).toEqual({ reason: "behind_key", detail: first.id });
  expect((await box.get(third.id)).why).toEqual({ reason: "behind_key", detail: second.id });
});

test.concurrent("approve and reject demand the version that was seen", async () => {
  await using box = await startStill();
  for (const action of ["approve", "reject"]) {
    const task = await box.post(waiting());
    expect(await act(box, task.id, action)).toMatchObject({ status: 428 });
    expect(await act(box, task.id, action, { ifVersion: 2 })).toMatchObject({
      status: 409,
      body: {
        error: { code: "version_conflict", details: [{ currentVersion: 1, task: { id: task.id, version: 1 } }] },
      },
    });
    const byHeader = (version: number, body: object) =>
      box.call(`/task/${task.id}/${action}`, { method: "POST", body, headers: { "if-match": `"${version}"` } });
    expect(await byHeader(2, { ifVersion: 1 })).toMatchObject({ status: 400 });
    expect(await byHeader(1, {})).toMatchObject({ status: 200 });
    expect(await act(box, task.id, action, { ifVersion: 2 })).toMatchObject({ status: 422 });
  }
});

test.concurrent("of ten approvals and ten rejections at once exactly one counts", async () => {
  await using box = await startStill();
  const task = await box.post({ ...waiting(), concurrencyKey: "k" });
  // On a machine that is busy enough a decision waits too long for its turn, and is told to come again.
  const decide = async (action: string): Promise<number> => {
    const { status } = await act(box, task.id, action, { ifVersion: 1 });
    return status === 503 ? decide(action) : status;
  };
  const statuses = await Promise.all(Array.from({ length: 20 }, (_, at) => decide(at % 2 ? "approve" : "reject")));
  expect(statuses.sort()).toEqual([200, ...Array(19).fill(409)]);
  expect((await box.get(task.id)).events).toHaveLength(3);
});

test.concurrent("a rejected task stays rejected: neither a patch nor a retry lets it run without an approval", async () => {
  await using box = await startStill();
  const task = await box.post(waiting());
  expect(await act(box, task.id, "reject", { ifVersion: 1, note: "too dear" })).toMatchObject({
    body: {
      status: "canceled",
      error: { code: "rejected", message: "too dear" },
      approval: { decidedBy: "person:operator" },
    },
  });
  const byService = {
    method: "PATCH",
    as: "service",
    body: { ifVersion: 2, error: { code: "other", message: "" } },
  } as const;
  expect((await box.call(`/task/${task.id}`, byService)).status).toBe(200);
  expect(await act(box, task.id, "retry")).toMatchObject({
    status: 200,
    body: { status: "waiting", waitingFor: "approval", approval: { decidedBy: null, decidedAt: null } },
  });
  await act(box, task.id, "cancel");
  const patched = { method: "PATCH", as: "service", body: { ifVersion: 5, status: "queued" } } as const;
  expect((await box.call(`/task/${task.id}`, patched)).body).toMatchObject({
    status: "waiting",
    waitingFor: "approval",
  });
});

test.concurrent("an approval once given lasts over a retry", async () => {
  await using box = await startOrchestrator();
  await using agent = await startAgent((call) =>
    answer(call.response, 400, { error: { code: "rejected", message: "" } }),
  );
  await box.register(agent, [{}]);
  const task = await box.post(waiting());
  await act(box, task.id, "approve", { ifVersion: 1 });
  await box.until(task.id, (now) => now.status === "failed");
  expect((await act(box, task.id, "retry")).body.status).toBe("queued");
  await agent.called(2);
});

test.concurrent("an approval that was given expires no more, whatever its task waits for later", async () => {
  await using box = await startOrchestrator();
  await using agent = await startAgent(() => undefined);
  await box.register(agent, [{}]);
  const task = await box.post(waiting({ expiresInSeconds: 1 }));
  await act(box, task.id, "approve", { ifVersion: 1 });
  await agent.called(1);
  const body = { ifVersion: 3, status: "waiting", waitingFor: "input" };
  expect(await box.call(`/task/${task.id}`, { method: "PATCH", body })).toMatchObject({ status: 200 });
  const other = await box.post(waiting({ expiresInSeconds: 1 }));
  await box.until(other.id, (now) => now.status === "failed");
  expect(await box.get(task.id)).toMatchObject({ status: "waiting", waitingFor: "input", error: null });
});

test.concurrent("silence fails a task when its approval expires, and it is never run", async () => {
  await using box = await startOrchestrator();
  await using agent = await startAgent(() => ({ result: 1 }));
  await box.register(agent, [{}]);
  const task = await box.post(waiting({ expiresInSeconds: 1 }));
  const failed = await box.until(task.id, (now) => now.status === "failed");
  expect(failed).toMatchObject({ error: { code: "approval_expired" }, attempt: 0, startedAt: null });
  expect(failed.events.at(-1)).toMatchObject({ kind: "failed", actor: "service:orchestrator" });
  expect(await act(box, task.id, "approve", { ifVersion: failed.version })).toMatchObject({ status: 422 });
  expect(agent.calls).toHaveLength(0);
});

test.concurrent("an approved task whose time lies ahead waits for it, without holding its key", async () => {
  await using box = await startStill();
  const task = await box.post({ ...waiting(), concurrencyKey: "k", runAt: anHourAhead() });
  const behind = await box.post({ type: "work", concurrencyKey: "k" });
  expect((await box.get(behind.id)).why?.reason).toBe("behind_key");
  await act(box, task.id, "approve", { ifVersion: 1 });
  expect((await box.get(task.id)).why?.reason).toBe("run_at");
  expect((await box.get(behind.id)).why?.reason).toBe("no_agent");
});

test.concurrent("an answer needs a question: input is taken only while it is waited for, and is any JSON", async () => {
  await using box = await startOrchestrator();
  await using agent = await startAgent((call) =>
    "input" in call ? { result: call.input } : { waiting: { for: "input" } },
  );
  await box.register(agent, [{}]);
  const queued = await box.post({ type: "work", runAt: anHourAhead() });
  expect(await act(box, queued.id, "input", { ifVersion: 1, input: 1 })).toMatchObject({ status: 422 });
  for (const input of [{ a: [1] }, "text", 0, false, null]) {
    const task = await box.post({ type: "work" });
    const { version } = await box.until(task.id, (now) => now.status === "waiting");
    expect(await act(box, task.id, "input", { input })).toMatchObject({ status: 428 });
    expect(await act(box, task.id, "input", { ifVersion: version })).toMatchObject({ status: 400 });
    expect(await act(box, task.id, "input", { ifVersion: 1, input })).toMatchObject({ status: 409 });
    expect(await act(box, task.id, "input", { ifVersion: version, input })).toMatchObject({ status: 200 });
    expect((await box.until(task.id, (now) => now.status === "completed")).result).toEqual(input);
  }
});

test.concurrent("a service alone decides nothing for people", async () => {
  await using box = await startStill();
  const task = await box.post(waiting());
  for (const [action, body] of [
    ["approve", { ifVersion: 1 }],
    ["reject", { ifVersion: 1 }],
    ["input", { ifVersion: 1, input: 1 }],
  ] as const) {
    const reply = await box.call(`/task/${task.id}/${action}`, { method: "POST", body, as: "service" });
    expect([action, reply.status]).toEqual([action, 403]);
  }
  expect((await box.get(task.id)).version).toBe(1);
});
