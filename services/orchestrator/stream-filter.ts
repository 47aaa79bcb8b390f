import type { StreamQuery } from "@signalbox/common/contracts/frame.ts";
import type { StreamFilter } from "./frame.ts";

/** More clients than this one orchestrator does not serve at once. */
export const maxClients = 2_000;

/** The query of a stream as a filter; what it leaves out lets everything pass. */
export function toStreamFilter(query: StreamQuery): StreamFilter {
  const types = query.types?.split(",") ?? ["task", "log"];
  return {
    types: { task: types.includes("task"), log: types.includes("log") },
    ...(query.taskId !== undefined && { taskId: query.taskId.toLowerCase() }),
    ...(query.traceId !== undefined && { traceId: query.traceId }),
    ...(query.correlationId !== undefined && { correlationId: query.correlationId }),
    ...(query.level !== undefined && { level: query.level }),
    ...(query.service !== undefined && { service: query.service }),
  };
}
