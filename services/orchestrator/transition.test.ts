import type { TaskStatus } from "@signalbox/common/contracts/task.ts";
import { taskStatuses } from "@signalbox/common/contracts/task.ts";
import { expect, test } from "vitest";
import { hasEnded, mayTurnInto, reachableFrom } from "./transition.ts";

/** What the contract allows by hand, besides staying as it is. */
const allowed: Record<TaskStatus, TaskStatus[]> = {
  queued: ["canceled", "completed", "failed", "waiting"],
  running: ["completed", "failed", "canceled", "waiting"],
  waiting: ["queued", "canceled", "failed"],
  completed: ["queued"],
  failed: ["queued"],
  canceled: ["queued"],
};

const cells = taskStatuses.flatMap((from) => taskStatuses.map((to): [TaskStatus, TaskStatus] => [from, to]));

test.each(cells)("%s -> %s", (from, to) => {
  expect(mayTurnInto(from, to)).toBe(from === to || allowed[from].includes(to));
});

test.each(taskStatuses)("what %s can become is listed without itself", (from) => {
  expect(reachableFrom(from).sort()).toEqual([...allowed[from]].sort());
});

test("three of the six states are ends", () => {
  expect(taskStatuses.filter(hasEnded)).toEqual(["completed", "failed", "canceled"]);
});
