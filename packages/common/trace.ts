import { AsyncLocalStorage } from "node:async_hooks";
import { randomFillSync } from "node:crypto";

/** What ties together everything that one signal causes. */
export type Trace = {
  /** W3C: 32 lowercase hex digits */
  traceId: string;
  /** 16 lowercase hex digits, drawn anew for every hop */
  spanId: string;
  /** the caller's span; null or nothing when the trace began here */
  parentSpanId?: string | null;
  correlationId: string | null;
  /** set while a task runs, so that each log line about it names it */
  taskId?: string | null;
  taskType?: string;
  concurrencyKey?: string | null;
};

const storage = new AsyncLocalStorage<Trace>();

export function newTrace(): Trace {
  return { traceId: randomHex(16), spanId: newSpanId(), correlationId: null };
}

export function newSpanId(): string {
  return randomHex(8);
}

/**
 * Reads a W3C `traceparent`; null when it is not one, and then the rule is to begin a new trace, never to refuse.
 * Versions after 00 may append fields.
 *
 * @see https://www.w3.org/TR/trace-context/#traceparent-header
 */
export function parseTraceparent(value: string | undefined | null): { traceId: string; spanId: string } | null {
  if (!value || value.length > 512) return null;
  const match = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}(-.*)?$/.exec(value);
  const [, version, traceId, spanId, more] = match ?? [];
  if (version === undefined || traceId === undefined || spanId === undefined) return null;
  if (version === "ff" || (version === "00" && more !== undefined)) return null;
  return isZero(traceId) || isZero(spanId) ? null : { traceId, spanId };
}

export function toTraceparent(trace: Pick<Trace, "traceId" | "spanId">): string {
  return `00-${trace.traceId}-${trace.spanId}-01`;
}

/** Headers that continue a trace at the next service. */
export function traceHeaders(trace: Trace): Record<string, string> {
  const headers: Record<string, string> = { traceparent: toTraceparent(trace) };
  const correlation = trace.correlationId === null ? null : toHeaderText(trace.correlationId);
  if (correlation !== null) headers["x-correlation-id"] = correlation;
  return headers;
}

export function withTrace<T>(trace: Trace, run: () => T): T {
  return storage.run(trace, run);
}

export function currentTrace(): Trace | null {
  return storage.getStore() ?? null;
}

/** HTTP carries header bytes as latin1; ours hold UTF-8. Null when the text cannot travel in a header at all. */
export function toHeaderText(text: string): string | null {
  const isPrintable = [...text].every((char) => char >= " " && char !== "\u007f");
  return isPrintable && text.trim() === text && text !== "" ? Buffer.from(text, "utf8").toString("latin1") : null;
}

/** The inverse of `toHeaderText`; bytes that are not UTF-8 are taken as the latin1 they came as. */
export function fromHeaderText(value: string): string {
  const text = Buffer.from(value, "latin1").toString("utf8");
  return text.includes("\ufffd") ? value : text;
}

/** Asking the system for every id would cost more than all else that a trace needs; it is asked for many at once. */
const pool = Buffer.alloc(4_096);
let used = pool.length;

function randomHex(bytes: number): string {
  if (used + bytes > pool.length) {
    randomFillSync(pool);
    used = 0;
  }
  const hex = pool.toString("hex", used, used + bytes);
  used += bytes;
  return isZero(hex) ? randomHex(bytes) : hex;
}

function isZero(hex: string): boolean {
  return /^0+$/.test(hex);
}
