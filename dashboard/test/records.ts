import type { TaskEvent } from "@signalbox/common/contracts/event.ts";
import type { Log } from "@signalbox/common/contracts/log.ts";
import type { Task } from "@signalbox/common/contracts/task.ts";

let count = 0;

/** UUIDv7-shaped ids that grow in the order they are made. */
export function nextId(atMs = Date.now()): string {
  count++;
  const time = atMs.toString(16).padStart(12, "0");
  return `${time.slice(0, 8)}-${time.slice(8)}-7000-8000-${count.toString(16).padStart(12, "0")}`;
}

export const aTrace = "4bf92f3577b34da6a3ce929d0e0e4736";

export function toTask(change: Partial<Task> = {}): Task {
  const at = change.createdAt ?? new Date().toISOString();
  return {
    id: nextId(Date.parse(at)),
    type: "echo",
    source: "api",
    status: "queued",
    version: 1,
    payload: {},
    result: null,
    error: null,
    correlationId: null,
    traceId: aTrace,
    priority: 0,
    attempt: 0,
    maxAttempts: 3,
    runAt: at,
    timeoutMs: 30_000,
    concurrencyKey: null,
    parentId: null,
    agent: null,
    userKey: null,
    waitingFor: null,
    approval: null,
    progress: null,
    createdAt: at,
    updatedAt: at,
    startedAt: null,
    finishedAt: null,
    ...change,
  };
}

export function toEvent(task: Task, kind: TaskEvent["kind"], change: Partial<TaskEvent> = {}): TaskEvent {
  const at = change.at ?? task.updatedAt;
  return {
    id: nextId(Date.parse(at)),
    taskId: task.id,
    kind,
    actor: "person:operator",
    at,
    version: task.version,
    data: {},
    ...change,
  };
}

export function toLog(change: Partial<Log> = {}): Log {
  const at = change.at ?? new Date().toISOString();
  return {
    id: nextId(Date.parse(at)),
    at,
    level: "info",
    service: "orchestrator",
    message: "a record",
    traceId: null,
    correlationId: null,
    taskId: null,
    data: {},
    ...change,
  };
}

/** A task that waits for an approval, as the orchestrator tells it. */
export function toWaiting(change: Partial<Task> = {}): Task {
  const approval = {
    reason: "signups are down",
    prompt: null,
    requestedBy: "service:posthog-watcher",
    expiresAt: new Date(Date.now() + 3_600_000).toISOString(),
    decidedBy: null,
    decidedAt: null,
  };
  return toTask({ type: "render.deploy", status: "waiting", waitingFor: "approval", approval, ...change });
}
