import type { TaskEvent } from "@signalbox/common/contracts/event.ts";
import type { Task } from "@signalbox/common/contracts/task.ts";
import type { Received } from "../net/frames.ts";
import { type FeedRow, TRIM_BYTES, toListTask, toRows } from "./rows.ts";
import { appendRows, emptyTail, type Tail } from "./tail.ts";
import { emptyTable, putTasks, type TaskTable } from "./task-table.ts";

/** What the live stream has told since the page was opened. */
export type LiveState = {
  tasks: TaskTable;
  tail: Tail;
  /** Server clock minus this machine's, in ms. */
  offsetMs: number;
  applied: number;
  gaps: number;
  lastAt: string | null;
};

export const initialLive: LiveState = {
  tasks: emptyTable,
  tail: emptyTail,
  offsetMs: 0,
  applied: 0,
  gaps: 0,
  lastAt: null,
};

/** One batch as every reader needs it: the rows in order, the events and tasks whole, and the tasks as lists hold them. */
export type Batch = {
  rows: readonly FeedRow[];
  events: readonly TaskEvent[];
  tasks: readonly Task[];
  listTasks: readonly Task[];
  /** The server skipped something: what was read by REST may have missed a change. */
  hasLoss: boolean;
};

function taskFrames(received: readonly Received[]) {
  return received.flatMap(({ frame, sizeBytes }) => (frame.type === "task" ? [{ ...frame, sizeBytes }] : []));
}

function offsetOf(batch: readonly Received[], nowMs: number): number | null {
  const frame = batch.findLast((received) => received.frame.type === "heartbeat")?.frame;
  return frame?.type === "heartbeat" ? Date.parse(frame.at) - nowMs : null;
}

export function toBatch(state: LiveState, received: readonly Received[]): Batch {
  const frames = taskFrames(received);
  return {
    rows: toRows(received, state.lastAt, state.gaps),
    events: frames.map(({ event }) => event),
    tasks: frames.map(({ task }) => task),
    listTasks: frames.map(({ task, sizeBytes }) => toListTask(task, sizeBytes)),
    hasLoss: received.some(({ frame }) => frame.type === "gap" && frame.reason !== "slow_tab"),
  };
}

/**
 * The state after a batch of frames.
 *
 * @param nowMs this machine's clock when the batch was applied, which a heartbeat's instant is compared with
 */
export function applyFrames(state: LiveState, received: readonly Received[], nowMs: number): LiveState {
  const rows = toRows(received, state.lastAt, state.gaps);
  // The table paints a task's page at once, so it holds whole tasks only; a very large one is read when it is opened.
  const small = taskFrames(received).filter(({ sizeBytes }) => sizeBytes <= TRIM_BYTES);
  return {
    tasks: putTasks(
      state.tasks,
      small.map(({ task }) => task),
    ),
    tail: appendRows(state.tail, rows),
    offsetMs: offsetOf(received, nowMs) ?? state.offsetMs,
    applied: state.applied + received.length,
    gaps: state.gaps + rows.filter((row) => row.kind === "gap").length,
    lastAt: rows.findLast((row) => row.kind !== "gap")?.at ?? state.lastAt,
  };
}
