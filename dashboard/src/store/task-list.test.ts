import type { Task } from "@signalbox/common/contracts/task.ts";
import { expect, test } from "vitest";
import { toTask, toWaiting } from "../../test/records.ts";
import { emptyNeeds, judgeNeeds, putNeeds, startNeeds } from "./needs.ts";
import { addPage, applyTasks, countStatuses, emptyTaskList, settle, startList } from "./task-list.ts";

const at = (second: number) => new Date(Date.UTC(2026, 10, 21, 12, 0, second)).toISOString();
const task = (second: number, change: Partial<Task> = {}) => toTask({ createdAt: at(second), ...change });
const any = () => true;
const page = (items: Task[], nextCursor: string | null = null) => ({ items, nextCursor });
const ids = (tasks: readonly Task[]) => tasks.map(({ id }) => id);

test("what comes by the stream waits until it is let in, then stands at its place", () => {
  const [old, fresh] = [task(1), task(2)];
  const state = applyTasks(startList(page([old]), []), [fresh], any);
  expect([ids(state.rows), ids(state.fresh)]).toEqual([[old.id], [fresh.id]]);
  expect(ids(settle(state, any).rows)).toEqual([fresh.id, old.id]);
});

test("a listed task changes in its row, and an older answer does not change it back", () => {
  const listed = task(1, { version: 3, status: "running" });
  const state = applyTasks(startList(page([listed]), []), [{ ...listed, version: 4, status: "completed" }], any);
  expect(state.rows[0]?.status).toBe("completed");
  expect(addPage(state, page([listed])).rows[0]?.version).toBe(4);
});

test("an answer that was overtaken by the stream shows the stream's state", () => {
  const stale = task(1, { version: 1 });
  expect(startList(page([stale]), [{ ...stale, version: 2, status: "running" }]).rows[0]?.status).toBe("running");
});

test("a row that no longer matches stays until the list settles", () => {
  const failed = (one: Task) => one.status === "failed";
  const listed = task(1, { status: "failed" });
  const changed = applyTasks(startList(page([listed]), []), [{ ...listed, version: 2, status: "queued" }], failed);
  expect(changed.rows).toHaveLength(1);
  expect(settle(changed, failed).rows).toHaveLength(0);
});

test("two pages while tasks arrive: none is lost or doubled", () => {
  const old = Array.from({ length: 100 }, (_, index) => task(index % 60)).sort((left, right) =>
    left.createdAt < right.createdAt ? 1 : -1,
  );
  let state = startList(page(old.slice(0, 50), "next"), []);
  const arriving = Array.from({ length: 200 }, () => task(59));
  for (const one of arriving) state = applyTasks(state, [one], any);
  state = settle(addPage(state, page(old.slice(50))), any);
  expect(new Set(ids(state.rows)).size).toBe(300);
  expect(state.rows).toHaveLength(300);
});

test("counts are of what is given", () => {
  expect(countStatuses([task(1), task(2, { status: "failed" }), task(3)])).toMatchObject({
    queued: 2,
    failed: 1,
    running: 0,
  });
  expect(settle(emptyTaskList, any)).toBe(emptyTaskList);
});

test("what needs a person: soonest expiry first, failures of the last hour only", () => {
  const now = Date.parse(at(0)) + 2 * 3_600_000;
  const later = toWaiting({
    type: "later",
    approval: {
      reason: null,
      prompt: null,
      requestedBy: null,
      expiresAt: "2026-11-21T18:00:00.000Z",
      decidedBy: null,
      decidedAt: null,
    },
  });
  const sooner = {
    ...later,
    id: "sooner",
    type: "sooner",
    approval: later.approval && { ...later.approval, expiresAt: "2026-11-21T15:00:00.000Z" },
  };
  const recent = task(1, { status: "failed", finishedAt: new Date(now - 60_000).toISOString() });
  const old = task(1, { status: "failed", finishedAt: new Date(now - 3_700_000).toISOString() });
  const needs = judgeNeeds(putNeeds(emptyNeeds, [later, sooner, recent, old, task(1, { status: "running" })]), now);
  expect(needs.waiting.map(({ type }) => type)).toEqual(["sooner", "later"]);
  expect(ids(needs.failed)).toEqual([recent.id]);
  expect(needs.running).toBe(1);
});

test("an ended task is not brought back by a late answer", () => {
  const running = task(1, { status: "running", version: 2 });
  const ended = putNeeds(emptyNeeds, [{ ...running, status: "completed", version: 3 }]);
  const state = startNeeds(ended, { active: page([running], "more"), failed: page([]) });
  expect(judgeNeeds(state, 0).running).toBe(0);
  expect([...state.more]).toEqual(["active"]);
});
