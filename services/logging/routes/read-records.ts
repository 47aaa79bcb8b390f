import { setImmediate as nextTurn } from "node:timers/promises";
import { type LogInput, LogInput as LogInputSchema } from "@signalbox/common/contracts/log.ts";
import { ApiError, invalidInput, invalidRequest } from "@signalbox/common/errors.ts";
import { parseJson } from "@signalbox/common/json.ts";
import { uuidTime, uuidv7 } from "@signalbox/common/uuid.ts";
import { compileCheck } from "@signalbox/common/validate.ts";
import { judgeInput, type Moment, type NewLog, type Tools } from "../record.ts";
import { isArray, sliceArray, sliceLines } from "../slices.ts";

/** What a body holds: the good records with their places, and why the others are not taken. */
export type ReadRecords = {
  /** blank lines not counted */
  count: number;
  good: { index: number; record: NewLog }[];
  bad: { index: number; message: string }[];
};

/** How records are judged: by the moment they came in, and with their secrets hidden. */
export type Reading = { moment: Moment; hide: Tools["hide"] };

const recordsMax = 10_000;
/** A record must fit into a frame of the live stream. */
const recordBytes = 2_097_152;
const recordsPerTurn = 200;
const check = compileCheck(LogInputSchema);

/**
 * Reads a body of one object, an array, or lines of JSON. Each record of several is parsed, checked and cleaned alone.
 *
 * @throws ApiError 400 or 413 when a lone object is bad, or the body is no list of records at all
 */
export async function readRecords(
  body: Uint8Array,
  contentType: string | null,
  reading: Reading,
): Promise<ReadRecords> {
  const isLines = contentType === "application/x-ndjson";
  if (!isLines && !isArray(body))
    return { count: 1, good: [{ index: 0, record: readRecord(body, reading, 0) }], bad: [] };
  const slices = isLines ? sliceLines(body) : sliceArray(body);
  if (slices === null) throw invalidRequest("", "is not a JSON array: its brackets do not match");
  if (slices.length > recordsMax) throw tooLarge(`Send at most ${recordsMax} records at once; got ${slices.length}.`);
  return await readEach(slices, reading);
}

async function readEach(slices: readonly Uint8Array[], reading: Reading): Promise<ReadRecords> {
  const read: ReadRecords = { count: slices.length, good: [], bad: [] };
  const known = new Set<string>();
  for (const [index, slice] of slices.entries()) {
    // Ten thousand records take a tenth of a second: others have their turn in between.
    if (index % recordsPerTurn === recordsPerTurn - 1) await nextTurn();
    try {
      const record = readRecord(slice, reading, index);
      if (!known.has(record.id)) read.good.push({ index, record });
      known.add(record.id);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      read.bad.push({ index, message: toReason(error) });
    }
  }
  return read;
}

function readRecord(slice: Uint8Array, { moment, hide }: Reading, index: number): NewLog {
  if (slice.length > recordBytes) throw tooLarge(`A record may have at most ${recordBytes} bytes.`);
  const value = parseJson(slice);
  // Of a wrong megabyte the first problem is enough.
  const problems = check(value, slice.length);
  if (problems) throw invalidInput(problems);
  const verdict = judgeInput(value as LogInput, moment, { drawId: drawIdAt(index), timeOf: uuidTime, hide });
  if (verdict.kind === "bad") throw invalidRequest(verdict.path, verdict.message);
  return verdict.record;
}

/** Records of one request and one millisecond keep their order (up to 4,096 of them): their place stands behind the time. */
function drawIdAt(index: number): (atMs?: number) => string {
  return (atMs) => {
    const id = uuidv7(atMs);
    return atMs === undefined ? id : id.slice(0, 15) + (index & 0xfff).toString(16).padStart(3, "0") + id.slice(18);
  };
}

function tooLarge(message: string): ApiError {
  return new ApiError("payload_too_large", message);
}

function toReason({ details, message }: ApiError): string {
  const problems = (details ?? []) as { path: string; message: string }[];
  return problems.length === 0
    ? message
    : problems.map((problem) => `${problem.path} ${problem.message}`.trim()).join("; ");
}
