import type { TaskEvent } from "@signalbox/common/contracts/event.ts";
import type { Log, LogLevel } from "@signalbox/common/contracts/log.ts";
import { logLevels } from "@signalbox/common/contracts/log.ts";
import type { Task } from "@signalbox/common/contracts/task.ts";

/** What a stream shows; members that are left out let everything pass. */
export type StreamFilter = {
  types: { task: boolean; log: boolean };
  taskIds?: ReadonlySet<string>;
  traceId?: string;
  correlationId?: string;
  level?: LogLevel;
  service?: string;
};

/** One event or log record, serialised once for all clients: all of the frame but its cursor. */
export type Part =
  | { source: "task"; seq: number; task: Task; body: string }
  | { source: "log"; seq: number; log: Log; body: string };

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
  if (filter.taskIds && !filter.taskIds.has(task.id) && !(task.parentId && filter.taskIds.has(task.parentId)))
    return false;
  return isWanted(filter.traceId, task.traceId) && isWanted(filter.correlationId, task.correlationId);
}

function matchesLog(filter: StreamFilter, log: Log): boolean {
  if (filter.taskIds && !(log.taskId && filter.taskIds.has(log.taskId))) return false;
  if (filter.level && logLevels.indexOf(log.level) < logLevels.indexOf(filter.level)) return false;
  return (
    isWanted(filter.traceId, log.traceId) &&
    isWanted(filter.correlationId, log.correlationId) &&
    isWanted(filter.service, log.service)
  );
}

function isWanted(wanted: string | undefined, actual: string | null): boolean {
  return wanted === undefined || wanted === actual;
}
