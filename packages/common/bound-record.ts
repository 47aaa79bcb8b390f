/** The store refuses records nested deeper than the contract's 64 levels; two are the record's own. */
const depthMax = 60;
const lengthMax = 262_144;
const messageMax = 65_536;
const headMax = 4_096;

/**
 * A record as one line of JSON that the store will take: NUL and lone surrogates replaced (PostgreSQL cannot hold them), an
 * endless message cut, and data that is too large or too deep replaced by its head and its size.
 */
export function boundRecord(record: Record<string, unknown>): string {
  const text = JSON.stringify(record);
  const line = /\\u(?:0000|d[89a-f])/i.test(text) ? JSON.stringify(JSON.parse(text, toStorable)) : text;
  if (line.length <= lengthMax && !isTooDeep(line)) return line;
  return JSON.stringify(cut(JSON.parse(line) as Record<string, unknown>));
}

function cut(record: Record<string, unknown>): Record<string, unknown> {
  const { id, at, level, service, runId, traceId, correlationId, taskId, message } = record;
  const data = JSON.stringify(record.data ?? {});
  return {
    ...{ id, at, level, service, runId, traceId, correlationId, taskId },
    message: String(message).slice(0, messageMax).toWellFormed(),
    data: { cut: { length: data.length, head: data.slice(0, headMax).toWellFormed() } },
  };
}

function toStorable(_key: string, value: unknown): unknown {
  if (typeof value === "string") return clean(value);
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, member]) => [clean(key), member]));
}

function clean(text: string): string {
  return text.toWellFormed().replaceAll("\u0000", "\ufffd");
}

/** Few lines have enough brackets to be deep at all, so most are told by counting; braces inside texts only cost a closer look. */
function isTooDeep(line: string): boolean {
  let opened = 0;
  for (let at = 0; at < line.length && opened <= depthMax; at++) {
    const code = line.charCodeAt(at);
    if (code === 0x7b || code === 0x5b) opened++;
  }
  return opened > depthMax && depthOf(JSON.parse(line)) > depthMax;
}

function depthOf(root: unknown): number {
  let level: unknown[] = [root];
  let depth = 0;
  while (level.length > 0) {
    level = level.flatMap((value) => (typeof value === "object" && value !== null ? Object.values(value) : []));
    depth++;
  }
  return depth - 1;
}
