import { expect, test } from "vitest";
import { toEvent, toTask, toWaiting } from "../../test/records.ts";
import { initialLive, toBatch } from "./live.ts";
import { applyBatch, applySnapshot, changesToReview, fromCache, markReviewed } from "./task-page.ts";

const waiting = toWaiting({ version: 3, payload: { commitId: "a" } });
const read = (task = waiting) =>
  applySnapshot(fromCache(null), {
    ...task,
    events: [toEvent(task, "created")],
    why: { reason: "approval", detail: null },
  });
const live = (state: ReturnType<typeof read>, task = waiting, kind: Parameters<typeof toEvent>[1] = "patched") =>
  applyBatch(
    state,
    toBatch(initialLive, [{ frame: { type: "task", cursor: "c", event: toEvent(task, kind), task }, sizeBytes: 10 }]),
    waiting.id,
  );

test("what is on screen is reviewed, a newer version must be looked at first", () => {
  const state = live(read(), { ...waiting, version: 4, payload: { commitId: "b" } });
  expect([state.reviewed?.version, state.task?.version]).toEqual([3, 4]);
  expect(changesToReview(state)).toEqual([{ path: "payload.commitId", from: "a", to: "b" }]);
  expect(changesToReview(markReviewed(state))).toEqual([]);
  expect(markReviewed(state).reviewed?.version).toBe(4);
});

test("a version that changes nothing to decide about is reviewed by itself", () => {
  const state = live(read(), { ...waiting, version: 4, updatedAt: "2026-11-21T12:00:09.000Z" });
  expect(state.reviewed?.version).toBe(4);
});

test("nothing can be decided on a state that was only seen elsewhere", () => {
  expect(fromCache(waiting).reviewed).toBeNull();
  expect(live(fromCache(waiting), { ...waiting, version: 4 }).reviewed).toBeNull();
  expect(applySnapshot(fromCache(waiting), { ...waiting, version: 5, events: [] }).reviewed?.version).toBe(5);
});

test("events come once, by version, whether read or live", () => {
  const state = read();
  const started = toEvent({ ...waiting, version: 5 }, "started");
  const approved = toEvent({ ...waiting, version: 4 }, "approved");
  const read2 = applySnapshot(state, { ...waiting, version: 5, events: [...state.events, started, approved, started] });
  expect(read2.events.map(({ kind }) => kind)).toEqual(["created", "approved", "started"]);
});

test("another task's frames change nothing", () => {
  const state = read();
  expect(live(state, toTask())).toBe(state);
});

test("a late read does not turn the page back, and keeps why it waits for its own version", () => {
  const state = live(read(), { ...waiting, version: 6, status: "running", waitingFor: null }, "started");
  const late = applySnapshot(state, { ...waiting, version: 5, events: [], why: { reason: "approval", detail: null } });
  expect([late.task?.version, late.why]).toEqual([6, null]);
});
