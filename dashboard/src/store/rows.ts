import type { TaskEvent } from "@signalbox/common/contracts/event.ts";
import type { Log } from "@signalbox/common/contracts/log.ts";
import type { Task, TaskStatus } from "@signalbox/common/contracts/task.ts";
import type { Received } from "../net/frames.ts";

/** What a row of an event needs of its task: the whole task would hold every payload as long as the row. */
export type TaskBrief = {
  id: string;
  type: string;
  status: TaskStatus;
  source: string;
  traceId: string;
  correlationId: string | null;
};

type Base = { key: string; weight: number; at: string };
export type LogRow = Base & { kind: "log"; log: Log; trimmed: boolean };
export type EventRow = Base & { kind: "event"; event: TaskEvent; task: TaskBrief; count: number };
/** A task as it was when the page read it: the page was not there to see the event. */
export type StateRow = Base & { kind: "state"; task: TaskBrief; note: string | null };
export type GapRow = Base & { kind: "gap"; reason: string; dropped: number | null; afterAt: string | null };
export type MarkRow = Base & { kind: "mark"; text: string };
export type FeedRow = LogRow | EventRow | StateRow | GapRow | MarkRow;

/** A record may be 1 MiB; past this its `data` is left out of memory and read again when the row is opened. */
export const TRIM_BYTES = 16 * 1024;
const ROW_BYTES = 200;

function toBrief(task: Task): TaskBrief {
  const { id, type, status, source, traceId, correlationId } = task;
  return { id, type, status, source, traceId, correlationId };
}

export function toLogRow(log: Log, sizeBytes: number): LogRow {
  const trimmed = sizeBytes > TRIM_BYTES;
  const kept = trimmed ? { ...log, message: log.message.slice(0, TRIM_BYTES), data: {} } : log;
  return {
    kind: "log",
    key: log.id,
    at: log.at,
    log: kept,
    trimmed,
    weight: ROW_BYTES + Math.min(sizeBytes, TRIM_BYTES),
  };
}

/** Records of a REST answer come without their length; the message and the data's text are what weighs. */
export function toStoredLogRow(log: Log): LogRow {
  return toLogRow(log, log.message.length + JSON.stringify(log.data).length + ROW_BYTES);
}

const PREVIEW_CHARS = 2_000;

/** A task as lists hold it: a payload may be 1 MiB, and a list shows a line of it. The task's own page reads it whole. */
export function toListTask(task: Task, sizeBytes?: number): Task {
  const isSmall = (sizeBytes ?? JSON.stringify([task.payload, task.result]).length) <= TRIM_BYTES;
  if (isSmall) return task;
  return { ...task, payload: JSON.stringify(task.payload)?.slice(0, PREVIEW_CHARS) ?? null, result: null };
}

export function toStateRow(task: Task): StateRow {
  const at = task.finishedAt ?? task.updatedAt;
  const note = task.error?.message ?? task.progress?.message ?? null;
  return { kind: "state", key: `${task.id}@${task.version}`, at, task: toBrief(task), note, weight: ROW_BYTES };
}

export function toMarkRow(key: string, at: string, text: string): MarkRow {
  return { kind: "mark", key, at, text, weight: ROW_BYTES };
}

/** Half of the frame is the task, which the row does not hold. */
function toEventRow(event: TaskEvent, task: Task, sizeBytes: number): EventRow {
  const kept = sizeBytes > TRIM_BYTES ? { ...event, data: {} } : event;
  const weight = 2 * ROW_BYTES + Math.min(sizeBytes, TRIM_BYTES) / 2;
  return { kind: "event", key: event.id, at: event.at, event: kept, task: toBrief(task), count: 1, weight };
}

function toRow({ frame, sizeBytes }: Received, lastAt: string | null, gapNumber: number): FeedRow | null {
  switch (frame.type) {
    case "task":
      return toEventRow(frame.event, frame.task, sizeBytes);
    case "log":
      return toLogRow(frame.log, sizeBytes);
    case "gap":
      return {
        kind: "gap",
        key: `gap-${gapNumber}`,
        at: lastAt ?? "",
        reason: frame.reason,
        dropped: frame.dropped,
        afterAt: lastAt,
        weight: ROW_BYTES,
      };
    default:
      return null;
  }
}

/** The rows of a batch, in stream order; a gap stands where it was told, after the newest row before it. */
export function toRows(batch: readonly Received[], lastAt: string | null, gapsBefore: number): FeedRow[] {
  const rows: FeedRow[] = [];
  let newest = lastAt;
  let gaps = gapsBefore;
  for (const received of batch) {
    const row = toRow(received, newest, gaps);
    if (!row) continue;
    if (row.kind === "gap") gaps++;
    else newest = row.at;
    rows.push(row);
  }
  return rows;
}
