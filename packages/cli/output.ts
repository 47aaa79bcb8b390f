import { styleText } from "node:util";
import { buildTextWriter } from "@signalbox/common/text-writer.ts";

/** One stream for everything that the fleet says. */
export type Output = {
  /** A line of the supervisor's own. */
  say(text: string): void;
  /** Something went wrong that the supervisor deals with. */
  warn(text: string): void;
  /** A line that a service wrote. */
  relay(source: string, line: string): void;
};

type Style = Parameters<typeof styleText>[0];
type LogRecord = Record<string, unknown> & { level?: unknown; message?: unknown };

const nameWidth = 15;
const levelStyles: Record<string, Style> = { warn: "yellow", error: "red", fatal: "red", debug: "dim", trace: "dim" };
/** Said in front of the line or of no use to a reader of the console. */
const unshown = new Set([
  "id",
  "at",
  "level",
  "service",
  "message",
  "traceId",
  "correlationId",
  "taskId",
  "data",
  "runId",
]);

/**
 * @param raw services' lines are passed on untouched (`LOG_FORMAT` is set), else their JSON is made readable here: one
 *   formatter for the fleet instead of one in each process
 */
export function buildOutput(stream: NodeJS.WriteStream, raw: boolean): Output {
  const paint = (style: Style, text: string) =>
    stream.isTTY ? styleText(style, text, { validateStream: false }) : text;
  const toStream = buildTextWriter(stream);
  const write = (text: string) => toStream(`${text}\n`);
  // Whoever read our output has gone away; the fleet goes on.
  stream.on("error", () => undefined);
  const prefix = (source: string) => paint("cyan", source.padEnd(nameWidth));
  return {
    say: (text) => write(text),
    warn: (text) => write(`${prefix("supervisor")} ${paint("yellow", text)}`),
    relay(source, line) {
      const record = raw ? null : parseRecord(line);
      if (record) write(`${prefix(source)} ${formatRecord(record, paint)}`);
      else if (raw) write(line.startsWith("{") ? line : `${prefix(source)} ${line}`);
      else write(`${prefix(source)} ${escapeControls(line)}`);
    },
  };
}

function parseRecord(line: string): LogRecord | null {
  if (!line.startsWith("{")) return null;
  try {
    const value: unknown = JSON.parse(line);
    return value !== null && typeof value === "object" ? (value as LogRecord) : null;
  } catch {
    return null;
  }
}

function formatRecord(record: LogRecord, paint: (style: Style, text: string) => string): string {
  const level = String(record.level ?? "info");
  const time = typeof record.at === "string" ? record.at.slice(11, 23) : "";
  const ids = [
    ["task", record.taskId],
    ["trace", record.traceId],
  ].filter(([, value]) => typeof value === "string");
  const data = typeof record.data === "object" && record.data !== null ? Object.entries(record.data) : [];
  const rest = Object.entries(record).filter(([key]) => !unshown.has(key));
  const extras = [...ids, ...data, ...rest]
    .map(([key, value]) => `${key}=${escapeControls(formatValue(value))}`)
    .join(" ");
  const text = `${level.padEnd(5)} ${escapeControls(String(record.message ?? ""))}`;
  const style = levelStyles[level];
  return [paint("dim", time), style ? paint(style, text) : text, paint("dim", extras)].filter(Boolean).join(" ");
}

/** What a payload says must not steer the terminal, nor pretend to be a line of its own. */
function escapeControls(text: string): string {
  return text.replace(/\p{Cc}/gu, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

/** Of an error what it says: its stack is in the log record, for whoever looks it up. */
function formatValue(value: unknown): string {
  const { message, code } = (value ?? {}) as { message?: unknown; code?: unknown };
  if (typeof message === "string") return JSON.stringify(code === undefined ? message : `${message} (${String(code)})`);
  const text = typeof value === "string" ? value : (JSON.stringify(value) ?? "");
  return text.length > 500 ? `${text.slice(0, 500)}…` : text;
}
