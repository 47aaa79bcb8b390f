import type { TaskEvent } from "@signalbox/common/contracts/event.ts";
import type { Task } from "@signalbox/common/contracts/task.ts";
import { eventually } from "@signalbox/testing/eventually.ts";
import { expect, test } from "vitest";
import { connectClient, fleetPlace, readFleetFile, runStart } from "./fleet.fixture.ts";

/** Longer than a lease: what the killed orchestrator ran is given to its successor when that has run out. */
const timeout = 240_000;
const terminal = new Set(["completed", "failed", "canceled"]);

test("an orchestrator killed while 200 slow tasks run: each of them ends exactly once", { timeout }, async () => {
  await using place = await fleetPlace();
  await using fleet = runStart(place);
  await fleet.says(/Ready after/, 120_000);
  const client = await connectClient(place);
  const tasks = await Promise.all(
    Array.from({ length: 200 }, (_, n) => client.createTask({ n, delayMs: 1_500 }, { correlationId: "crash" })),
  );
  const list = async (status: string) =>
    (await client.call<{ items: Task[] }>("GET", `/tasks?correlationId=crash&status=${status}&limit=200`)).body.items;
  await eventually(async () => (await list("running")).length > 20, { timeoutMs: 30_000, what: "running tasks" });

  process.kill((await readFleetFile(place)).services.orchestrator?.pid ?? 0, "SIGKILL");
  await eventually(async () => (await list("completed")).length === tasks.length, {
    timeoutMs: 150_000,
    everyMs: 500,
    what: "the end of all tasks",
  });

  const ends = await Promise.all(
    tasks.map(async ({ id }) => {
      const { events } = await client.getTask(id);
      return events.filter(({ kind }: TaskEvent) => terminal.has(kind)).map(({ kind }) => kind);
    }),
  );
  expect(ends).toEqual(tasks.map(() => ["completed"]));
  const attempts = (await list("completed")).map(({ attempt }) => attempt);
  expect(Math.max(...attempts)).toBe(2);
});
