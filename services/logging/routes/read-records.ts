import { setImmediate as nextTurn } from "node:timers/promises";
import { type LogInput, LogInput as LogInputSchema } from "@signalbox/common/contracts/log.ts";
import { ApiError, invalidInput, invalidRequest } from "@signalbox/common/errors.ts";
import { parseJson } from "@signalbox/common/json.ts";
import { uuidTime, uuidv7 } from "@signalbox/common/uuid.ts";
import { compileCheck } from "@signalbox/common/validate.ts";
import { judgeInput, type Moment, type NewLog, type Tools } from "../record.ts";
import { isArray, sliceArray, sliceLines } from "../slices.ts";

/** A part of what a body holds: the good records with their places in the body, and why the others are not taken. */
export type Chunk<R> = {
  /** blank lines not counted */
  count: number;
  good: { index: number; record: R }[];
  bad: { index: number; message: string }[];
};

/** What the headers of a request say, for those of its records that do not say it themselves. */
export type Caller = { traceId: string | null; correlationId: string | null };

/** How records are judged: by the moment they came in, and with their secrets hidden. */
export type Reading = {
  moment: Moment;
  caller?: Caller | null;
  hide: Tools["hide"];
  /** Throws an ApiError for a good record that is one too many. */
  admit?: (record: NewLog) => void;
};

const recordsMax = 10_000;
/** A record must fit into a frame of the live stream. */
const recordBytes = 2_097_152;
const recordsPerTurn = 200;
/** What is parsed at once of a large body: its records weigh several times as much as its bytes. */
const chunkMax = { records: 2_000, bytes: 1_048_576 };
const check = compileCheck(LogInputSchema);

/** Log records of a body of one object, an array, or lines of JSON. */
export function readRecords(body: Uint8Array, contentType: string | null, reading: Reading): Chunks<NewLog> {
  return readEach(body, contentType, (slice, index) => readRecord(slice, reading, index));
}

type Chunks<R> = AsyncGenerator<Chunk<R>>;

/**
 * Reads a body of one object, an array, or lines of JSON, in parts: the next one is parsed when it is asked for. Each record of
 * several is parsed, checked and cleaned alone.
 *
 * @throws ApiError 400 or 413 when a lone object is bad, or the body is no list of records at all; before the first part
 */
export async function* readEach<R>(
  body: Uint8Array,
  contentType: string | null,
  read: (slice: Uint8Array, index: number) => R,
): Chunks<R> {
  const isLines = contentType === "application/x-ndjson";
  if (!isLines && !isArray(body)) {
    yield { count: 1, good: [{ index: 0, record: read(body, 0) }], bad: [] };
    return;
  }
  const slices = isLines ? sliceLines(body) : sliceArray(body);
  if (slices === null) throw invalidRequest("", "is not a JSON array: its brackets do not match");
  yield* judgeEach(slices, { sizeOf: (slice) => slice.length, read });
}

export type Judging<T, R> = {
  /** bytes of the body */
  sizeOf(item: T): number;
  /** @throws ApiError that says why the item is not taken */
  read(item: T, index: number): R;
};

/** @throws ApiError 413 when there are too many */
export async function* judgeEach<T, R>(items: readonly T[], { sizeOf, read }: Judging<T, R>): Chunks<R> {
  if (items.length > recordsMax) throw tooLarge(`Send at most ${recordsMax} records at once; got ${items.length}.`);
  let chunk = newChunk<R>();
  let bytes = 0;
  for (const [index, item] of items.entries()) {
    // Two thousand records take a fiftieth of a second: others have their turn in between.
    if (index % recordsPerTurn === recordsPerTurn - 1) await nextTurn();
    const size = sizeOf(item);
    bytes += size;
    if (chunk.count > 0 && (chunk.count === chunkMax.records || bytes > chunkMax.bytes)) {
      yield chunk;
      chunk = newChunk();
      bytes = size;
    }
    chunk.count++;
    addTo(chunk, { index, item, read });
  }
  yield chunk;
}

type Unread<T, R> = { index: number; item: T; read: (item: T, index: number) => R };

function addTo<T, R>(chunk: Chunk<R>, { index, item, read }: Unread<T, R>): void {
  try {
    chunk.good.push({ index, record: read(item, index) });
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    chunk.bad.push({ index, message: toReason(error) });
  }
}

function newChunk<R>(): Chunk<R> {
  return { count: 0, good: [], bad: [] };
}

function readRecord(slice: Uint8Array, reading: Reading, index: number): NewLog {
  if (slice.length > recordBytes) throw tooLarge(`A record may have at most ${recordBytes} bytes.`);
  return judgeRecord(parseJson(slice), { ...reading, sizeBytes: slice.length, index });
}

/** @throws ApiError when it is not what the contract says, or of a time that is not taken */
export function judgeRecord(
  value: unknown,
  { moment, caller, hide, admit, sizeBytes, index }: Reading & { sizeBytes: number; index: number },
): NewLog {
  const problems = check(value, sizeBytes);
  if (problems) throw invalidInput(problems);
  const input = caller ? withCaller(value as LogInput, caller) : (value as LogInput);
  const verdict = judgeInput(input, moment, { drawId: drawIdAt(index), timeOf: uuidTime, hide });
  if (verdict.kind === "bad") throw invalidRequest(verdict.path, verdict.message);
  admit?.(verdict.record);
  return verdict.record;
}

function withCaller(input: LogInput, caller: Caller): LogInput {
  const { traceId, correlationId } = input;
  return { ...input, traceId: traceId ?? caller.traceId, correlationId: correlationId ?? caller.correlationId };
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
