import { ensureConfig } from "@signalbox/common/settings.ts";
import { eventually } from "@signalbox/testing/eventually.ts";
import { asPerson, asService, credentials } from "@signalbox/testing/http-service.ts";
import { type StandInOrchestrator, standInOrchestrator } from "@signalbox/testing/stand-in-orchestrator.ts";
import { expect, test } from "vitest";
import { buildApp, buildRoutes } from "./app.ts";
import { settings } from "./settings.ts";

const taskId = "01890a5d-ac96-774b-bcce-b302099a8057";

async function startEcho(orchestrator: StandInOrchestrator) {
  const values = ensureConfig(settings, {
    PORT: "0",
    ORCHESTRATOR_URL: orchestrator.url,
    LOGGING_URL: "http://127.0.0.1:9",
    BASIC_AUTH_USER: credentials.user,
    BASIC_AUTH_PASS: credentials.pass,
    INTERNAL_KEY: orchestrator.internalKey,
    LOG_LEVEL: "fatal",
  });
  const agent = buildApp(values, () => ({ service: "echo-agent", ok: true, schemaHash: "", settings: [] }), {
    drainMs: 100,
  });
  await agent.start();
  const url = `http://127.0.0.1:${agent.port()}`;
  return {
    url,
    echo: (payload: unknown, run: { type?: string; attempt?: number; signal?: AbortSignal; taskId?: string } = {}) =>
      orchestrator.run(url, { path: "/echo", type: "echo", payload, ...run }),
    [Symbol.asyncDispose]: () => agent.stop(),
  };
}

test("it registers the echo and the messages, below any agent that means it", async () => {
  await using orchestrator = await standInOrchestrator();
  await using _echo = await startEcho(orchestrator);
  const { name, types } = await orchestrator.registered();
  expect(name).toBe("echo-agent");
  expect(types.map(({ type }) => type)).toEqual(["echo", "cli.message", "telegram.message", "github.event"]);
  for (const type of types) expect(type).toMatchObject({ path: "/echo", priority: -100, maxConcurrency: 100 });
  expect(types[0]?.payloadSchema).toHaveProperty("properties.delayMs.type", "integer");
});

test.each([[{ hello: "world", deep: { a: [1, null] } }], [[1, 2]], ["text"], [7], [null], [true], [{}]])(
  "%j comes back as it was",
  async (payload) => {
    await using orchestrator = await standInOrchestrator();
    await using agent = await startEcho(orchestrator);
    const response = await agent.echo(payload);
    expect([response.status, await response.json()]).toEqual([
      200,
      { result: { echo: payload, service: "echo-agent", at: expect.stringMatching(/^\d{4}-.*Z$/) } },
    ]);
  },
);

test("a stranger with the key needs a payload only; Basic alone is 403, nothing is 401", async () => {
  await using orchestrator = await standInOrchestrator();
  await using agent = await startEcho(orchestrator);
  const post = (headers: Record<string, string>) =>
    fetch(`${agent.url}/echo`, {
      method: "POST",
      headers: { "content-type": "application/json", ...headers },
      body: '{"payload":{"a":1}}',
    });
  expect(await (await post(asService)).json()).toMatchObject({ result: { echo: { a: 1 } } });
  expect((await post(asPerson)).status).toBe(403);
  expect((await post({})).status).toBe(401);
});

test.each(["cli.message", "telegram.message"])("%s is answered with its text as output", async (type) => {
  await using orchestrator = await standInOrchestrator();
  await using agent = await startEcho(orchestrator);
  const response = await agent.echo({ text: "ping" }, { type });
  expect(await response.json()).toMatchObject({ result: { echo: { text: "ping" }, output: "ping" } });
});

test("failTimes is 503 until that many attempts have been made", async () => {
  await using orchestrator = await standInOrchestrator();
  await using agent = await startEcho(orchestrator);
  const statuses = [];
  for (const attempt of [1, 2, 3]) statuses.push((await agent.echo({ failTimes: 2 }, { attempt })).status);
  expect(statuses).toEqual([503, 503, 200]);
});

test("failPermanently is 422, with the message that was asked for", async () => {
  await using orchestrator = await standInOrchestrator();
  await using agent = await startEcho(orchestrator);
  expect((await agent.echo({ failPermanently: true })).status).toBe(422);
  expect(await (await agent.echo({ failPermanently: "No paper." })).json()).toMatchObject({
    error: { code: "failed_permanently", message: "No paper." },
  });
  expect((await agent.echo({ failPermanently: false })).status).toBe(200);
});

test("progressSteps reports that many times on the way to the answer", async () => {
  await using orchestrator = await standInOrchestrator();
  await using agent = await startEcho(orchestrator);
  expect((await agent.echo({ progressSteps: 4, delayMs: 20 })).status).toBe(200);
  expect(orchestrator.calls.map(({ body }) => (body as { percent: number }).percent)).toEqual([25, 50, 75, 100]);
});

test("delayMs delays, and ends at once when the orchestrator closes the request", async () => {
  await using orchestrator = await standInOrchestrator();
  await using agent = await startEcho(orchestrator);
  const startedAt = performance.now();
  expect((await agent.echo({ delayMs: 60 })).status).toBe(200);
  expect(performance.now() - startedAt).toBeGreaterThanOrEqual(55);
  const abort = new AbortController();
  const closed = expect(agent.echo({ delayMs: 3_600_000 }, { signal: abort.signal })).rejects.toThrow();
  abort.abort();
  await closed;
});

test("defer answers 202 and ends the task with a PATCH, failures included", async () => {
  await using orchestrator = await standInOrchestrator();
  await using agent = await startEcho(orchestrator);
  expect((await agent.echo({ defer: true, progressSteps: 1 }, { taskId })).status).toBe(202);
  await eventually(() => orchestrator.calls.length === 2);
  expect(orchestrator.calls.at(-1)).toMatchObject({
    call: "end",
    taskId,
    body: { attempt: 1, status: "completed", result: { echo: { defer: true }, service: "echo-agent" } },
  });
  await agent.echo({ defer: true, failPermanently: true }, { taskId });
  await eventually(() => orchestrator.calls.length === 3);
  expect(orchestrator.calls.at(-1)?.body).toMatchObject({ status: "failed", error: { code: "failed_permanently" } });
});

test("defer and failTimes together: refused until it is time, deferred then", async () => {
  await using orchestrator = await standInOrchestrator();
  await using agent = await startEcho(orchestrator);
  const payload = { defer: true, failTimes: 1 };
  expect((await agent.echo(payload, { taskId, attempt: 1 })).status).toBe(503);
  expect((await agent.echo(payload, { taskId, attempt: 2 })).status).toBe(202);
  await eventually(() => orchestrator.calls.length === 1);
  expect(orchestrator.calls[0]?.body).toMatchObject({ attempt: 2, status: "completed" });
});

test.each([
  [{ delayMs: -1 }, "/payload/delayMs"],
  [{ delayMs: 3_600_001 }, "/payload/delayMs"],
  [{ delayMs: "1" }, "/payload/delayMs"],
  [{ failTimes: 1.5 }, "/payload/failTimes"],
  [{ failPermanently: 7 }, "/payload/failPermanently"],
  [{ progressSteps: 1_001 }, "/payload/progressSteps"],
  [{ defer: "yes" }, "/payload/defer"],
])("%j is 400 and names the knob", async (payload, path) => {
  await using orchestrator = await standInOrchestrator();
  await using agent = await startEcho(orchestrator);
  const response = await agent.echo(payload);
  expect(response.status).toBe(400);
  expect(await response.json()).toMatchObject({ error: { details: [expect.objectContaining({ path })] } });
});

test("its routes can be described without starting it", () => {
  expect(buildRoutes().map(({ method, path, auth }) => `${method} ${path} ${auth}`)).toEqual(["POST /echo internal"]);
});
