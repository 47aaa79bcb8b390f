/** Values for tests of the rules: a task in any state, an approval that was asked for. */
import type { Approval, Task } from "@signalbox/common/contracts/task.ts";

export const taskId = "01890000-0000-7000-8000-000000000001";
export const bornAt = "2026-01-31T08:00:00.000Z";

export function taskWith(members: Partial<Task> = {}): Task {
  return {
    id: taskId,
    type: "work",
    source: "api",
    status: "queued",
    version: 1,
    payload: {},
    result: null,
    error: null,
    correlationId: null,
    traceId: "0123456789abcdef0123456789abcdef",
    priority: 0,
    attempt: 0,
    maxAttempts: 3,
    runAt: bornAt,
    timeoutMs: 30_000,
    concurrencyKey: null,
    parentId: null,
    agent: null,
    userKey: null,
    waitingFor: null,
    approval: null,
    progress: null,
    createdAt: bornAt,
    updatedAt: bornAt,
    startedAt: null,
    finishedAt: null,
    ...members,
  };
}

export function approvalWith(members: Partial<Approval> = {}): Approval {
  return {
    reason: "costs money",
    prompt: null,
    requestedBy: "person:operator",
    expiresAt: null,
    decidedBy: null,
    decidedAt: null,
    ...members,
  };
}
