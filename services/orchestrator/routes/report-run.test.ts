import type { Task } from "@signalbox/common/contracts/task.ts";
import { eventually } from "@signalbox/testing/eventually.ts";
import { expect, test } from "vitest";
import {
  reply as answer,
  type Items,
  type Orchestrator,
  startAgent,
  startOrchestrator,
} from "../orchestrator.fixture.ts";

/** A task whose agent has answered "later". */
async function startDeferred(members: object = {}) {
  const box = await startOrchestrator();
  const agent = await startAgent((call) => answer(call.response, 202, {}));
  await box.register(agent, [{}]);
  const task = await box.post({ type: "work", timeoutMs: 60_000, ...members });
  await agent.called(1);
  const owner = "select lease_owner from tasks where lease_id is not null";
  await eventually(async () => (await box.database.pool.query(owner)).rows[0]?.lease_owner === null);
  return {
    box,
    agent,
    id: task.id,
    async [Symbol.asyncDispose]() {
      await agent[Symbol.asyncDispose]();
      await box[Symbol.asyncDispose]();
    },
  };
}

function report(box: Orchestrator, id: string, body: object, headers: Record<string, string> = {}) {
  return box.call<{ version: number; leaseUntil: string }>(`/task/${id}/progress`, {
    method: "POST",
    as: "service",
    body,
    headers,
  });
}

function note(box: Orchestrator, id: string, body: object) {
  return box.call(`/task/${id}/events`, { method: "POST", as: "service", body });
}

test.concurrent("progress raises the version, is shown, and leaves an event", async () => {
  await using run = await startDeferred();
  const { box, id } = run;
  const reply = await report(box, id, { attempt: 1, message: "half", percent: 50.5, agentName: "slow" });
  expect(reply).toMatchObject({ status: 200, body: { version: 3, leaseUntil: expect.any(String) } });
  const { progress, events } = await box.get(id);
  expect(progress).toEqual({ message: "half", percent: 50.5, agentName: "slow", at: expect.any(String) });
  expect(events[2]).toMatchObject({
    kind: "progress",
    version: 3,
    actor: "agent:fixture",
    data: { attempt: 1, message: "half", percent: 50.5 },
  });
  expect((await report(box, id, { attempt: 1, message: "only words" })).body.version).toBe(4);
  expect((await box.get(id)).progress).toMatchObject({ message: "only words", percent: null, agentName: null });
});

test.concurrent("a deferred run is lost after timeoutMs of silence, counted from its last progress", async () => {
  await using run = await startDeferred({ timeoutMs: 2_000 });
  const { body } = await report(run.box, run.id, { attempt: 1, message: "here" });
  const left = Date.parse(body.leaseUntil) - Date.now();
  expect(left).toBeGreaterThan(0);
  expect(left).toBeLessThanOrEqual(2_100);
});

test.concurrent("the lease that the agent was given is checked when it is sent back", async () => {
  await using run = await startDeferred();
  const { box, id, agent } = run;
  const lease = String(agent.calls[0]?.headers["x-task-lease"]);
  const other = "01890000-0000-4000-8000-000000000001";
  expect((await report(box, id, { attempt: 1, message: "m" }, { "x-task-lease": other })).status).toBe(409);
  expect((await report(box, id, { attempt: 1, message: "m" }, { "x-task-lease": lease })).status).toBe(200);
});

test.concurrent.each([
  ["progress", (box: Orchestrator, id: string, attempt: number) => report(box, id, { attempt, message: "m" })],
  ["an event", (box: Orchestrator, id: string, attempt: number) => note(box, id, { attempt, kind: "note", data: {} })],
] as const)("%s of an attempt that does not run is 409 lease_lost and changes nothing", async (_what, send) => {
  await using run = await startDeferred();
  const { box, id } = run;
  for (const attempt of [2, 25])
    expect(await send(box, id, attempt)).toMatchObject({ status: 409, body: { error: { code: "lease_lost" } } });
  await box.call(`/task/${id}/cancel`, { method: "POST" });
  expect(await send(box, id, 1)).toMatchObject({ status: 409, body: { error: { code: "lease_lost" } } });
  expect(await box.get(id)).toMatchObject({ version: 3, progress: null, status: "canceled" });
});

test.concurrent("what an agent did outside is in the audit, with its attempt, at the version it was done", async () => {
  await using run = await startDeferred();
  const { box, id } = run;
  const data = { deploy: "dep-1", nothing: null, nested: { none: null } };
  expect(await note(box, id, { attempt: 1, kind: "side_effect", data })).toMatchObject({ status: 201 });
  expect(await note(box, id, { attempt: 1, kind: "note", data: {} })).toMatchObject({ status: 201 });
  const { events, version } = await box.get(id);
  expect(version).toBe(2);
  expect(events.slice(2).map(({ kind, version: at, actor, data: said }) => [kind, at, actor, said])).toEqual([
    ["side_effect", 2, "agent:fixture", { ...data, attempt: 1 }],
    ["note", 2, "agent:fixture", { attempt: 1 }],
  ]);
});

test.concurrent("a service that does not run a task leaves its side effects there too, before, while and after it runs", async () => {
  await using run = await startDeferred();
  const { box, id } = run;
  const add = (taskId: string, as: "service" | "person" = "service") =>
    box.call(`/task/${taskId}/notes`, { method: "POST", as, body: { kind: "side_effect", data: { message: 7 } } });
  expect((await add(id)).status).toBe(201);
  await box.call(`/task/${id}/cancel`, { method: "POST" });
  expect((await add(id)).status).toBe(201);
  expect((await add(id, "person")).status).toBe(403);
  expect((await add("01890000-0000-7000-8000-000000000000")).status).toBe(404);
  const { events, version, status } = await box.get(id);
  expect([version, status]).toEqual([3, "canceled"]);
  const notes = events.filter(({ kind }) => kind === "side_effect");
  expect(notes.map(({ actor, version: at, data }) => [actor, at, data])).toEqual([
    ["service:internal", 2, { message: 7 }],
    ["service:internal", 3, { message: 7 }],
  ]);
});

const badReports: [object, string][] = [
  [{}, "/attempt"],
  [{ attempt: 1 }, "/message"],
  [{ attempt: 0, message: "m" }, "/attempt"],
  [{ attempt: "1", message: "m" }, "/attempt"],
  [{ attempt: 1, message: "" }, "/message"],
  [{ attempt: 1, message: "x".repeat(2_001) }, "/message"],
  [{ attempt: 1, message: "m", percent: -1 }, "/percent"],
  [{ attempt: 1, message: "m", percent: 101 }, "/percent"],
  [{ attempt: 1, message: "m", nonsense: 1 }, "/nonsense"],
];
const badNotes: [object, string][] = [
  [{ attempt: 1, kind: "completed", data: {} }, "/kind"],
  [{ attempt: 1, kind: "note" }, "/data"],
  [{ attempt: 1, kind: "note", data: [] }, "/data"],
  [{ attempt: 1, kind: "note", data: {}, actor: "person:x" }, "/actor"],
];

test.concurrent("reports that cannot be right are 400 and say where; a person makes none", async () => {
  await using run = await startDeferred();
  const { box, id } = run;
  for (const [body, path] of badReports)
    expect([body, (await report(box, id, body)).body.error.details[0]?.path]).toEqual([body, path]);
  for (const [body, path] of badNotes)
    expect([body, (await note(box, id, body)).body.error.details[0]?.path]).toEqual([body, path]);
  const asPerson = { method: "POST", body: { attempt: 1, message: "m" } };
  expect((await box.call(`/task/${id}/progress`, asPerson)).status).toBe(403);
  expect((await box.call(`/task/${id}/events`, asPerson)).status).toBe(403);
  expect((await box.get(id)).version).toBe(2);
});

test.concurrent("an instance takes no more deferred runs than it has slots", async () => {
  await using box = await startOrchestrator();
  await using agent = await startAgent((call) => answer(call.response, 202, {}));
  await box.register(agent, [{ maxConcurrency: 2 }]);
  const tasks = [];
  for (let index = 0; index < 6; index++) tasks.push(await box.post({ type: "work", timeoutMs: 60_000 }));
  await agent.called(2);
  // A third would be claimed at once; a canceled queued task shows that nothing more was.
  await box.call(`/task/${tasks[5]?.id}/cancel`, { method: "POST" });
  expect(agent.calls).toHaveLength(2);
  const end = { method: "PATCH", as: "service", body: { attempt: 1, status: "completed" } } as const;
  await box.call(`/task/${agent.calls[0]?.taskId}`, end);
  await agent.called(3);
  expect((await box.call<Items<Task>>("/tasks?status=running")).body.items).toHaveLength(2);
});
