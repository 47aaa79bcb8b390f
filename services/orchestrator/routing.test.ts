import { freshDatabase } from "@signalbox/testing/database.ts";
import { eventually } from "@signalbox/testing/eventually.ts";
import { expect, test } from "vitest";
import { reply as answer, basic, type Orchestrator, startAgent, startOrchestrator } from "./orchestrator.fixture.ts";

async function readGauge(box: Orchestrator, name: string): Promise<number> {
  const response = await fetch(`${box.url}/metrics`, { headers: { authorization: basic } });
  return Number(new RegExp(`^${name}(?:\\{.*\\})? (.*)$`, "m").exec(await response.text())?.[1]);
}

test.concurrent("an instance that keeps failing is left alone, its tasks wait without spending attempts, and one run tries it", async () => {
  await using box = await startOrchestrator();
  let isWell = false;
  await using agent = await startAgent((call) => {
    if (!isWell) return answer(call.response, 500, {});
    return { result: call.attempt };
  });
  await box.register(agent, [{ maxConcurrency: 1 }, { type: "other" }]);
  await Promise.all(Array.from({ length: 5 }, () => box.post({ type: "work", maxAttempts: 1 })));
  await eventually(async () => (await readGauge(box, "signalbox_circuits_open")) === 1, { what: "the circuit" });
  const waiting = await box.post({ type: "work" });
  const other = await box.post({ type: "other" });
  expect((await box.get(waiting.id)).why).toEqual({ reason: "circuit_open", detail: expect.stringContaining("work") });
  expect((await box.get(other.id)).why?.reason).toBe("circuit_open");
  isWell = true;
  for (const { id } of [waiting, other]) {
    const done = await box.until(id, (now) => now.status === "completed", "the end of what waited");
    expect(done.attempt).toBe(1);
  }
  expect(agent.calls).toHaveLength(7);
  expect(await readGauge(box, "signalbox_circuits_open")).toBe(0);
});

test.concurrent("three orchestrators together never run more on an instance than it takes, and waste none of its slots", async () => {
  await using database = await freshDatabase();
  await using first = await startOrchestrator({ database });
  await using second = await startOrchestrator({ database });
  await using third = await startOrchestrator({ database });
  const boxes = [first, second, third];
  for (const box of boxes) {
    await eventually(async () => (await readGauge(box, "signalbox_orchestrators")) === 3, { what: "three shares" });
  }
  let [running, most] = [0, 0];
  const isFull = Promise.withResolvers<void>();
  await using agent = await startAgent(async (call) => {
    running++;
    most = Math.max(most, running);
    if (running === 4) isFull.resolve();
    await isFull.promise;
    running--;
    return { result: call.attempt };
  });
  await first.register(agent, [{ maxConcurrency: 4 }]);
  const tasks = await Promise.all(
    Array.from({ length: 120 }, (_, at) => (boxes[at % 3] ?? first).post({ type: "work" })),
  );
  for (const { id } of tasks) await first.until(id, (now) => now.status === "completed");
  expect(most).toBe(4);
});

test.concurrent("an orchestrator that leaves gives its share to those that stay", async () => {
  await using database = await freshDatabase();
  await using stays = await startOrchestrator({ database });
  const leaves = await startOrchestrator({ database });
  await eventually(async () => (await readGauge(stays, "signalbox_orchestrators")) === 2, { what: "two shares" });
  await leaves.stop();
  await eventually(async () => (await readGauge(stays, "signalbox_orchestrators")) === 1, { what: "one share" });
});

test.concurrent("a task that waits for a slot says so, whichever orchestrator is asked", async () => {
  await using database = await freshDatabase();
  await using first = await startOrchestrator({ database });
  await using second = await startOrchestrator({ database });
  await using agent = await startAgent(() => undefined);
  await first.register(agent, [{ maxConcurrency: 1 }]);
  await first.post({ type: "work" });
  await agent.called(1);
  const waiting = await second.post({ type: "work" });
  const busy = { reason: "agents_busy", detail: expect.stringContaining("work") };
  for (const box of [first, second]) {
    await box.until(waiting.id, ({ why }) => why?.reason !== "no_agent", "the agent, seen by both");
    expect((await box.get(waiting.id)).why).toEqual(busy);
  }
});

test.concurrent("an agent that is being started again finds its task with attempts left", async () => {
  await using box = await startOrchestrator();
  const agent = await startAgent(() => undefined);
  await box.register(agent, [{}]);
  await agent[Symbol.asyncDispose]();
  const task = await box.post({ type: "work" });
  const refused = await box.until(task.id, ({ events }) => events.some(({ kind }) => kind === "retry_scheduled"));
  expect(refused.events.at(-1)?.data).toMatchObject({ attempt: 1, error: { code: "agent_unreachable" } });
  expect(Number(refused.events.at(-1)?.data.delayMs)).toBeGreaterThanOrEqual(4_000);
});
