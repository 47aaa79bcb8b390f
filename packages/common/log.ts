/**
 * The log of a service: pino, whose lines are already records of the contract. One pass over each line does what must be done
 * before it leaves the process, stdout included: secrets hidden, the trace added once, size and depth bounded. The pass parses
 * pino's own line, so whatever a caller passed (getters, cycles, toJSON) has been dealt with by then, and of a key that stands
 * twice the last one counts: a child's `traceId` wins over the ambient one.
 */
import { createRequire } from "node:module";
import { type Logger, pino } from "pino";
import { boundRecord } from "./bound-record.ts";
import type { LogLevel } from "./contracts/log.ts";
import { buildDelivery, type Delivery, type DeliveryPace, type DeliveryTarget } from "./log-delivery.ts";
import { toErrorRecord } from "./log-error.ts";
import { buildRedactor, type RedactionRules, type Redactor } from "./redact.ts";
import { buildTextWriter } from "./text-writer.ts";
import { currentTrace, type Trace } from "./trace.ts";
import { uuidTime, uuidv7 } from "./uuid.ts";

export type Log = Logger;

export type LogOptions = {
  service: string;
  level: LogLevel | "silent";
  /** `pretty` is for people; what is delivered is the same in both. */
  format: "json" | "pretty";
  /** What is hidden besides what is hidden everywhere. */
  redaction?: RedactionRules | undefined;
  /** Which run of the process a record comes from; stands in every record. */
  runId?: string | undefined;
  /** Null: stdout only, as the logging service itself, which must never feed itself. */
  delivery?: DeliveryTarget | null;
  /** Where lines are printed; default stdout. */
  print?: (text: string) => void;
  pace?: Partial<DeliveryPace>;
};

export type LogHandle = {
  log: Log;
  /** Resolves when every line written so far is delivered, spooled or counted as dropped; after 10 s at the latest. */
  flush(): Promise<void>;
  /** Delivers what is left for some seconds, spools the rest. The log may still be written to: it is then printed only. */
  close(deadlineMs?: number): Promise<void>;
  /** Records that will never arrive: no room, or refused. */
  dropped(): number;
  /** Records on disk that wait for the logging service. */
  spooled(): number;
  /** What they take there. */
  spooledBytes(): number;
  /** Records in memory that wait for the logging service. */
  queued(): number;
};

export function buildLog(options: LogOptions): LogHandle {
  const { service, runId, level, format, delivery: target = null, pace } = options;
  const print = options.print ?? printToStdout();
  const toText = format === "pretty" ? buildPretty() : (line: string) => `${line}\n`;
  const redactor = buildRedactor(options.redaction);
  let delivery: Delivery | null = null;

  function write(line: string): void {
    // Pino's own line ends with a newline, and whoever takes lines further on puts one after each.
    const text = takeHarmless() ? line.trimEnd() : toSafeLine(line, redactor);
    print(toText(text));
    delivery?.push(text);
  }

  const log = pino(
    {
      level,
      messageKey: "message",
      nestedKey: "data",
      errorKey: "err",
      base: runId === undefined ? { service } : { service, runId },
      timestamp: stamp,
      formatters: { level: (label) => ({ level: label }), log: recordErrors },
      serializers: { err: toErrorRecord },
    },
    { write },
  );
  if (target) {
    const report = (count: number) => log.warn({ count }, "log records dropped");
    delivery = buildDelivery({ ...target, service, report, ...(pace && { pace }) });
  }
  return {
    log,
    flush: async () => delivery?.flush(),
    close: async (deadlineMs) => delivery?.close(deadlineMs),
    dropped: () => delivery?.dropped() ?? 0,
    spooled: () => delivery?.spooled() ?? 0,
    spooledBytes: () => delivery?.spooledBytes() ?? 0,
    queued: () => delivery?.queued() ?? 0,
  };
}

const harmlessMark = Symbol("harmless");
let isHarmless = false;

/**
 * Data with nothing in it, nor in the message beside it, that came from outside: its line is written as it is, without the
 * search for secrets and rubbish.
 */
export function harmless<T extends object>(data: T): T {
  return Object.assign(data, { [harmlessMark]: true });
}

/** Pino writes a line within the call that logs it, so what was learnt while it was made is about this one. */
function takeHarmless(): boolean {
  const was = isHarmless;
  isHarmless = false;
  return was && !isFromOutside(currentTrace());
}

function isFromOutside(trace: Trace | null): boolean {
  return trace !== null && Boolean(trace.correlationId || trace.taskId || trace.taskType || trace.concurrencyKey);
}

let [stampedMs, stampedAt] = [0, ""];

/** The text of an instant; the last one is kept, for many lines are of one millisecond. */
function toInstant(ms: number): string {
  if (ms !== stampedMs) [stampedMs, stampedAt] = [ms, new Date(ms).toISOString()];
  return stampedAt;
}

/** The part of a line that depends on the moment. `at` is the id's own time, so that the store finds a resent record by it. */
function stamp(): string {
  const id = uuidv7();
  const trace = currentTrace();
  let text = `,"id":"${id}","at":"${toInstant(uuidTime(id) ?? Date.now())}"`;
  if (!trace) return text;
  text += `,"traceId":${JSON.stringify(trace.traceId)}`;
  if (trace.correlationId) text += `,"correlationId":${JSON.stringify(trace.correlationId)}`;
  if (trace.taskId) text += `,"taskId":${JSON.stringify(trace.taskId)}`;
  if (trace.taskType) text += `,"taskType":${JSON.stringify(trace.taskType)}`;
  return trace.concurrencyKey ? `${text},"concurrencyKey":${JSON.stringify(trace.concurrencyKey)}` : text;
}

/** Errors under any name, not only `err`: as plain objects they would read `{}`. */
function recordErrors(merged: Record<string, unknown>): Record<string, unknown> {
  isHarmless = harmlessMark in merged;
  let copy: Record<string, unknown> | null = null;
  for (const key in merged) {
    if (!(merged[key] instanceof Error)) continue;
    copy ??= { ...merged };
    copy[key] = toErrorRecord(merged[key]);
  }
  return copy ?? merged;
}

function toSafeLine(line: string, { redact, redactText }: Redactor): string {
  try {
    const record = redact(JSON.parse(line)) as Record<string, unknown>;
    // The contract wants a message, and pino leaves it out when there is none.
    if (typeof record.message !== "string") record.message = record.message === undefined ? "" : String(record.message);
    return boundRecord(record);
  } catch {
    return JSON.stringify({ level: "error", message: redactText(line).slice(0, 16_000) });
  }
}

/** `data` is spread so that an error's stack is printed as lines, not as one text with escapes. */
function buildPretty(): (line: string) => string {
  // Loaded by those who want it: a fleet's services print JSON, and would carry it for nothing.
  const { prettyFactory }: typeof import("pino-pretty") = createRequire(import.meta.url)("pino-pretty");
  const pretty = prettyFactory({
    colorize: process.stdout.isTTY === true,
    messageKey: "message",
    levelKey: "level",
    timestampKey: "at",
    translateTime: "SYS:HH:MM:ss.l",
    ignore: "id,runId,service,traceId",
    messageFormat: "{service}: {message}",
    errorLikeObjectKeys: ["err", "error"],
    singleLine: true,
  });
  return (line) => {
    const { data, ...record } = JSON.parse(line) as Record<string, unknown>;
    return pretty({ ...(data as object | undefined), ...record }) ?? `${line}\n`;
  };
}

let toStdout: ((text: string) => void) | null = null;

/** A reader of stdout that goes away (EPIPE) must not end the service: its lines also go to the logging service. */
function printToStdout(): (text: string) => void {
  if (toStdout === null) {
    process.stdout.on("error", () => undefined);
    toStdout = buildTextWriter(process.stdout);
  }
  return toStdout;
}
