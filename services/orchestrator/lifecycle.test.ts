import { expect, test } from "vitest";
import { reply, startAgent, startOrchestrator } from "./orchestrator.fixture.ts";

test.concurrent("a task runs on its agent and ends with created, started, completed", async () => {
  await using box = await startOrchestrator();
  await using agent = await startAgent((call) => ({ result: { echo: call.payload } }));
  await box.register(agent, [{}]);

  const task = await box.post({ type: "work", payload: { hello: "world" }, correlationId: "order 7" });
  expect(task).toMatchObject({ status: "queued", version: 1, attempt: 0 });
  const done = await box.until(task.id, (now) => now.status === "completed");

  expect(done).toMatchObject({ version: 3, attempt: 1, result: { echo: { hello: "world" } }, error: null, agent: "fixture" });
  expect(done.events.map((event) => [event.kind, event.version])).toEqual([["created", 1], ["started", 2], ["completed", 3]]);
  expect(agent.calls[0]?.headers).toMatchObject({ "x-task-id": task.id, "x-task-attempt": "1", "x-correlation-id": "order 7" });
  expect(agent.calls[0]?.headers.traceparent).toContain(task.traceId);
});

test.concurrent("a failing attempt is retried until it succeeds", async () => {
  await using box = await startOrchestrator();
  await using agent = await startAgent((call) => {
    if (call.attempt < 3) return void reply(call.response, 503, { error: { code: "busy", message: "later" } });
    return { result: call.attempt };
  });
  await box.register(agent, [{}]);
  const task = await box.post({ type: "work" });
  const done = await box.until(task.id, (now) => now.status === "completed");
  expect(done.events.map((event) => event.kind)).toEqual(["created", "started", "retry_scheduled", "started", "retry_scheduled", "started", "completed"]);
  expect(done.events.map((event) => event.version)).toEqual([1, 2, 3, 4, 5, 6, 7]);
});

test.concurrent("twenty patches of one version: one wins, nineteen are told the current version", async () => {
  await using box = await startOrchestrator();
  await using agent = await startAgent(() => undefined);
  await box.register(agent, [{ type: "other" }]);
  const task = await box.post({ type: "other", runAt: new Date(Date.now() + 3_600_000).toISOString() });
  const replies = await Promise.all(Array.from({ length: 20 }, (_, index) =>
    box.call(`/task/${task.id}`, { method: "PATCH", body: { ifVersion: 1, priority: index + 1 } })));
  expect(replies.map((answer) => answer.status).sort()).toEqual([200, ...Array(19).fill(409)]);
  expect(replies.find((answer) => answer.status === 409)?.body.error).toMatchObject({ code: "version_conflict", details: [{ currentVersion: 2 }] });
});
