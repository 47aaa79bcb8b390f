import type { Task, TaskStatus } from "@signalbox/common/contracts/task.ts";
import { taskStatuses } from "@signalbox/common/contracts/task.ts";
import { expect, test } from "vitest";
import { type PatchBody, type Plan, planPatch, type Seen } from "./patch.ts";
import { approvalWith, bornAt, taskId, taskWith } from "./task.fixture.ts";
import { mayTurnInto } from "./transition.ts";

const person = { actor: "person:operator", isPerson: true, isCareful: false, attemptBudget: 3, isApproved: false };

function plan(task: Task, patch: PatchBody, seen: Seen = { ifVersion: task.version }): Plan {
  return planPatch(task, seen, patch, person);
}

function changed(task: Task, patch: PatchBody, seen?: Seen) {
  const planned = plan(task, patch, seen);
  if (planned.kind !== "change") throw new Error(`it was not changed: ${JSON.stringify(planned)}`);
  return planned;
}

function inState(status: TaskStatus, members: Partial<Task> = {}): Task {
  const waitingFor = status === "waiting" ? "input" : null;
  return taskWith({ status, waitingFor, version: 4, attempt: 1, ...members });
}

const cells = taskStatuses.flatMap((from) => taskStatuses.map((to): [TaskStatus, TaskStatus] => [from, to]));

test.each(cells)("a person's patch from %s to %s", (from, to) => {
  const planned = plan(inState(from), { status: to });
  if (from === to) expect(planned).toEqual({ kind: "keep" });
  else if (mayTurnInto(from, to)) expect(planned).toMatchObject({ kind: "change", next: { status: to } });
  else expect(planned).toMatchObject({ kind: "refuse", because: { code: "illegal_transition" } });
});

test("a refused transition says what would be possible", () => {
  const planned = plan(inState("completed"), { status: "running" });
  expect(planned).toMatchObject({ because: { message: expect.stringContaining("queued") } });
});

test.each([1, 3, 5])("version %d of a task that has version 4 is stale, whatever is asked", (ifVersion) => {
  const stale = { code: "version_conflict", currentVersion: 4, message: expect.stringContaining(taskId) };
  expect(plan(inState("queued"), { priority: 1 }, { ifVersion })).toEqual({ kind: "refuse", because: stale });
  expect(plan(inState("queued"), { status: "running" }, { ifVersion })).toEqual({ kind: "refuse", because: stale });
  expect(plan(inState("queued"), {}, { ifVersion })).toEqual({ kind: "refuse", because: stale });
});

test.each<[string, PatchBody]>([
  ["nothing", {}],
  ["only a reason", { reason: "because" }],
  ["the status it has", { status: "queued" }],
  ["the values it has", { priority: 0, correlationId: null, payload: {}, result: null, error: null, runAt: bornAt }],
  ["its time written otherwise", { runAt: "2026-01-31T09:00:00+01:00" }],
  ["its payload with members in another order", { payload: {} }],
])("a patch of %s changes nothing", (_what, patch) => {
  expect(plan(inState("queued"), patch)).toEqual({ kind: "keep" });
});

test("every field is one change with from and to, and one patched event tells them all with the reason", () => {
  const patch: PatchBody = {
    status: "failed",
    payload: { b: 2 },
    result: [1],
    error: { code: "broken", message: "by hand" },
    correlationId: "mine",
    priority: -7,
    runAt: "2026-02-01T00:00:00+02:00",
    reason: "cleaning up",
  };
  const { event, next } = changed(inState("queued", { payload: { a: 1 } }), patch);
  expect(event).toEqual({
    kind: "patched",
    data: {
      reason: "cleaning up",
      changes: {
        status: { from: "queued", to: "failed" },
        payload: { from: { a: 1 }, to: { b: 2 } },
        result: { from: null, to: [1] },
        error: { from: null, to: { code: "broken", message: "by hand" } },
        correlationId: { from: null, to: "mine" },
        priority: { from: 0, to: -7 },
        runAt: { from: bornAt, to: "2026-01-31T22:00:00.000Z" },
      },
    },
  });
  expect(next).toMatchObject({ status: "failed", runAt: "2026-01-31T22:00:00.000Z", maxAttempts: 3 });
});

test("null is a value: it clears a correlation id, an error and a result, and may be a payload", () => {
  const task = inState("failed", { correlationId: "x", error: { code: "e", message: "m" }, result: 1 });
  const { next } = changed(task, { correlationId: null, error: null, result: null, payload: null });
  expect(next).toMatchObject({ status: "failed", correlationId: null, error: null, result: null, payload: null });
});

test("an end by hand has an error that says who and why, and completing clears an old one", () => {
  const task = inState("running", { error: { code: "agent_503", message: "busy" } });
  expect(changed(task, { status: "failed" }).next.error).toEqual({
    code: "failed_by_hand",
    message: "failed by person:operator",
  });
  expect(changed(task, { status: "canceled", reason: "not needed" }).next.error).toEqual({
    code: "canceled",
    message: "not needed",
  });
  expect(changed(task, { status: "completed", result: 1 }).next).toMatchObject({ error: null, result: 1 });
});

test.each<[TaskStatus, string | null]>([
  ["queued", "approval"],
  ["running", "input"],
])("a %s task may be made to wait for %s", (from, waitingFor) => {
  const { next } = changed(inState(from), {
    status: "waiting",
    waitingFor: waitingFor as "input",
    reason: "look first",
  });
  expect(next).toMatchObject({ status: "waiting", waitingFor });
  const asked = { reason: "look first", requestedBy: "person:operator", decidedBy: null, expiresAt: null };
  expect(next.approval).toEqual(waitingFor === "approval" ? { ...asked, prompt: null, decidedAt: null } : null);
});

test("to wait without saying what for is to wait for input", () => {
  expect(changed(inState("queued"), { status: "waiting" }).next.waitingFor).toBe("input");
});

test.each<PatchBody>([{ waitingFor: "input" }, { waitingFor: "approval", status: "failed" }])(
  "what it waits for is said of waiting tasks only: %j",
  (patch) => {
    expect(plan(inState("queued"), patch)).toMatchObject({ because: { code: "illegal_transition" } });
  },
);

const waiting = inState("waiting", { waitingFor: "approval", approval: approvalWith(), attempt: 0 });

test.each<PatchBody>([
  { status: "queued" },
  { status: "failed" },
  { status: "completed" },
  { status: "running" },
  { waitingFor: "input" },
  { status: "waiting", waitingFor: "input" },
])("an approval is not got around by %j", (patch) => {
  expect(plan(waiting, patch)).toMatchObject({ kind: "refuse", because: { code: "illegal_transition" } });
});

test.each<PatchBody>([{ status: "canceled" }, { payload: { edited: true } }, { priority: 5 }, { correlationId: "x" }])(
  "a task that waits for approval may be changed by %j, and goes on waiting unless canceled",
  (patch) => {
    const { next } = changed(waiting, patch);
    expect(next.status).toBe(patch.status ?? "waiting");
    expect(next.approval).toEqual(approvalWith());
  },
);

test("an ended task that is queued again counts on, forgets its end, and may be given another payload with it", () => {
  const task = inState("failed", {
    attempt: 3,
    maxAttempts: 3,
    error: { code: "agent_503", message: "busy" },
    progress: { message: "half", percent: 50, agentName: null, at: bornAt },
  });
  const { next, event } = changed(task, { status: "queued", payload: { again: 1 }, priority: 9 });
  expect(next).toMatchObject({
    status: "queued",
    maxAttempts: 6,
    error: null,
    result: null,
    progress: null,
    runAt: null,
    payload: { again: 1 },
    priority: 9,
  });
  expect(event).toMatchObject({ kind: "patched", data: { changes: { status: { from: "failed", to: "queued" } } } });
});

test.each<[string, Partial<Task>, boolean, string]>([
  ["never decided", { approval: approvalWith() }, false, "waiting"],
  [
    "expired",
    { approval: approvalWith({ expiresAt: bornAt }), error: { code: "approval_expired", message: "" } },
    false,
    "waiting",
  ],
  [
    "rejected",
    { approval: approvalWith({ decidedBy: "person:x", decidedAt: bornAt }), error: { code: "rejected", message: "" } },
    false,
    "waiting",
  ],
  [
    "rejected, its error then patched away",
    { approval: approvalWith({ decidedBy: "person:x", decidedAt: bornAt }), error: null },
    false,
    "waiting",
  ],
  ["given", { approval: approvalWith({ decidedBy: "person:x", decidedAt: bornAt }) }, true, "queued"],
  [
    "given, then failed by an agent that calls that rejected",
    { approval: approvalWith({ decidedBy: "person:x", decidedAt: bornAt }), error: { code: "rejected", message: "" } },
    true,
    "queued",
  ],
  [
    "asked by the agent itself in its run",
    { approval: approvalWith({ requestedBy: "agent:a", prompt: "sure?" }) },
    false,
    "queued",
  ],
  [
    "not an approval but a question without words",
    { approval: approvalWith({ requestedBy: "agent:a" }) },
    false,
    "queued",
  ],
  ["never needed", { approval: null }, false, "queued"],
])("a retry after an approval that was %s", (_what, members, isApproved, status) => {
  const task = inState("canceled", members);
  const planned = planPatch(task, { ifVersion: 4 }, { status: "queued" }, { ...person, isApproved });
  if (planned.kind !== "change") throw new Error("it was not changed");
  expect(planned.next).toMatchObject({ status, waitingFor: status === "waiting" ? "approval" : null });
  if (status === "waiting")
    expect(planned.next.approval).toMatchObject({ decidedBy: null, decidedAt: null, expiresAt: null });
});

const given = approvalWith({ decidedBy: "person:x", decidedAt: bornAt });
const ofAgent = approvalWith({ requestedBy: "agent:a" });
const approved = { isApproved: true };

test.each<[string, Task, object, boolean]>([
  ["that waits for its approval", inState("waiting", { waitingFor: "approval", approval: approvalWith() }), {}, true],
  [
    "that waits for another one",
    inState("waiting", { waitingFor: "approval", approval: approvalWith() }),
    approved,
    true,
  ],
  ["that was approved and has not begun", inState("queued", { approval: given }), approved, false],
  ["that was approved and runs", inState("running", { approval: given }), approved, false],
  ["that was approved and whose agent has a question", inState("waiting", { approval: ofAgent }), approved, false],
  ["that ended after its approval", inState("failed", { approval: given }), approved, false],
  ["that was rejected", inState("canceled", { approval: given }), {}, true],
  ["that a person made of a careful type", inState("queued"), { isCareful: true }, false],
  ["whose agent was refused a step of it", inState("canceled", { approval: ofAgent }), { isCareful: true }, false],
  ["that nobody had to agree to", inState("queued"), {}, true],
])("a service may change the payload of a task %s: %#", (_what, task, terms, isAllowed) => {
  const by = { ...person, actor: "service:internal", isPerson: false, ...terms };
  const patch = { payload: { edited: true } };
  const planned = planPatch(task, { ifVersion: 4 }, patch, by);
  expect(planned).toMatchObject(isAllowed ? { kind: "change" } : { kind: "refuse", because: { code: "forbidden" } });
  expect(planPatch(task, { ifVersion: 4 }, patch, { ...by, isPerson: true })).toMatchObject({ kind: "change" });
  expect(planPatch(task, { ifVersion: 4 }, { payload: task.payload, priority: 7 }, by)).toMatchObject({
    kind: "change",
  });
});

const running = inState("running", { attempt: 2, agent: "fixture" });

test.each<[string, Task, number]>([
  ["an older attempt", running, 1],
  ["an attempt that has not begun", running, 3],
  ["the right attempt of a task that waits to be retried", inState("queued", { attempt: 2 }), 2],
  ["the right attempt of an ended task", inState("completed", { attempt: 2 }), 2],
  ["the right attempt of a parked task", inState("waiting", { attempt: 2 }), 2],
])("%s has lost its lease", (_what, task, attempt) => {
  expect(plan(task, { status: "completed", result: 1 }, { attempt })).toMatchObject({
    because: { code: "lease_lost" },
  });
});

test("the running attempt ends its task with the event that an answer would have made", () => {
  const done = changed(running, { status: "completed", result: { n: 1 } }, { attempt: 2 });
  expect(done).toMatchObject({
    next: { status: "completed", result: { n: 1 } },
    event: { kind: "completed", data: { attempt: 2 } },
  });
  const error = { code: "no_luck", message: "gave up" };
  expect(changed(running, { status: "failed", error }, { attempt: 2 }).event).toEqual({
    kind: "failed",
    data: { attempt: 2, error },
  });
  expect(changed(running, { status: "canceled" }, { attempt: 2 }).event.kind).toBe("patched");
});

test("an attempt cannot put itself back in the queue", () => {
  expect(plan(running, { status: "queued" }, { attempt: 2 })).toMatchObject({
    because: { code: "illegal_transition" },
  });
});
