import { expect, test } from "vitest";
import { toEvent, toLog, toTask } from "../../test/records.ts";
import type { Received, StreamFrame } from "../net/frames.ts";
import { applyFrames, initialLive, toBatch } from "./live.ts";
import { sizeOf } from "./ring.ts";
import { emptyTable, findTask, HELD_TASKS, putTasks } from "./task-table.ts";

const received = (frame: StreamFrame, sizeBytes = 100): Received => ({ frame, sizeBytes });
const taskFrame = (task: ReturnType<typeof toTask>) =>
  received({ type: "task", cursor: "c", event: toEvent(task, "patched"), task });

test("a task's higher version wins, in whatever order the two come", () => {
  const old = toTask({ version: 2, status: "running" });
  const fresh = { ...old, version: 3, status: "completed" as const };
  for (const order of [
    [old, fresh],
    [fresh, old],
  ]) {
    const state = applyFrames(initialLive, order.map(taskFrame), 0);
    expect(findTask(state.tasks, old.id)?.status).toBe("completed");
  }
});

test("the state before is left as it was", () => {
  const before = applyFrames(initialLive, [taskFrame(toTask())], 0);
  applyFrames(before, [taskFrame(toTask()), received({ type: "log", cursor: "c", log: toLog() })], 0);
  expect(sizeOf(before.tail)).toBe(1);
  expect(before.applied).toBe(1);
});

test("the heartbeat sets the clock, and neither it nor a hello is a row", () => {
  const state = applyFrames(
    initialLive,
    [received({ type: "heartbeat", cursor: "c", at: new Date(5_000).toISOString() })],
    2_000,
  );
  expect([state.offsetMs, sizeOf(state.tail)]).toEqual([3_000, 0]);
});

test("a gap is a row that knows what was before it; only the server's is a reason to read again", () => {
  const log = toLog({ at: "2026-11-21T12:00:00.000Z" });
  const server = received({ type: "gap", cursor: "c", reason: "retention", dropped: 7 });
  const own = received({ type: "gap", reason: "slow_tab", dropped: 3 });
  const state = applyFrames(initialLive, [received({ type: "log", cursor: "c", log }), server, own], 0);
  expect([sizeOf(state.tail), state.gaps]).toEqual([3, 2]);
  expect(toBatch(initialLive, [received({ type: "log", cursor: "c", log }), server]).rows[1]).toMatchObject({
    kind: "gap",
    afterAt: log.at,
    dropped: 7,
  });
  expect([toBatch(initialLive, [server]).hasLoss, toBatch(initialLive, [own]).hasLoss]).toEqual([true, false]);
});

test("no more tasks are held than fit, the least used go first", () => {
  const tasks = Array.from({ length: HELD_TASKS + 2_000 }, () => toTask());
  const table = putTasks(emptyTable, tasks);
  const held = table.reduce((sum, bucket) => sum + bucket.size, 0);
  expect(held).toBeLessThanOrEqual(HELD_TASKS + 64);
  expect(findTask(table, tasks.at(-1)?.id ?? "")).not.toBeNull();
  expect(findTask(table, tasks[0]?.id ?? "")).toBeNull();
});

test("lists hold a line of a large payload, a task's own page all of it", () => {
  const task = toTask({ payload: { big: "x".repeat(50_000) } });
  const batch = toBatch(initialLive, [
    received({ type: "task", cursor: "c", event: toEvent(task, "created"), task }, 60_000),
  ]);
  expect(JSON.stringify(batch.listTasks[0]).length).toBeLessThan(5_000);
  expect(batch.tasks[0]).toBe(task);
});
