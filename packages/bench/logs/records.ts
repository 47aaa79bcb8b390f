import { newTrace } from "@signalbox/common/trace.ts";
import { uuidTime, uuidv7 } from "@signalbox/common/uuid.ts";

/** A log record as a service of the fleet writes it: an id of its own time, a trace, mostly a task, some data. */
export type BenchRecord = {
  id: string;
  at: string;
  level: (typeof levels)[number];
  service: string;
  message: string;
  traceId: string;
  correlationId: string;
  taskId: string | null;
  data: Record<string, unknown>;
};

const levels = ["info", "info", "info", "info", "info", "info", "info", "debug", "warn", "error"] as const;
/** As they stand in the table. */
const levelNumbers = { debug: 1, info: 2, warn: 3, error: 4 };
const services = ["orchestrator", "echo-agent", "renderctl", "posthog-watcher", "telegram"];

export function makeRecords(count: number): BenchRecord[] {
  return Array.from({ length: count }, (_, n) => {
    const id = uuidv7();
    return {
      id,
      at: new Date(uuidTime(id) ?? 0).toISOString(),
      level: levels[n % levels.length] ?? "info",
      service: services[n % services.length] ?? "orchestrator",
      message: `run finished after ${n % 977} ms with all that was asked of it`,
      traceId: newTrace().traceId,
      correlationId: `order-${n % 5_000}`,
      taskId: n % 3 === 0 ? null : uuidv7(),
      data: { runId: "orchestrator-1a2b3c", taskType: "echo", attempt: 1, outcome: "completed", durationMs: n % 977 },
    };
  });
}

export function toLines(records: readonly BenchRecord[]): string {
  return `${records.map((record) => JSON.stringify(record)).join("\n")}\n`;
}

/** The values of a row, in the order of `columns`. */
export function toRow(record: BenchRecord): (string | number | null)[] {
  const { id, at, level, service, message, traceId, correlationId, taskId, data } = record;
  return [id, at, levelNumbers[level], service, message, traceId, correlationId, taskId, JSON.stringify(data)];
}

export const columns = "id, at, level, service, message, trace_id, correlation_id, task_id, data";
export const types = "uuid, timestamptz, smallint, text, text, text, text, uuid, jsonb".split(", ");

export function inBatches<T>(all: readonly T[], size: number): T[][] {
  return Array.from({ length: Math.ceil(all.length / size) }, (_, n) => all.slice(n * size, (n + 1) * size));
}
