import type { TaskEvent } from "@signalbox/common/contracts/event.ts";
import type { Log } from "@signalbox/common/contracts/log.ts";
import type { Task } from "@signalbox/common/contracts/task.ts";
import type { AgentCall, TaskNode, TraceNode, TraceTree } from "@signalbox/common/contracts/trace.ts";
import { toTimeline } from "./trace-timeline.ts";

/** Puts tasks below their parents, oldest first; one whose parent is not among them stands at the top. */
export function toTaskTree(tasks: readonly Task[], rootId: string): TaskNode | null {
  const nodes = nest(tasks, (task): TaskNode => ({ task, children: [] }));
  return nodes.get(rootId) ?? null;
}

function nest<N extends { task: Task; children: N[] }>(
  tasks: readonly Task[],
  toNode: (task: Task) => N,
): Map<string, N> {
  const nodes = new Map(tasks.map((task) => [task.id, toNode(task)]));
  for (const node of nodes.values()) {
    const parent = node.task.parentId === null ? undefined : nodes.get(node.task.parentId);
    if (parent) parent.children.push(node);
  }
  return nodes;
}

export type TraceParts = { traceId: string; tasks: Task[]; events: TaskEvent[]; logs: Log[]; notes: string[] };

/** Joins everything with one trace id into one tree; each list keeps the order it came in. */
export function toTraceTree({ traceId, tasks, events, logs, notes }: TraceParts): TraceTree {
  const ids = new Set(tasks.map((task) => task.id));
  const eventsOf = Map.groupBy(events, (event) => event.taskId);
  const logsOf = Map.groupBy(logs, (log) => (log.taskId !== null && ids.has(log.taskId) ? log.taskId : null));
  const nodes = nest(tasks, (task): TraceNode => {
    const own = eventsOf.get(task.id) ?? [];
    return { task, events: own, calls: toCalls(own), logs: logsOf.get(task.id) ?? [], children: [] };
  });
  const roots = [...nodes.values()].filter(({ task }) => task.parentId === null || !nodes.has(task.parentId));
  return { traceId, tasks: roots, logs: logsOf.get(null) ?? [], timeline: toTimeline({ tasks, events, logs }), notes };
}

/** The calls of a task's agents, read from its events: each begins with `started` and ends with the next that ends it. */
function toCalls(events: readonly TaskEvent[]): AgentCall[] {
  const calls: AgentCall[] = [];
  for (const event of events) {
    const open = calls.at(-1);
    if (event.kind === "started") calls.push(toOpenCall(event));
    else if (open?.endedAt === null) closeCall(open, event);
  }
  return calls;
}

function toOpenCall(event: TaskEvent): AgentCall {
  const { attempt, agent } = event.data;
  return {
    attempt: typeof attempt === "number" ? attempt : 0,
    agent: typeof agent === "string" ? agent : null,
    startedAt: event.at,
    endedAt: null,
    durationMs: null,
    outcome: "running",
  };
}

const outcomes: Partial<Record<TaskEvent["kind"], AgentCall["outcome"]>> = {
  completed: "completed",
  failed: "failed",
  retry_scheduled: "retried",
  lease_expired: "expired",
  canceled: "canceled",
  approval_requested: "waiting",
  input_requested: "waiting",
};

function closeCall(call: AgentCall, event: TaskEvent): void {
  const outcome = outcomes[event.kind] ?? (endsByHand(event) ? "ended_by_hand" : undefined);
  if (outcome === undefined) return;
  call.outcome = outcome;
  call.endedAt = event.at;
  call.durationMs = Math.max(0, Date.parse(event.at) - Date.parse(call.startedAt));
}

function endsByHand(event: TaskEvent): boolean {
  return event.kind === "patched" && JSON.stringify(event.data.changes ?? {}).includes('"status"');
}
