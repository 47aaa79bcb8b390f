/**
 * Everything of a trace as one list, in which no effect stands before its cause, though the clocks of several machines wrote the
 * times: the ledger's are the database's, each log record's is its sender's. What is known of causes: a task's events have an order,
 * a child is created by a run of its parent, nothing is said of a task before it exists, and an agent says nothing of one before it
 * is started. A time that contradicts this is wrong, and what it belongs to is moved behind its cause.
 */
import type { TaskEvent } from "@signalbox/common/contracts/event.ts";
import type { Log } from "@signalbox/common/contracts/log.ts";
import type { Task } from "@signalbox/common/contracts/task.ts";
import type { TraceEntry } from "@signalbox/common/contracts/trace.ts";

type Placed = { atMs: number; place: number; entry: TraceEntry };

/** The first moments of a task, as moved. */
type Bounds = { createdMs: number; startedMs: number };

export type TimelineParts = { tasks: readonly Task[]; events: readonly TaskEvent[]; logs: readonly Log[] };

const textMax = 200;
/** Speaks of tasks that it has not started yet. */
const ownService = "orchestrator";

/** @param parts tasks and events in the order they were made, logs in any */
export function toTimeline({ tasks, events, logs }: TimelineParts): TraceEntry[] {
  const placed: Placed[] = [];
  const bounds = new Map<string, Bounds>();
  const eventsOf = Map.groupBy(events, ({ taskId }) => taskId);
  // Parents were created first, so theirs are known when a child's turn comes.
  for (const task of tasks) placeEvents(task, eventsOf.get(task.id) ?? [], { bounds, placed });
  for (const log of logs) {
    const own = log.taskId === null ? undefined : bounds.get(log.taskId);
    const earliestMs = own === undefined ? 0 : log.service === ownService ? own.createdMs : own.startedMs;
    const { at, taskId, id } = log;
    const entry: TraceEntry = { at, kind: "log", taskId, id, text: `${log.service}: ${log.message}`.slice(0, textMax) };
    placed.push({ atMs: Math.max(Date.parse(at), earliestMs), place: placed.length, entry });
  }
  return placed.sort((a, b) => a.atMs - b.atMs || a.place - b.place).map(({ entry }) => entry);
}

function placeEvents(
  task: Task,
  events: readonly TaskEvent[],
  { bounds, placed }: { bounds: Map<string, Bounds>; placed: Placed[] },
): void {
  const parent = task.parentId === null ? undefined : bounds.get(task.parentId);
  let lastMs = Math.max(Date.parse(task.createdAt), parent?.startedMs ?? 0);
  const own: Bounds = { createdMs: lastMs, startedMs: lastMs };
  let isStarted = false;
  for (const { at, taskId, id, kind } of events) {
    lastMs = Math.max(lastMs, Date.parse(at));
    if (kind === "started" && !isStarted) {
      own.startedMs = lastMs;
      isStarted = true;
    }
    placed.push({ atMs: lastMs, place: placed.length, entry: { at, kind: "event", taskId, id, text: kind } });
  }
  bounds.set(task.id, own);
}
