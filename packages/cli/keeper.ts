/**
 * Keeps what services print. Every line goes into a file of the home; and what is no log record of the service's own (a warning of
 * Node, the stack of a crash, whatever a library prints) becomes one, in the logging service, so that it is found beside the others.
 *
 * A service delivers its own records. One that is killed takes the last of them with it, printed but not yet delivered: those are
 * delivered here, from what was printed; their ids keep the ones that did arrive from being stored twice. Logging delivers nothing
 * of its own, or each delivery would make a line that makes a delivery; only its last words are kept, when it ends badly.
 */
import { join } from "node:path";
import type { LogLevel } from "@signalbox/common/contracts/log.ts";
import { buildDelivery, type Delivery } from "@signalbox/common/log-delivery.ts";
import { redactText } from "@signalbox/common/redact.ts";
import { uuidTime, uuidv7 } from "@signalbox/common/uuid.ts";
import type { Ended } from "./child.ts";
import { type OutputFile, openOutputFile } from "./output-file.ts";

export type Stream = "stdout" | "stderr";
export type Printed = { service: string; pid: number; stream: Stream; line: string };

export type Keeper = {
  keep(printed: Printed): void;
  /** A life of the service is over; how it ended says whether its last words were delivered by itself. */
  ended(service: string, pid: number, end: Ended, isWanted: boolean): void;
  /** Something that the supervisor itself has to say. */
  note(level: LogLevel, message: string, data?: Record<string, unknown>): void;
  flush(): Promise<void>;
  close(): Promise<void>;
};

export type KeeperOptions = { home: string; loggingUrl: string; internalKey: string };

/** Of one life of a service. */
type Life = {
  file: OutputFile;
  /** Its own records, the last of them. */
  records: string[];
  recordBytes: number;
  /** Printed lines that belong together, such as those of a stack. */
  said: { stream: Stream; lines: string[] };
  timer: NodeJS.Timeout | null;
};

const ownName = "supervisor";
const lastRecords = 1_000;
const lastBytes = 1_048_576;
const gatherMs = 100;
const gatherLines = 200;
const lengthMax = 16_384;

export function openKeeper({ home, loggingUrl, internalKey }: KeeperOptions): Keeper {
  const lives = new Map<string, Life>();
  const delivery: Delivery = buildDelivery({
    service: ownName,
    url: loggingUrl,
    internalKey,
    spoolDir: join(home, "spool"),
    report: (count) => note("warn", "log records dropped", { count }),
  });

  function note(level: LogLevel, message: string, data: Record<string, unknown> = {}): void {
    delivery.push(toRecord({ level, service: ownName, message, data: { ...data, pid: process.pid } }));
  }

  function lifeOf({ service, pid }: Pick<Printed, "service" | "pid">): Life {
    const key = `${service}/${pid}`;
    const known = lives.get(key);
    if (known) return known;
    const file = openOutputFile(join(home, "output"), service);
    const life: Life = { file, records: [], recordBytes: 0, said: { stream: "stdout", lines: [] }, timer: null };
    lives.set(key, life);
    return life;
  }

  function tellSaid({ service, pid }: Pick<Printed, "service" | "pid">, life: Life): void {
    if (life.timer) clearTimeout(life.timer);
    life.timer = null;
    const { stream, lines } = life.said;
    if (lines.length === 0) return;
    life.said = { stream, lines: [] };
    const message = lines.join("\n");
    delivery.push(toRecord({ level: levelOf(stream, message), service, message, data: { stream, pid } }));
  }

  return {
    note,
    keep(printed) {
      const life = lifeOf(printed);
      const isRecord = isOwnRecord(printed.line);
      const line = isRecord ? printed.line : redactText(printed.line.slice(0, lengthMax));
      life.file.add(line);
      if (isRecord) return remember(life, line);
      if (line.trim() === "") return;
      if (life.said.stream !== printed.stream || life.said.lines.length >= gatherLines) tellSaid(printed, life);
      life.said.stream = printed.stream;
      life.said.lines.push(line);
      life.timer ??= setTimeout(() => tellSaid(printed, life), gatherMs);
    },
    ended(service, pid, { code, signal }, isWanted) {
      const life = lifeOf({ service, pid });
      lives.delete(`${service}/${pid}`);
      tellSaid({ service, pid }, life);
      life.file.flush();
      if (code !== 0) for (const record of life.records) delivery.push(record);
      if (!isWanted) note("warn", `${service} ended by itself`, { service, servicePid: pid, code, signal });
    },
    async flush() {
      for (const { file } of lives.values()) file.flush();
      await delivery.flush();
    },
    close: () => delivery.close(),
  };
}

function remember(life: Life, record: string): void {
  life.records.push(record);
  life.recordBytes += record.length;
  while (life.records.length > lastRecords || life.recordBytes > lastBytes) {
    life.recordBytes -= life.records.shift()?.length ?? 0;
  }
}

/** As `packages/common/log.ts` writes them; only these have an id. */
function isOwnRecord(line: string): boolean {
  if (!line.startsWith("{")) return false;
  try {
    const { id, level, service, message } = JSON.parse(line) as Record<string, unknown>;
    return [id, level, service, message].every((member) => typeof member === "string");
  } catch {
    return false;
  }
}

/** Node prints its warnings where it prints the reasons of its end. */
function levelOf(stream: Stream, text: string): LogLevel {
  if (stream === "stdout") return "info";
  return /^\(node:\d+\) |^\(Use `node --/.test(text) ? "warn" : "error";
}

type Said = { level: LogLevel; service: string; message: string; data: Record<string, unknown> };

function toRecord({ level, service, message, data }: Said): string {
  const id = uuidv7();
  const at = new Date(uuidTime(id) ?? Date.now()).toISOString();
  return JSON.stringify({
    id,
    at,
    level,
    service,
    message: message.toWellFormed().replaceAll("\u0000", "\ufffd"),
    data,
  });
}
