import type { LogInput } from "@signalbox/common/contracts/log.ts";
import { logLevels } from "@signalbox/common/contracts/log.ts";
import { encodeRow } from "./log-row.ts";

/** A record as the table takes it, and what must be known of it until it is there. */
export type NewLog = {
  id: string;
  /** Unix time in ms */
  atMs: number;
  service: string;
  /** see `encodeRow` */
  row: Buffer;
  /**
   * False: the id tells where a record with it would be, as a UUIDv7 of its own `at` does, so the primary key finds a resend.
   * True: it may stand in any partition, and has to be looked for; so may one that came without an `at`, which the first time
   * may have had one.
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
  if (place.atMs < moment.oldestMs) return { kind: "bad", path: "/at", message: "is older than records are kept" };
  if (place.atMs > moment.newestMs) return { kind: "bad", path: "/at", message: "is more than 24 hours ahead" };
  const row = encodeRow({
    id: place.id,
    atMs: place.atMs,
    level: logLevels.indexOf(input.level),
    service: input.service,
    message: String(tools.hide(input.message)),
    traceId: input.traceId ?? null,
    correlationId: input.correlationId ?? null,
    taskId: input.taskId ?? null,
    data: JSON.stringify(tools.hide(foldData(input))),
  });
  return { kind: "record", record: { ...place, service: input.service, row } };
}

type Place = Pick<NewLog, "id" | "atMs" | "isAnywhere">;

function placeInTime({ id: given, at }: LogInput, moment: Moment, { drawId, timeOf }: Tools): Place {
  const saidMs = at === undefined ? null : Date.parse(at);
  if (given === undefined) {
    const id = drawId(saidMs ?? undefined);
    return { id, atMs: saidMs ?? timeOf(id) ?? moment.nowMs, isAnywhere: false };
  }
  const id = given.toLowerCase();
  const idMs = timeOf(id);
  const isSensible = idMs !== null && idMs >= moment.oldestMs && idMs <= moment.newestMs;
  const atMs = saidMs ?? (isSensible ? idMs : moment.nowMs);
  return { id, atMs, isAnywhere: atMs !== saidMs || atMs !== idMs };
}

const named = new Set(["id", "at", "level", "service", "message", "traceId", "correlationId", "taskId", "data"]);

/** `data` with the members that the contract does not name; one whose name is taken there gets underscores. */
function foldData(input: LogInput): Record<string, unknown> {
  const given = input.data ?? {};
  let folded: Record<string, unknown> | null = null;
  for (const key of Object.keys(input)) {
    if (named.has(key)) continue;
    folded ??= { ...given };
    let free = key;
    while (Object.hasOwn(folded, free)) free += "_";
    folded[free] = (input as Record<string, unknown>)[key];
  }
  return folded ?? given;
}
