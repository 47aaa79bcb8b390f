import type { TaskType } from "@signalbox/common/contracts/agent.ts";
import { eventually } from "@signalbox/testing/eventually.ts";
import pg from "pg";
import { expect, test } from "vitest";
import { reply as answer, type Items, startAgent, startOrchestrator } from "./orchestrator.fixture.ts";

const kindsOf = (task: { events: { kind: string }[] }) => task.events.map((event) => event.kind);

test.concurrent("a back-off ends when it is due, not at the next poll", async () => {
  await using box = await startOrchestrator();
  await using agent = await startAgent((call) => {
    if (call.attempt === 1) return answer(call.response, 503, {}, { "retry-after": "1" });
    return { result: 1 };
  });
  await box.register(agent, [{}]);
  for (const concurrencyKey of [undefined, "k"]) {
    const task = await box.post({ type: "work", ...(concurrencyKey && { concurrencyKey }) });
    const { events } = await box.until(task.id, (now) => now.status === "completed");
    const due = Date.parse(String(events.find((event) => event.kind === "retry_scheduled")?.data.runAt));
    const started = Date.parse(events.findLast((event) => event.kind === "started")?.at ?? "");
    expect(started).toBeGreaterThanOrEqual(due);
    expect(started - due).toBeLessThan(3_000);
  }
});

test.concurrent("a freed slot is filled at once, even when other types were claimed meanwhile", async () => {
  await using box = await startOrchestrator();
  await using agent = await startAgent((call) => (call.type === "quick" ? { result: 1 } : undefined));
  await box.register(agent, [{ maxConcurrency: 1 }, { type: "quick" }]);
  const first = await box.post({ type: "work" });
  await agent.called(1);
  const second = await box.post({ type: "work" });
  const quick = await box.post({ type: "quick" });
  await box.until(quick.id, (now) => now.status === "completed");
  const [held] = agent.calls;
  if (held) answer(held.response, 200, { result: 1 });
  const ended = await box.until(first.id, (now) => now.status === "completed");
  const started = await box.until(second.id, (now) => now.status === "running");
  expect(Date.parse(started.startedAt ?? "") - Date.parse(ended.finishedAt ?? "")).toBeLessThan(3_000);
});

test.concurrent("two orchestrators with runs under way leave each other in peace", async () => {
  await using box = await startOrchestrator();
  await using other = await startOrchestrator({ database: box.database });
  await using agent = await startAgent((call) => (call.payload === "quick" ? { result: 1 } : undefined));
  await box.register(agent, [{ maxConcurrency: 50 }]);
  for (let index = 0; index < 4; index++) await box.post({ type: "work" });
  await agent.called(4);
  // Both look around anew, and see the runs that are not their own.
  for (const maxConcurrency of [51, 52, 53])
    await (maxConcurrency % 2 ? box : other).register(agent, [{ maxConcurrency }]);
  let rings = 0;
  const listener = new pg.Client({ connectionString: box.database.url });
  listener.on("notification", () => rings++);
  listener.on("error", () => undefined);
  await listener.connect();
  await listener.query("listen signalbox_agents");
  for (let index = 0; index < 20; index++) {
    const task = await box.post({ type: "work", payload: "quick" });
    await box.until(task.id, (now) => now.status === "completed");
  }
  await listener.query("select 1");
  await listener.end();
  expect(rings).toBeLessThan(5);
});

test.concurrent("a stopping orchestrator hands its runs back, and another one finishes them at once", async () => {
  await using box = await startOrchestrator();
  await using agent = await startAgent((call) => (call.attempt === 1 ? undefined : { result: call.attempt }));
  await box.register(agent, [{}]);
  const plain = await box.post({ type: "work", maxAttempts: 1 });
  const keyed = await box.post({ type: "work", concurrencyKey: "k", maxAttempts: 1 });
  await agent.called(2);
  await using other = await startOrchestrator({ database: box.database });
  // It has looked around by then, found nothing to claim, and rests.
  await eventually(async () => (await other.call<Items<TaskType>>("/task-types")).body.items[0]?.live);
  await box.stop();
  const stoppedAt = Date.now();
  await Promise.all(agent.calls.map((call) => call.closed));
  for (const { id } of [plain, keyed]) {
    const done = await other.until(id, (now) => now.status === "completed", "a task that was handed back");
    expect(done).toMatchObject({ attempt: 2, maxAttempts: 2, result: 2 });
    expect(kindsOf(done)).toEqual(["created", "started", "retry_scheduled", "started", "completed"]);
    expect(done.events[2]?.data).toMatchObject({ reason: "released", attempt: 1 });
    expect(Date.parse(done.finishedAt ?? "") - stoppedAt).toBeLessThan(3_000);
  }
});

test.concurrent("a stopping orchestrator says that it is not ready, claims nothing more, and lets a run finish in its time", async () => {
  await using box = await startOrchestrator({ env: { DRAIN_SECONDS: "15" } });
  await using agent = await startAgent(() => undefined);
  await box.register(agent, [{}]);
  const task = await box.post({ type: "work" });
  await agent.called(1);
  const stopped = box.stop();
  await eventually(async () => (await box.call("/ready")).status === 503, { what: "not ready" });
  const another = await box.post({ type: "work" });
  const [call] = agent.calls;
  if (call) answer(call.response, 200, { result: "in time" });
  await stopped;
  const { rows } = await box.database.pool.query("select id, status, attempt, result from tasks order by seq");
  expect(rows).toEqual([
    { id: task.id, status: "completed", attempt: 1, result: "in time" },
    { id: another.id, status: "queued", attempt: 0, result: null },
  ]);
});

test.concurrent("an answer after the lease was lost is put down as discarded, and changes nothing", async () => {
  await using box = await startOrchestrator();
  await using agent = await startAgent(() => undefined);
  await box.register(agent, [{}]);
  const task = await box.post({ type: "work", concurrencyKey: "k" });
  await agent.called(1);
  await box.database.pool.query("update tasks set lease_until = now() - interval '1 s'");
  await agent.called(2);
  const [first, second] = agent.calls;
  if (!first || !second) throw new Error("two calls were expected");
  answer(first.response, 200, { result: "first" });
  const after = await box.until(task.id, (now) => kindsOf(now).includes("result_discarded"));
  expect(after).toMatchObject({ status: "running", attempt: 2, result: null });
  answer(second.response, 200, { result: "second" });
  const done = await box.until(task.id, (now) => now.status === "completed");
  expect(done).toMatchObject({ result: "second", attempt: 2, maxAttempts: 3 });
  expect(kindsOf(done)).toEqual([
    "created",
    "started",
    "lease_expired",
    "retry_scheduled",
    "started",
    "result_discarded",
    "completed",
  ]);
  expect(done.events[5]).toMatchObject({ version: 4, data: { attempt: 1, outcome: "complete" } });
});

test.concurrent("an agent that says later and has ended before that is written leaves no trace of a loss", async () => {
  await using box = await startOrchestrator();
  await using agent = await startAgent(async (call) => {
    const end = {
      method: "PATCH",
      as: "service",
      body: { attempt: call.attempt, status: "completed", result: 1 },
    } as const;
    await box.call(`/task/${call.taskId}`, end);
    answer(call.response, 202, {});
  });
  await box.register(agent, [{}]);
  const tasks = await Promise.all(Array.from({ length: 10 }, () => box.post({ type: "work" })));
  for (const { id } of tasks) {
    await box.until(id, (now) => now.status === "completed");
    expect(kindsOf(await box.get(id))).toEqual(["created", "started", "completed"]);
  }
  await eventually(() => agent.calls.every((call) => call.response.writableFinished || call.response.destroyed));
});

test.concurrent("what an agent said of an error is in its event as it is in the task, nulls too", async () => {
  await using box = await startOrchestrator();
  const details = { order: null, list: [null, { deep: null }] };
  await using agent = await startAgent((call) =>
    answer(call.response, 400, { error: { code: "x", message: "y", details } }),
  );
  await box.register(agent, [{}]);
  const task = await box.post({ type: "work" });
  const failed = await box.until(task.id, (now) => now.status === "failed");
  expect(failed.error?.details).toEqual({ status: 400, said: details });
  expect(failed.events.at(-1)?.data.error).toEqual(failed.error);
});

test.concurrent("when the default of a database is another isolation, keys still get their next head", async () => {
  await using box = await startOrchestrator();
  await box.database.pool.query(
    `do $$ begin execute format('alter database %I set default_transaction_isolation to ''serializable''', current_database()); end $$`,
  );
  await using other = await startOrchestrator({ database: box.database });
  await using agent = await startAgent(() => ({ result: 1 }));
  await other.register(agent, [{ maxConcurrency: 20 }]);
  await box.stop();
  const posts = Array.from({ length: 60 }, (_, at) => other.post({ type: "work", concurrencyKey: `k${at % 2}` }));
  const tasks = await Promise.all(posts);
  for (const { id } of tasks) await other.until(id, (now) => now.status === "completed");
});
