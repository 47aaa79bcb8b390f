/** An error as it stands in a log record. */
export type ErrorRecord = {
  name: string;
  message: string;
  code?: string | number;
  stack?: string;
  cause?: unknown;
  errors?: unknown[];
};

const textMax = 8_000;
const causesMax = 5;
const membersMax = 5;

/**
 * Name, message, code, stack and causes of an error, bounded. Its other members are left out: drivers put whole rows,
 * requests and connection settings there. What is no error is passed on.
 */
export function toErrorRecord(found: unknown, depth = 0): unknown {
  if (!(found instanceof Error)) return found;
  const record: ErrorRecord = { name: found.name, message: cut(found.message) };
  const code = (found as { code?: unknown }).code;
  if (typeof code === "string" || typeof code === "number") record.code = code;
  if (found.stack) record.stack = cut(found.stack);
  if (depth >= causesMax) return record;
  if (found.cause !== undefined) record.cause = toCause(found.cause, depth + 1);
  // An AggregateError's own message is often empty: a refused connection to two addresses says nothing itself.
  if (found instanceof AggregateError) {
    record.errors = found.errors.slice(0, membersMax).map((member) => toCause(member, depth + 1));
  }
  return record;
}

function toCause(cause: unknown, depth: number): unknown {
  if (cause instanceof Error) return toErrorRecord(cause, depth);
  return typeof cause === "string" ? cut(cause) : String(cause);
}

function cut(text: string): string {
  return text.length > textMax ? `${text.slice(0, textMax)}…` : text;
}
