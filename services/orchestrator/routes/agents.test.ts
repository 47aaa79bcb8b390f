import type { Agent, TaskType } from "@signalbox/common/contracts/agent.ts";
import { AgentList, TaskTypeList } from "@signalbox/common/contracts/agent.ts";
import type { Task } from "@signalbox/common/contracts/task.ts";
import { compileCheck } from "@signalbox/common/validate.ts";
import { expect, test } from "vitest";
import { type Items, type Orchestrator, startAgent, startOrchestrator } from "../orchestrator.fixture.ts";

const checkAgents = compileCheck(AgentList);
const checkTypes = compileCheck(TaskTypeList);

const beatOf = (members: object = {}, type: object = {}) => ({
  name: "fixture",
  instance: "fixture-1",
  url: "http://127.0.0.1:9",
  types: [{ type: "work", path: "/run", ...type }],
  ...members,
});

function beat(box: Orchestrator, body: unknown, as: "person" | "service" = "service") {
  return box.call("/agents/heartbeat", { method: "POST", body, as });
}

test.concurrent("an agent that registers is live, and its types are known with what it says of them", async () => {
  await using box = await startOrchestrator();
  const type = {
    type: "work",
    path: "/run",
    description: "does work",
    timeoutMs: 5_000,
    maxConcurrency: 3,
    priority: -5,
    payloadSchema: { type: "object", title: "Work" },
  };
  expect((await beat(box, beatOf({ types: [type, { type: "other", path: "/other" }] }))).status).toBe(200);
  const agents = (await box.call<Items<Agent>>("/agents")).body;
  expect(checkAgents(agents)).toBeNull();
  expect(agents.items).toEqual([
    {
      name: "fixture",
      instance: "fixture-1",
      url: "http://127.0.0.1:9",
      types: [type, { type: "other", path: "/other" }],
      lastSeenAt: expect.any(String),
      state: "live",
      running: 0,
    },
  ]);
  const types = (await box.call<Items<TaskType>>("/task-types")).body;
  expect(checkTypes(types)).toBeNull();
  expect(types).toEqual({
    items: [
      { type: "other", description: null, payloadSchema: null, timeoutMs: null, agents: ["fixture"], live: true },
      {
        type: "work",
        description: "does work",
        payloadSchema: { type: "object", title: "Work" },
        timeoutMs: 5_000,
        agents: ["fixture"],
        live: true,
      },
    ],
    nextCursor: null,
  });
});

test.concurrent("30 s without a heartbeat make an agent stale: it gets nothing, and its types stay known", async () => {
  await using box = await startOrchestrator();
  await using agent = await startAgent(() => ({ result: 1 }));
  await box.register(agent, [{}]);
  await box.database.pool.query("update agent_heartbeats set last_seen_at = now() - interval '20 s'");
  expect((await box.call<Items<Agent>>("/agents")).body.items[0]?.state).toBe("live");
  await box.database.pool.query("update agent_heartbeats set last_seen_at = now() - interval '31 s'");
  expect((await box.call<Items<Agent>>("/agents")).body.items[0]?.state).toBe("stale");

  await using other = await startOrchestrator({ database: box.database });
  expect((await other.call<Items<TaskType>>("/task-types")).body.items).toEqual([
    expect.objectContaining({ type: "work", live: false }),
  ]);
  const made = await other.call("/task", { method: "POST", body: { type: "work", runAt: "2199-01-01T00:00:00Z" } });
  expect(made.status).toBe(201);
  await box.register(agent, [{}]);
  expect((await box.call<Items<Agent>>("/agents")).body.items[0]?.state).toBe("live");
});

test.concurrent("an agent that registered with another orchestrator is heard of and gets work", async () => {
  await using box = await startOrchestrator();
  await using other = await startOrchestrator({ database: box.database });
  await using agent = await startAgent(() => ({ result: "done" }));
  const task = box.register(agent, [{}]).then(() => other.post({ type: "work" }));
  await other.until((await task).id, (now) => now.status === "completed");
});

test.concurrent("an agent that leaves a type out no longer gets it; one that registers anew counts with its new word", async () => {
  await using box = await startOrchestrator();
  await beat(box, beatOf({}, { description: "old", payloadSchema: { type: "string" } }));
  expect((await box.call("/task", { method: "POST", body: { type: "work", payload: 1 } })).status).toBe(400);
  await beat(box, beatOf({}, { description: "new" }));
  expect((await box.call<Items<TaskType>>("/task-types")).body.items[0]).toMatchObject({
    description: "new",
    payloadSchema: null,
    timeoutMs: null,
  });
  for (const list of ["/task-types", "/agents"]) {
    expect((await box.call(`${list}?limit=1`)).body).toMatchObject({ items: [{}], nextCursor: null });
    for (const query of ["limit=0", "cursor=x"]) expect((await box.call(`${list}?${query}`)).status).toBe(400);
  }
  const task = await box.post({ type: "work", payload: 1, runAt: "2199-01-01T00:00:00Z" });
  await beat(box, beatOf({ types: [] }));
  expect((await box.call<Items<Agent>>("/agents")).body.items[0]?.types).toEqual([]);
  await box.call(`/task/${task.id}`, { method: "PATCH", body: { ifVersion: 1, runAt: task.createdAt } });
  expect((await box.get(task.id)).why?.reason).toBe("no_agent");
});

test.concurrent("the running tasks of an instance are counted", async () => {
  await using box = await startOrchestrator();
  await using agent = await startAgent(() => undefined);
  await box.register(agent, [{}]);
  for (let index = 0; index < 3; index++) await box.post({ type: "work" });
  await agent.called(3);
  expect((await box.call<Items<Agent>>("/agents")).body.items[0]?.running).toBe(3);
});

const bad: [string, object, string][] = [
  ["no name", beatOf({ name: undefined }), "/name"],
  ["an empty name", beatOf({ name: "" }), "/name"],
  ["a name with a line break", beatOf({ name: "a\nb" }), "/name"],
  ["no instance", beatOf({ instance: undefined }), "/instance"],
  ["a url that is none", beatOf({ url: "nowhere" }), "/url"],
  ["another protocol", beatOf({ url: "ftp://agent.example" }), "/url"],
  ["credentials in the url", beatOf({ url: "http://user:pass@agent.example" }), "/url"],
  ["a metadata address", beatOf({ url: "http://169.254.169.254/latest" }), "/url"],
  ["a mapped metadata address", beatOf({ url: "http://[::ffff:a9fe:a9fe]" }), "/url"],
  ["a query in the url", beatOf({ url: "http://agent.example?x=1" }), "/url"],
  ["types that are no list", beatOf({ types: {} }), "/types"],
  [
    "201 types",
    beatOf({ types: Array.from({ length: 201 }, (_, at) => ({ type: `t${at}`, path: "/run" })) }),
    "/types",
  ],
  [
    "the same type twice",
    beatOf({
      types: [
        { type: "a", path: "/1" },
        { type: "a", path: "/2" },
      ],
    }),
    "/types/1/type",
  ],
  ["a type without path", beatOf({ types: [{ type: "a" }] }), "/types/0/path"],
  ["a path without slash", beatOf({}, { path: "run" }), "/types/0/path"],
  ["a path with a query", beatOf({}, { path: "/run?x" }), "/types/0/path"],
  ["no slots", beatOf({}, { maxConcurrency: 0 }), "/types/0/maxConcurrency"],
  ["a time-out of more than a day", beatOf({}, { timeoutMs: 86_400_001 }), "/types/0/timeoutMs"],
  ["another word for approval", beatOf({}, { approval: "always" }), "/types/0/approval"],
  ["an unknown member", beatOf({}, { nonsense: 1 }), "/types/0/nonsense"],
  ["a schema that is none", beatOf({}, { payloadSchema: { type: "nonsense" } }), "/types/0/payloadSchema"],
  ["a schema that leads nowhere", beatOf({}, { payloadSchema: { $ref: "#/nowhere" } }), "/types/0/payloadSchema"],
  [
    "a schema elsewhere",
    beatOf({}, { payloadSchema: { $ref: "http://agent.example/schema" } }),
    "/types/0/payloadSchema",
  ],
  ["a pattern that is none", beatOf({}, { payloadSchema: { pattern: "(" } }), "/types/0/payloadSchema"],
  [
    "an asynchronous schema",
    beatOf({}, { payloadSchema: { $async: true, required: ["x"] } }),
    "/types/0/payloadSchema",
  ],
  ["a huge schema", beatOf({}, { payloadSchema: { enum: ["x".repeat(70_000)] } }), "/types/0/payloadSchema"],
];

test.concurrent("a heartbeat that cannot be right is 400, says where, and registers nothing", async () => {
  await using box = await startOrchestrator();
  for (const [what, body, path] of bad) {
    const reply = await beat(box, body);
    expect([what, reply.status, reply.body.error?.details?.[0]?.path]).toEqual([what, 400, path]);
  }
  expect((await box.call<Items<Agent>>("/agents")).body.items).toEqual([]);
  expect((await box.call<Items<TaskType>>("/task-types")).body.items).toEqual([]);
});

test.concurrent("a person does not register agents, and nobody without a key does", async () => {
  await using box = await startOrchestrator();
  expect((await beat(box, beatOf(), "person")).status).toBe(403);
  expect((await box.call("/agents/heartbeat", { method: "POST", body: beatOf(), as: "nobody" })).status).toBe(401);
  expect((await box.call<Items<Agent>>("/agents")).body.items).toEqual([]);
});

test.concurrent("two hundred types with schemas are taken before the next beat is due", async () => {
  await using box = await startOrchestrator();
  const types = Array.from({ length: 200 }, (_, at) => ({
    type: `t${at}`,
    path: "/run",
    payloadSchema: { const: at },
  }));
  expect((await beat(box, beatOf({ types }))).status).toBe(200);
  const startedAt = performance.now();
  expect((await beat(box, beatOf({ types }))).status).toBe(200);
  const compiling = performance.now() - startedAt;
  expect((await box.call<Items<TaskType>>("/task-types")).body.items).toHaveLength(200);
  // Taken before the next one is due, on the slowest of machines too.
  expect(compiling).toBeLessThan(10_000);
});

test.concurrent("instances of one type share by free slots, and the higher priority gets it all", async () => {
  await using box = await startOrchestrator();
  await using low = await startAgent(() => ({ result: "low" }));
  await using one = await startAgent(() => undefined);
  await using two = await startAgent(() => undefined);
  await box.register(low, [{ priority: -100 }], "low");
  await box.register(one, [{ maxConcurrency: 2 }], "one");
  await box.register(two, [{ maxConcurrency: 2 }], "two");
  for (let index = 0; index < 6; index++) await box.post({ type: "work" });
  await Promise.all([one.called(2), two.called(2)]);
  const { items } = (await box.call<Items<Task>>("/tasks?status=queued")).body;
  expect(items).toHaveLength(2);
  expect([one.calls.length, two.calls.length, low.calls.length]).toEqual([2, 2, 0]);
});
