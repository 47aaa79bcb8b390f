import { expect, test } from "vitest";
import type { LiveAgent } from "./slots.ts";
import { approvalWith, bornAt, taskWith } from "./task.fixture.ts";
import { explainWhy } from "./why.ts";

const agents: LiveAgent[] = [
  { name: "a", instance: "a-1", url: "http://a", types: [{ type: "work", path: "/run", maxConcurrency: 1 }] },
];
const idle = { agents };
const nobody = { agents: [] };
const due = { due: true, runAt: bornAt, ahead: null, ready: true, running: {} };

test.each([
  ["the prompt before the reason", approvalWith({ prompt: "sure?" }), "sure?"],
  ["the reason", approvalWith(), "costs money"],
  ["nothing", approvalWith({ reason: null }), null],
])("a task that waits for approval says %s", (_what, approval, detail) => {
  const task = taskWith({ status: "waiting", waitingFor: "approval", approval });
  expect(explainWhy(task, null, idle)).toEqual({ reason: "approval", detail });
});

test("a task that waits for input shows the question", () => {
  const task = taskWith({
    status: "waiting",
    waitingFor: "input",
    approval: approvalWith({ reason: null, prompt: "which?" }),
  });
  expect(explainWhy(task, null, idle)).toEqual({ reason: "input", detail: "which?" });
});

test("a queued task names what stands before it, the nearest obstacle first", () => {
  const task = taskWith();
  expect(explainWhy(task, { ...due, due: false, ahead: "id-ahead", ready: false }, nobody)).toEqual({
    reason: "behind_key",
    detail: "id-ahead",
  });
  expect(explainWhy(task, { ...due, due: false, ready: false }, nobody)).toEqual({ reason: "run_at", detail: bornAt });
  expect(explainWhy(task, due, nobody)).toEqual({ reason: "no_agent", detail: expect.stringContaining("work") });
  expect(explainWhy(taskWith({ type: "other" }), due, idle)?.reason).toBe("no_agent");
  const busy = { ...due, running: { "a-1": 1 } };
  expect(explainWhy(task, busy, idle)).toEqual({ reason: "agents_busy", detail: expect.stringContaining("work") });
  const open = { agents, circuits: new Map([["a-1", "open" as const]]) };
  expect(explainWhy(task, due, open)).toEqual({ reason: "circuit_open", detail: expect.stringContaining("work") });
  expect(explainWhy(task, busy, open)?.reason).toBe("agents_busy");
  expect(explainWhy(task, due, idle)).toEqual({ reason: "next", detail: null });
});

test("a task that has left the queue since it was read needs no reason", () => {
  expect(explainWhy(taskWith(), null, idle)).toBeUndefined();
});
