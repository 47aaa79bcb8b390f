import { type Log, type LogFilter, logLevels } from "@signalbox/common/contracts/log.ts";

/** The same filters as the store's, over one record in memory. */
export function buildMatch(filter: LogFilter): ((log: Log) => boolean) | null {
  const { service, level, traceId, correlationId, taskId, q, since, until } = filter;
  const tests: ((log: Log) => boolean)[] = [];
  const lowest = level === undefined ? 0 : logLevels.indexOf(level);
  if (lowest > 0) tests.push((log) => logLevels.indexOf(log.level) >= lowest);
  if (service !== undefined) tests.push((log) => log.service === service);
  if (traceId !== undefined) tests.push((log) => log.traceId === traceId);
  if (correlationId !== undefined) tests.push((log) => log.correlationId === correlationId);
  if (taskId !== undefined) tests.push((log) => log.taskId === taskId.toLowerCase());
  if (since !== undefined) tests.push(({ at }) => Date.parse(at) >= Date.parse(since));
  if (until !== undefined) tests.push(({ at }) => Date.parse(at) <= Date.parse(until));
  if (q !== undefined) tests.push(buildTextTest(q));
  return tests.length === 0 ? null : (log) => tests.every((test) => test(log));
}

function buildTextTest(q: string): (log: Log) => boolean {
  const wanted = q.toLowerCase();
  return ({ message, data }) =>
    message.toLowerCase().includes(wanted) || toStoredText(data).toLowerCase().includes(wanted);
}

/** JSON as PostgreSQL writes jsonb: with a space after each colon and comma. */
function toStoredText(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(toStoredText).join(", ")}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  const members = Object.entries(value).map(([key, member]) => `${JSON.stringify(key)}: ${toStoredText(member)}`);
  return `{${members.join(", ")}}`;
}
