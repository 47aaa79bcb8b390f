import type { TaskEvent } from "@signalbox/common/contracts/event.ts";
import type { Log, LogLevel } from "@signalbox/common/contracts/log.ts";
import { logLevels } from "@signalbox/common/contracts/log.ts";
import type { Task } from "@signalbox/common/contracts/task.ts";

/** A task and all that is below it: whoever is made by a member joins when it is first seen. */
export type Family = { root: string; members: Set<string> };

/** What a stream shows; members that are left out let everything pass. */
export type StreamFilter = {
  types: { task: boolean; log: boolean };
  taskId?: string;
  family?: Family;
  traceId?: string;
  correlationId?: string;
  level?: LogLevel;
  service?: string;
};

/** A frame on its way to clients: made once for all that get the same, and put into each protocol's form once. */
export type Outgoing = {
  readonly text: string;
  readonly cursor: string;
  webSocket?: Buffer;
  serverSent?: Buffer;
};

/** One event or log record, serialised once for all clients: all of the frame but its cursor. */
export type Part = (
  | { source: "task"; seq: number; task: Task; body: string }
  | { source: "log"; seq: number; log: Log; body: string }
) & {
  /** The frame that was made of it last. */
  latest?: Outgoing;
};

export function toTaskPart(entry: { seq: number; event: TaskEvent; task: Task }): Part {
  const body = `,"event":${JSON.stringify(entry.event)},"task":${JSON.stringify(entry.task)}}`;
  return { source: "task", seq: entry.seq, task: entry.task, body };
}

/** @param text the record's JSON as it came, so that it is not serialised again */
export function toLogPart(entry: { seq: number; log: Log; text: string }): Part {
  return { source: "log", seq: entry.seq, log: entry.log, body: `,"log":${entry.text}}` };
}

export function toFrameText(part: Part, cursor: string): string {
  return `{"type":"${part.source}","cursor":"${cursor}"${part.body}`;
}

export function matches(filter: StreamFilter, part: Part): boolean {
  return part.source === "task" ? matchesTask(filter, part.task) : matchesLog(filter, part.log);
}

function matchesTask(filter: StreamFilter, task: Task): boolean {
  if (filter.family && !belongs(filter.family, task)) return false;
  return (
    isWanted(filter.taskId, task.id) &&
    isWanted(filter.traceId, task.traceId) &&
    isWanted(filter.correlationId, task.correlationId)
  );
}

function matchesLog(filter: StreamFilter, log: Log): boolean {
  if (filter.family && !(log.taskId && filter.family.members.has(log.taskId))) return false;
  if (filter.level && logLevels.indexOf(log.level) < logLevels.indexOf(filter.level)) return false;
  return (
    isWanted(filter.taskId, log.taskId) &&
    isWanted(filter.traceId, log.traceId) &&
    isWanted(filter.correlationId, log.correlationId) &&
    isWanted(filter.service, log.service)
  );
}

function belongs({ members }: Family, task: Task): boolean {
  if (members.has(task.id)) return true;
  if (task.parentId === null || !members.has(task.parentId)) return false;
  members.add(task.id);
  return true;
}

function isWanted(wanted: string | undefined, actual: string | null): boolean {
  return wanted === undefined || wanted === actual;
}
