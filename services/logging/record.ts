import type { LogInput } from "@signalbox/common/contracts/log.ts";
import { logLevels } from "@signalbox/common/contracts/log.ts";

/** A record as the table holds it. */
export type NewLog = {
  id: string;
  /** RFC 3339, UTC, ms */
  at: string;
  /** index into `logLevels` */
  level: number;
  service: string;
  message: string;
  traceId: string | null;
  correlationId: string | null;
  taskId: string | null;
  /** JSON text */
  data: string;
  /**
   * False: the id tells where a record with it would be, as a UUIDv7 of its own `at` does, so the primary key finds a resend.
   * True: it may stand in any partition, and has to be looked for.
   */
  isAnywhere: boolean;
};

/** When a record comes in, and which times are taken. */
export type Moment = { nowMs: number; oldestMs: number; newestMs: number };

export type Verdict = { kind: "record"; record: NewLog } | { kind: "bad"; path: string; message: string };

export const dayMs = 86_400_000;

export function momentOf(nowMs: number, retentionDays: number): Moment {
  return { nowMs, oldestMs: nowMs - retentionDays * dayMs, newestMs: nowMs + dayMs };
}

/** What is neither a rule nor a record. */
export type Tools = {
  /** A new UUIDv7, of the given instant or of now. */
  drawId(atMs?: number): string;
  /** The instant that a UUIDv7 carries; null for any other id. */
  timeOf(id: string): number | null;
  /** Hides secrets in any JSON value. */
  hide(value: unknown): unknown;
};

/** Turns a valid input into a row, or says why it is not taken. */
export function judgeInput(input: LogInput, moment: Moment, tools: Tools): Verdict {
  const place = placeInTime(input, moment, tools);
  const atMs = Date.parse(place.at);
  if (atMs < moment.oldestMs) return { kind: "bad", path: "/at", message: "is older than records are kept" };
  if (atMs > moment.newestMs) return { kind: "bad", path: "/at", message: "is more than 24 hours ahead" };
  return {
    kind: "record",
    record: {
      ...place,
      level: logLevels.indexOf(input.level),
      service: input.service,
      message: String(tools.hide(input.message)),
      traceId: input.traceId ?? null,
      correlationId: input.correlationId ?? null,
      taskId: input.taskId?.toLowerCase() ?? null,
      data: JSON.stringify(tools.hide(foldData(input))),
    },
  };
}

type Place = Pick<NewLog, "id" | "at" | "isAnywhere">;

function placeInTime({ id: given, at }: LogInput, moment: Moment, { drawId, timeOf }: Tools): Place {
  if (given === undefined) {
    const id = drawId(at === undefined ? undefined : Date.parse(at));
    return { id, at: toInstant(at === undefined ? (timeOf(id) ?? moment.nowMs) : Date.parse(at)), isAnywhere: false };
  }
  const id = given.toLowerCase();
  const idMs = timeOf(id);
  const isSensible = idMs !== null && idMs >= moment.oldestMs && idMs <= moment.newestMs;
  const atMs = at !== undefined ? Date.parse(at) : isSensible ? idMs : moment.nowMs;
  return { id, at: at !== undefined && canonical.test(at) ? at : toInstant(atMs), isAnywhere: atMs !== idMs };
}

/** Nearly every sender writes it as we do. */
const canonical = /^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z$/;

function toInstant(ms: number): string {
  return new Date(ms).toISOString();
}

const named = new Set(["id", "at", "level", "service", "message", "traceId", "correlationId", "taskId", "data"]);

/** `data` with the members that the contract does not name; one whose name is taken there gets underscores. */
function foldData(input: LogInput): Record<string, unknown> {
  const data: Record<string, unknown> = { ...input.data };
  for (const [key, value] of Object.entries(input)) {
    if (named.has(key)) continue;
    let free = key;
    while (Object.hasOwn(data, free)) free += "_";
    data[free] = value;
  }
  return data;
}
