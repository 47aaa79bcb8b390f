/**
 * A record as PostgreSQL takes it in binary: the number of its columns, then of each the length (-1: null) and the bytes.
 *
 * Records are turned into this as soon as they are judged, many into one piece of memory. As objects they would outlive the
 * statement that stores them, and collecting them afterwards cost a third of the service's time.
 *
 * @see https://www.postgresql.org/docs/current/sql-copy.html, "Binary Format"
 */

/** The columns, in their order in a row. */
export type LogRow = {
  /** 8-4-4-4-12 hex digits, in any case */
  id: string;
  /** Unix time in ms */
  atMs: number;
  level: number;
  service: string;
  message: string;
  traceId: string | null;
  correlationId: string | null;
  taskId: string | null;
  /** JSON text */
  data: string;
};

export const rowColumns = 9;
/** The bytes before the first column, and before each column's value. */
export const countBytes = 2;
export const lengthBytes = 4;

const slabBytes = 262_144;
const uuidBytes = 16;
const timeBytes = 8;
const smallBytes = 2;
/** Count, lengths, ids, time, level, version: all that has the same size in every row, rounded up. */
const fixedBytes = 128;
/** Of one UTF-16 unit, at most. */
const bytesPerUnit = 3;

/** PostgreSQL counts microseconds from the year 2000. */
const epochMs = Date.UTC(2000, 0, 1);
const wordSize = 2 ** 32;
/** First byte of a jsonb: the version of what follows, which is its text. */
const jsonbVersion = 1;

let slab = Buffer.alloc(0);
let used = 0;

export function encodeRow(row: LogRow): Buffer {
  const { service, message, traceId, correlationId, data } = row;
  const units = service.length + message.length + data.length + (traceId?.length ?? 0) + (correlationId?.length ?? 0);
  const most = fixedBytes + bytesPerUnit * units;
  // A large one has memory of its own: it would leave most of a piece unused.
  if (most > slabBytes / 4) return Buffer.from(encodeInto(Buffer.allocUnsafeSlow(most), 0, row));
  if (used + most > slab.length) {
    slab = Buffer.allocUnsafeSlow(slabBytes);
    used = 0;
  }
  const encoded = encodeInto(slab, used, row);
  used += encoded.length;
  return encoded;
}

function encodeInto(to: Buffer, from: number, row: LogRow): Buffer {
  let at = to.writeInt16BE(rowColumns, from);
  at = putUuid(to, at, row.id);
  at = putTime(to, at, row.atMs);
  at = to.writeInt16BE(row.level, to.writeInt32BE(smallBytes, at));
  at = putText(to, at, row.service);
  at = putText(to, at, row.message);
  at = putText(to, at, row.traceId);
  at = putText(to, at, row.correlationId);
  at = putUuid(to, at, row.taskId);
  return to.subarray(from, putJsonb(to, at, row.data));
}

function putTime(to: Buffer, at: number, ms: number): number {
  const micros = (ms - epochMs) * 1_000;
  const high = Math.floor(micros / wordSize);
  to.writeInt32BE(timeBytes, at);
  to.writeInt32BE(high, at + lengthBytes);
  return to.writeUInt32BE(micros - high * wordSize, at + lengthBytes + 4);
}

function putText(to: Buffer, at: number, text: string | null): number {
  if (text === null) return to.writeInt32BE(-1, at);
  const length = to.write(text, at + lengthBytes);
  to.writeInt32BE(length, at);
  return at + lengthBytes + length;
}

function putJsonb(to: Buffer, at: number, text: string): number {
  const length = to.write(text, at + lengthBytes + 1) + 1;
  to.writeInt32BE(length, at);
  to[at + lengthBytes] = jsonbVersion;
  return at + lengthBytes + length;
}

function putUuid(to: Buffer, at: number, id: string | null): number {
  if (id === null) return to.writeInt32BE(-1, at);
  let end = to.writeInt32BE(uuidBytes, at);
  for (let from = 0; from < id.length; from += 2) {
    // The hyphens stand at even places only, each once.
    if (id.charCodeAt(from) === hyphen) from++;
    to[end++] = (digitOf(id, from) << 4) | digitOf(id, from + 1);
  }
  return end;
}

const hyphen = 0x2d;
const digits = new Uint8Array(128);
for (let digit = 0; digit < 16; digit++) {
  for (const sign of [digit.toString(16), digit.toString(16).toUpperCase()]) digits[sign.charCodeAt(0)] = digit;
}

function digitOf(id: string, at: number): number {
  return digits[id.charCodeAt(at) & 0x7f] ?? 0;
}
