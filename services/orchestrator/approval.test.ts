import type { Task } from "@signalbox/common/contracts/task.ts";
import { expect, test } from "vitest";
import { planDecision, planExpiry, planInput } from "./approval.ts";
import { approvalWith, bornAt, taskWith } from "./task.fixture.ts";

const asked = taskWith({ status: "waiting", waitingFor: "approval", approval: approvalWith(), version: 3 });
const approve = { verdict: "approve", ifVersion: 3, note: null, actor: "person:operator", isLate: false } as const;
const reject = { ...approve, verdict: "reject" } as const;

test("approving queues the task, names who decided, and keeps its own time if it has not begun", () => {
  const planned = planDecision(asked, { ...approve, note: "go" });
  expect(planned).toMatchObject({
    kind: "change",
    next: {
      status: "queued",
      waitingFor: null,
      runAt: bornAt,
      approval: { decidedBy: "person:operator", reason: "costs money" },
    },
    event: { kind: "approved", data: { note: "go" } },
  });
});

test("a task that had begun runs at once when it is approved", () => {
  expect(planDecision({ ...asked, attempt: 1 }, approve)).toMatchObject({ next: { runAt: null } });
});

test("rejecting cancels with the code rejected and the note, or who it was", () => {
  expect(planDecision(asked, { ...reject, note: "too dear" })).toMatchObject({
    next: {
      status: "canceled",
      error: { code: "rejected", message: "too dear" },
      approval: { decidedBy: "person:operator" },
    },
    event: { kind: "rejected", data: { note: "too dear" } },
  });
  expect(planDecision(asked, reject)).toMatchObject({
    next: { error: { message: "rejected by person:operator" } },
    event: { data: {} },
  });
});

test.each([1, 2, 4])("a decision about version %d of version 3 decides nothing", (ifVersion) => {
  for (const decision of [approve, reject]) {
    expect(planDecision(asked, { ...decision, ifVersion })).toMatchObject({
      kind: "refuse",
      because: { code: "version_conflict", currentVersion: 3 },
    });
  }
});

test("nothing is approved or rejected when the approval has expired", () => {
  for (const decision of [approve, reject])
    expect(planDecision(asked, { ...decision, isLate: true })).toMatchObject({
      because: { code: "illegal_transition" },
    });
});

const elsewhere: Partial<Task>[] = [
  { status: "queued" },
  { status: "running" },
  { status: "waiting", waitingFor: "input" },
  { status: "completed" },
  { status: "failed" },
  { status: "canceled" },
];

test.each(elsewhere)("nothing is approved or rejected of a task that is %j", (members) => {
  const task = taskWith({ version: 3, ...members });
  expect(planDecision(task, approve)).toMatchObject({ because: { code: "illegal_transition" } });
  expect(planDecision(task, reject)).toMatchObject({ because: { code: "illegal_transition" } });
});

test.each<[unknown]>([["blue"], [null], [{ a: [1] }], [false]])("the input %j goes to the next run", (input) => {
  const task = taskWith({ status: "waiting", waitingFor: "input", version: 3, attempt: 1 });
  expect(planInput(task, { ifVersion: 3, input })).toMatchObject({
    kind: "change",
    next: { status: "queued", waitingFor: null, input, runAt: null },
    event: { kind: "input_received" },
  });
});

test("input is not taken by a task that waits for approval, nor for a version that was not seen", () => {
  expect(planInput(asked, { ifVersion: 3, input: 1 })).toMatchObject({ because: { code: "illegal_transition" } });
  const task = taskWith({ status: "waiting", waitingFor: "input", version: 3 });
  expect(planInput(task, { ifVersion: 2, input: 1 })).toMatchObject({ because: { code: "version_conflict" } });
});

test("an approval that expires fails the task; one that was decided or changed meanwhile does not", () => {
  expect(planExpiry(asked, 3)).toMatchObject({
    kind: "change",
    next: { status: "failed", error: { code: "approval_expired" } },
    event: { kind: "failed", data: { error: { code: "approval_expired" } } },
  });
  expect(planExpiry({ ...asked, version: 4 }, 3)).toEqual({ kind: "keep" });
  expect(planExpiry(taskWith({ version: 3 }), 3)).toEqual({ kind: "keep" });
});
