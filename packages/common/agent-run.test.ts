import { once } from "node:events";
import { eventually } from "@signalbox/testing/eventually.ts";
import { leaseLost, standInOrchestrator } from "@signalbox/testing/stand-in-orchestrator.ts";
import { startTestAgent } from "@signalbox/testing/test-agent.ts";
import { expect, test } from "vitest";
import { defineTaskType } from "./agent.ts";
import { AgentError, LeaseLostError, type RunContext, type RunOutcome } from "./agent-run.ts";
import { ApiError } from "./errors.ts";

const taskId = "01890a5d-ac96-774b-bcce-b302099a8057";
const silentId = "01890a5d-ac96-774b-bcce-b302099a8058";
const away = new ApiError("unavailable", "Away.");

function typeOf(run: (context: RunContext) => Promise<RunOutcome>) {
  return defineTaskType({ type: "test.run", path: "/run", run });
}

/** A run that begins, tells its signal, and ends only by it. */
function patient() {
  const begun = Promise.withResolvers<AbortSignal>();
  const type = typeOf(async ({ signal }) => {
    begun.resolve(signal);
    await once(signal, "abort");
    throw signal.reason;
  });
  return { type, begun: begun.promise };
}

test("progress and side effects reach the orchestrator with the attempt and its lease", async () => {
  await using orchestrator = await standInOrchestrator();
  const type = typeOf(async ({ progress, sideEffect, note }) => {
    await progress("half way", 50);
    await progress("nearly", 250);
    await sideEffect({ deployed: "srv-1" });
    await note({ seen: 1 });
    return { result: null };
  });
  await using agent = await startTestAgent(orchestrator, [type]);
  await orchestrator.run(agent.url, { taskId, attempt: 3 });
  const at = { taskId, lease: "lease-1" };
  expect(orchestrator.calls).toEqual([
    { ...at, call: "progress", body: { attempt: 3, message: "half way", agentName: "test-agent", percent: 50 } },
    { ...at, call: "progress", body: { attempt: 3, message: "nearly", agentName: "test-agent", percent: 100 } },
    { ...at, call: "events", body: { attempt: 3, kind: "side_effect", data: { deployed: "srv-1" } } },
    { ...at, call: "events", body: { attempt: 3, kind: "note", data: { seen: 1 } } },
  ]);
});

test("progress that cannot be told costs a warning, not the run", async () => {
  await using orchestrator = await standInOrchestrator();
  orchestrator.refuse = (call) => (call === "progress" ? new ApiError("not_found", "No such task.") : null);
  const type = typeOf(async ({ progress }) => {
    await progress("half way");
    return { result: "done" };
  });
  await using agent = await startTestAgent(orchestrator, [type]);
  expect((await orchestrator.run(agent.url, {})).status).toBe(200);
  expect(agent.lines.some(({ level, message }) => level === "warn" && message.includes("progress"))).toBe(true);
});

test("a lost lease stops the run: its signal aborts and the answer does not count", async () => {
  await using orchestrator = await standInOrchestrator();
  orchestrator.refuse = (call) => (call === "progress" ? leaseLost() : null);
  let thrown: unknown;
  let isAborted = false;
  const type = typeOf(async ({ progress, signal }) => {
    await progress("half way").catch((error: unknown) => {
      thrown = error;
      isAborted = signal.aborted;
    });
    return { result: "too late" };
  });
  await using agent = await startTestAgent(orchestrator, [type]);
  const response = await orchestrator.run(agent.url, {});
  expect(response.status).toBe(409);
  expect(await response.json()).toMatchObject({ error: { code: "lease_lost" } });
  expect(thrown).toBeInstanceOf(LeaseLostError);
  expect(isAborted).toBe(true);
  expect(agent.finished()).toEqual([expect.objectContaining({ data: expect.objectContaining({ outcome: "lost" }) })]);
});

test("a side effect that happened is logged when the audit refuses it, and the run goes on", async () => {
  await using orchestrator = await standInOrchestrator();
  orchestrator.refuse = (call) => (call === "events" ? new ApiError("invalid_request", "No.") : null);
  const type = typeOf(async ({ sideEffect }) => {
    await sideEffect({ deployed: "srv-1" });
    return { result: "done" };
  });
  await using agent = await startTestAgent(orchestrator, [type]);
  expect((await orchestrator.run(agent.url, {})).status).toBe(200);
  expect(agent.lines.find(({ level }) => level === "error")).toMatchObject({ data: { record: { deployed: "srv-1" } } });
});

test("the orchestrator closing the request means stop", async () => {
  await using orchestrator = await standInOrchestrator();
  const { type, begun } = patient();
  await using agent = await startTestAgent(orchestrator, [type]);
  const abort = new AbortController();
  const request = orchestrator.run(agent.url, { signal: abort.signal });
  const signal = await begun;
  abort.abort();
  await expect(request).rejects.toThrow();
  await eventually(() => signal.aborted && agent.finished().length === 1);
  expect(agent.finished()[0]).toMatchObject({ data: { outcome: "aborted" } });
});

test("the deadline ends a run that does not end by itself, even one that ignores its signal", async () => {
  await using orchestrator = await standInOrchestrator();
  const type = typeOf(() => new Promise(() => undefined));
  await using agent = await startTestAgent(orchestrator, [type]);
  const response = await orchestrator.run(agent.url, { deadline: new Date(Date.now() + 50).toISOString() });
  expect(response.status).toBe(503);
  expect(agent.finished()[0]).toMatchObject({ data: { outcome: "aborted" } });
});

test("a deadline in the past is a wrong clock, not a reason to refuse", async () => {
  await using orchestrator = await standInOrchestrator();
  const type = typeOf(async ({ deadline }) => ({ result: deadline.getTime() > Date.now() }));
  await using agent = await startTestAgent(orchestrator, [type]);
  const response = await orchestrator.run(agent.url, { deadline: "2020-01-01T00:00:00.000Z" });
  expect(await response.json()).toEqual({ result: true });
});

test("a deadline of years does not overflow the timer", async () => {
  await using orchestrator = await standInOrchestrator();
  // Node says so when a timer overflows, and lets it fire at once.
  const warnings: string[] = [];
  const note = ({ name }: Error) => void warnings.push(name);
  process.on("warning", note);
  const type = typeOf(async ({ signal }) => ({ result: signal.aborted }));
  await using agent = await startTestAgent(orchestrator, [type]);
  const response = await orchestrator.run(agent.url, { deadline: "9999-01-01T00:00:00.000Z" });
  expect(await response.json()).toEqual({ result: false });
  process.off("warning", note);
  expect(warnings).not.toContain("TimeoutOverflowWarning");
});

test("a deferred run is 202 and ends with a PATCH that carries the attempt", async () => {
  await using orchestrator = await standInOrchestrator();
  const type = typeOf(async ({ defer, progress }) =>
    defer(async () => {
      await progress("later", 10);
      return { deployed: true };
    }),
  );
  await using agent = await startTestAgent(orchestrator, [type]);
  const response = await orchestrator.run(agent.url, { taskId, attempt: 2 });
  expect(response.status).toBe(202);
  await eventually(() => agent.finished().length === 1);
  expect(orchestrator.calls.map(({ call }) => call)).toEqual(["progress", "end"]);
  expect(orchestrator.calls[1]).toEqual({
    call: "end",
    taskId,
    lease: "lease-1",
    body: { attempt: 2, status: "completed", result: { deployed: true } },
  });
  expect(agent.finished()[0]).toMatchObject({ taskId, data: { outcome: "completed" } });
});

test("a deferred run that fails says so with its code", async () => {
  await using orchestrator = await standInOrchestrator();
  const type = typeOf(async ({ defer }) =>
    defer(() => Promise.reject(new AgentError("No such city.", { code: "unknown_city" }))),
  );
  await using agent = await startTestAgent(orchestrator, [type]);
  await orchestrator.run(agent.url, { taskId });
  await eventually(() => agent.finished().length === 1);
  expect(orchestrator.calls[0]?.body).toEqual({
    attempt: 1,
    status: "failed",
    error: { code: "unknown_city", message: "No such city.", retryable: false },
  });
});

test("a run may end itself later by finish and fail", async () => {
  await using orchestrator = await standInOrchestrator();
  const type = typeOf(async ({ payload, finish, fail }) => {
    setImmediate(() => void (payload === "good" ? finish(1) : fail(new AgentError("No.", { code: "no" }))));
    return { deferred: true };
  });
  await using agent = await startTestAgent(orchestrator, [type]);
  await orchestrator.run(agent.url, { payload: "good" });
  await orchestrator.run(agent.url, { payload: "bad" });
  await eventually(() => agent.finished().length === 2);
  expect(orchestrator.calls.map(({ body }) => (body as { status: string }).status).sort()).toEqual([
    "completed",
    "failed",
  ]);
});

test("the end of a deferred run is told again until somebody hears it", async () => {
  await using orchestrator = await standInOrchestrator();
  let refused = 0;
  orchestrator.refuse = (call) => (call === "end" && refused++ < 2 ? away : null);
  const type = typeOf(async ({ defer }) => defer(async () => "done"));
  await using agent = await startTestAgent(orchestrator, [type]);
  await orchestrator.run(agent.url, { taskId });
  await eventually(() => agent.finished().length === 1, { timeoutMs: 15_000 });
  expect(orchestrator.calls.filter(({ call }) => call === "end")).toHaveLength(3);
  expect(agent.finished()[0]).toMatchObject({ data: { outcome: "completed" } });
});

test("a deferred run whose lease is gone ends quietly", async () => {
  await using orchestrator = await standInOrchestrator();
  orchestrator.refuse = (call) => (call === "end" ? leaseLost() : null);
  const type = typeOf(async ({ defer }) => defer(async () => "late"));
  await using agent = await startTestAgent(orchestrator, [type]);
  await orchestrator.run(agent.url, { taskId });
  await eventually(() => agent.finished().length === 1);
  expect(orchestrator.calls).toHaveLength(1);
  expect(agent.finished()[0]).toMatchObject({ data: { outcome: "lost" } });
  expect(agent.lines.filter(({ level }) => level === "error")).toEqual([]);
});

test("a deferred run that stays silent beyond its time is given up", async () => {
  await using orchestrator = await standInOrchestrator();
  const type = typeOf(async ({ defer }) => defer(() => new Promise(() => undefined)));
  await using agent = await startTestAgent(orchestrator, [type]);
  await orchestrator.run(agent.url, { deadline: new Date(Date.now() + 50).toISOString() });
  await eventually(() => agent.finished().length === 1);
  expect(agent.finished()[0]).toMatchObject({ data: { outcome: "aborted" } });
  expect(orchestrator.calls).toEqual([]);
});

test("a deferred run that goes on reporting has all the time it needs", async () => {
  await using orchestrator = await standInOrchestrator();
  const silentIsOver = () => agent.finished().some(({ taskId: id }) => id === silentId);
  const type = typeOf(async ({ taskId: id, defer, progress }) =>
    defer(() =>
      id === silentId ? new Promise(() => undefined) : eventually(() => progress("still at it").then(silentIsOver)),
    ),
  );
  await using agent = await startTestAgent(orchestrator, [type]);
  const inOneSecond = () => new Date(Date.now() + 1_000).toISOString();
  await orchestrator.run(agent.url, { taskId, deadline: inOneSecond() });
  await orchestrator.run(agent.url, { taskId: silentId, deadline: inOneSecond() });
  await eventually(() => agent.finished().length === 2);
  expect(agent.finished()).toMatchObject([
    { taskId: silentId, data: { outcome: "aborted" } },
    { taskId, data: { outcome: "completed" } },
  ]);
});

test("a stopping agent takes no run, finishes the one it has, and then ends", async () => {
  await using orchestrator = await standInOrchestrator();
  const begun = Promise.withResolvers<void>();
  const gate = Promise.withResolvers<void>();
  const type = typeOf(async ({ payload }) => {
    if (payload === "slow") {
      begun.resolve();
      await gate.promise;
    }
    return { result: "done" };
  });
  await using agent = await startTestAgent(orchestrator, [type]);
  const slow = orchestrator.run(agent.url, { payload: "slow" });
  await begun.promise;
  const stopped = agent.agent.stop();
  await eventually(() => orchestrator.heartbeats.at(-1)?.types.length === 0, { what: "the last heartbeat" });
  const refused = await orchestrator.run(agent.url, { payload: "quick" });
  expect([refused.status, refused.headers.get("retry-after")]).toEqual([503, "1"]);
  gate.resolve();
  expect(await (await slow).json()).toEqual({ result: "done" });
  await stopped;
  await expect(fetch(`${agent.url}/health`)).rejects.toThrow();
});

test("what does not end while draining is aborted, and the orchestrator is told to try elsewhere", async () => {
  await using orchestrator = await standInOrchestrator();
  const { type, begun } = patient();
  await using agent = await startTestAgent(orchestrator, [type], { drainMs: 30 });
  const run = orchestrator.run(agent.url, {});
  const signal = await begun;
  await agent.agent.stop();
  expect((await run).status).toBe(503);
  expect(signal.aborted).toBe(true);
});
