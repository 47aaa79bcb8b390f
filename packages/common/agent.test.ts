import { eventually } from "@signalbox/testing/eventually.ts";
import { asPerson, asService } from "@signalbox/testing/http-service.ts";
import { standInOrchestrator } from "@signalbox/testing/stand-in-orchestrator.ts";
import { startTestAgent } from "@signalbox/testing/test-agent.ts";
import { Type } from "typebox";
import { expect, test } from "vitest";
import { defineTaskType } from "./agent.ts";
import { AgentError, type RunContext, type RunOutcome } from "./agent-run.ts";
import { ApiError } from "./errors.ts";

const taskId = "01890a5d-ac96-774b-bcce-b302099a8057";

function typeOf(run: (context: RunContext) => Promise<RunOutcome>) {
  return defineTaskType({ type: "test.run", path: "/run", run });
}

const answer = typeOf(async ({ payload }) => ({ result: { payload } }));

test("an agent registers its types with the address where it listens", async () => {
  await using orchestrator = await standInOrchestrator();
  const types = [
    defineTaskType({
      type: "greet",
      path: "/greet",
      description: "Greets",
      priority: 5,
      maxConcurrency: 2,
      timeoutMs: 1_000,
      payloadSchema: Type.Object({ name: Type.String() }),
      run: async ({ payload }) => ({ result: `hello ${payload.name}` }),
    }),
    answer,
  ];
  await using agent = await startTestAgent(orchestrator, types);
  expect(await orchestrator.registered()).toEqual({
    name: "test-agent",
    instance: expect.stringMatching(/^test-agent-[0-9a-f]{8}$/),
    url: agent.url,
    types: [
      {
        type: "greet",
        path: "/greet",
        description: "Greets",
        priority: 5,
        maxConcurrency: 2,
        timeoutMs: 1_000,
        payloadSchema: { type: "object", required: ["name"], properties: { name: { type: "string" } } },
      },
      { type: "test.run", path: "/run" },
    ],
  });
});

test("a public address is registered as it was set, without the slash", async () => {
  await using orchestrator = await standInOrchestrator();
  const settings = { PUBLIC_URL: "https://agent.example/base/" };
  await using _agent = await startTestAgent(orchestrator, [answer], { settings });
  expect(await orchestrator.registered()).toMatchObject({ url: "https://agent.example/base" });
});

test("a result is 200, and one log line of the run carries trace, correlation, task, type, attempt and time", async () => {
  await using orchestrator = await standInOrchestrator();
  await using agent = await startTestAgent(orchestrator, [answer]);
  const response = await orchestrator.run(agent.url, { taskId, payload: { a: 1 }, attempt: 2 });
  expect([response.status, await response.json()]).toEqual([200, { result: { payload: { a: 1 } } }]);
  expect(agent.finished()).toEqual([
    expect.objectContaining({
      level: "info",
      traceId: "0af7651916cd43dd8448eb211c80319c",
      correlationId: "order 7",
      taskId,
      taskType: "test.run",
      attempt: 2,
      data: { outcome: "completed", durationMs: expect.any(Number) },
    }),
  ]);
});

test("a line that a run writes from somebody else's callback still names its task", async () => {
  await using orchestrator = await standInOrchestrator();
  const outside: (() => void)[] = [];
  const type = typeOf(async ({ log }) => {
    outside.push(() => log.warn("from outside"));
    return { result: null };
  });
  await using agent = await startTestAgent(orchestrator, [type]);
  await orchestrator.run(agent.url, { taskId });
  outside[0]?.();
  expect(agent.lines.at(-1)).toMatchObject({ message: "from outside", taskId, correlationId: "order 7" });
});

test("a run may wait for a person, and is called again with what they said", async () => {
  await using orchestrator = await standInOrchestrator();
  const type = typeOf(async ({ input }) =>
    input === undefined ? { waiting: { for: "input", prompt: "Which one?" } } : { result: input },
  );
  await using agent = await startTestAgent(orchestrator, [type]);
  expect(await (await orchestrator.run(agent.url, {})).json()).toEqual({
    waiting: { for: "input", prompt: "Which one?" },
  });
  expect(await (await orchestrator.run(agent.url, { input: { choice: 2 } })).json()).toEqual({ result: { choice: 2 } });
});

test.each([
  ["a final error is 422", new AgentError("No such city.", { code: "unknown_city", details: { city: "x" } }), 422],
  ["a passing one is 503", new AgentError("Busy.", { retryable: true, retryAfterMs: 1_500 }), 503],
  ["a refusal of its own keeps its status", new ApiError("not_found", "No such thing."), 404],
  ["a bug is 500 and tells nothing", new Error("hunter2"), 500],
])("%s", async (_what, error, status) => {
  await using orchestrator = await standInOrchestrator();
  const type = typeOf(() => Promise.reject(error));
  await using agent = await startTestAgent(orchestrator, [type]);
  const response = await orchestrator.run(agent.url, {});
  expect(response.status).toBe(status);
  const text = await response.text();
  expect(text).not.toContain("hunter2");
  if (error instanceof AgentError)
    expect(JSON.parse(text).error).toMatchObject({ code: error.code, message: error.message });
  if (status === 503) expect(response.headers.get("retry-after")).toBe("2");
  expect(agent.finished()).toHaveLength(1);
});

test("a payload that the schema refuses is 400 at its place, and nothing runs", async () => {
  await using orchestrator = await standInOrchestrator();
  let runs = 0;
  const type = defineTaskType({
    type: "test.run",
    path: "/run",
    payloadSchema: Type.Object({ name: Type.String() }),
    async run() {
      runs++;
      return { result: null };
    },
  });
  await using agent = await startTestAgent(orchestrator, [type]);
  const response = await orchestrator.run(agent.url, { payload: { name: 7 } });
  expect(response.status).toBe(400);
  expect(await response.json()).toMatchObject({
    error: { code: "invalid_request", details: [{ path: "/payload/name", message: "must be string" }] },
  });
  expect(runs).toBe(0);
});

test("only the internal key opens a run, and a type that is not run here is 422", async () => {
  await using orchestrator = await standInOrchestrator();
  await using agent = await startTestAgent(orchestrator, [answer]);
  const post = (headers: Record<string, string>, body: unknown = { payload: 1 }) =>
    fetch(`${agent.url}/run`, {
      method: "POST",
      headers: { "content-type": "application/json", ...headers },
      body: JSON.stringify(body),
    });
  expect((await post({})).status).toBe(401);
  expect((await post(asPerson)).status).toBe(403);
  expect((await post(asService)).status).toBe(200);
  expect((await post(asService, { type: "other", payload: 1 })).status).toBe(422);
});

test("a direct call needs a payload only, is attempt 1, and reports nothing to anybody", async () => {
  await using orchestrator = await standInOrchestrator();
  const type = typeOf(async ({ attempt, taskId: id, progress, sideEffect }) => {
    await progress("half", 50);
    await sideEffect({ sent: true });
    return { result: { attempt, id } };
  });
  await using agent = await startTestAgent(orchestrator, [type]);
  const response = await fetch(`${agent.url}/run`, {
    method: "POST",
    headers: { "content-type": "application/json", ...asService },
    body: JSON.stringify({ payload: null, somethingNew: true }),
  });
  expect(await response.json()).toEqual({ result: { attempt: 1, id: null } });
  expect(orchestrator.calls).toEqual([]);
});

test("the types of one path share it, each with its own schema", async () => {
  await using orchestrator = await standInOrchestrator();
  const run = async ({ type }: RunContext) => ({ result: type });
  await using agent = await startTestAgent(orchestrator, [
    defineTaskType({ type: "a", path: "/run", payloadSchema: Type.String(), run }),
    defineTaskType({ type: "b", path: "/run", payloadSchema: Type.Integer(), run }),
  ]);
  expect(await (await orchestrator.run(agent.url, { type: "b", payload: 1 })).json()).toEqual({ result: "b" });
  expect((await orchestrator.run(agent.url, { type: "a", payload: 1 })).status).toBe(400);
});

test("an agent answers what every service answers, and says degraded while nobody hears its heartbeats", async () => {
  await using orchestrator = await standInOrchestrator();
  orchestrator.refuse = () => new ApiError("unavailable", "Away.");
  await using agent = await startTestAgent(orchestrator, [answer]);
  const health = async () => (await fetch(`${agent.url}/health`)).json();
  expect(await health()).toMatchObject({ status: "degraded", service: "test-agent", version: "1.2.3" });
  orchestrator.refuse = () => null;
  await orchestrator.registered();
  await eventually(async () => ((await health()) as { status: string }).status === "ok");
  const metrics = await (await fetch(`${agent.url}/metrics`, { headers: asService })).text();
  expect(metrics).toContain("agent_runs_running");
  const document = (await (await fetch(`${agent.url}/openapi.json`)).json()) as { paths: object };
  expect(document.paths).toHaveProperty("/run");
});
