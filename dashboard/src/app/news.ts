import type { Batch } from "../store/live.ts";

/**
 * The stream told that a service did something: a plain log record of it, or a task that it made. What reads and failures log does
 * not count, else a read that fails would be the reason to read again.
 */
export function hasNewsOf(batch: Batch, service: string): boolean {
  const isNews = ({ level, message }: { level: string; message: string }) =>
    level === "info" && !message.startsWith("GET ");
  return (
    batch.listTasks.some(({ source }) => source === service) ||
    batch.rows.some((row) => row.kind === "log" && row.log.service === service && isNews(row.log))
  );
}
