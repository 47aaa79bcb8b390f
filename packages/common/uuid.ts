import { randomFillSync } from "node:crypto";

const pool = Buffer.alloc(16 * 256);
let offset = pool.length;

function drawBytes(size: number): Buffer {
  if (offset + size > pool.length) {
    randomFillSync(pool);
    offset = 0;
  }
  offset += size;
  return pool.subarray(offset - size, offset);
}

let lastMs = 0;
let counter = 0;
/** A clock that was set back by more was wrong before: ids go with it, instead of standing still until it is there again. */
const backwardMaxMs = 10_000;

/**
 * A UUIDv7: 48 bits of Unix time in ms, then a 12-bit counter that grows within one ms of this process, then 62 random bits.
 * Made in the application because PostgreSQL has `uuidv7()` only from 18 on.
 *
 * @param atMs the time it carries; omitted, the clock of now, and ids of one process are then strictly increasing, unless the
 *   clock is set back by more than ten seconds
 * @see RFC 9562, sections 5.7 and 6.2 (method 1)
 */
export function uuidv7(atMs?: number): string {
  const random = drawBytes(10);
  const now = atMs ?? nextInstant(random);
  const high = atMs === undefined ? counter : random.readUInt16BE(8) & 0xfff;
  const time = now.toString(16).padStart(12, "0");
  const variant = (0x80 | ((random[0] ?? 0) & 0x3f)).toString(16);
  const tail = random.toString("hex", 1, 8);
  return `${time.slice(0, 8)}-${time.slice(8)}-7${high.toString(16).padStart(3, "0")}-${variant}${tail.slice(0, 2)}-${tail.slice(2)}`;
}

function nextInstant(random: Buffer): number {
  const now = Date.now();
  if (now > lastMs || now < lastMs - backwardMaxMs) {
    lastMs = now;
    // Half of the counter's room is kept for growth within the ms.
    counter = random.readUInt16BE(8) & 0x7ff;
  } else if (++counter > 0xfff) {
    lastMs += 1;
    counter = 0;
  }
  return lastMs;
}

/**
 * The UUIDv7 of an instant whose random bits are those of a digest: the same content at the same time has the same id.
 *
 * @param digest at least ten bytes
 */
export function uuidFrom(atMs: number, digest: Uint8Array): string {
  const time = Math.max(0, Math.floor(atMs)).toString(16).padStart(12, "0");
  const hex = Buffer.from(digest).toString("hex", 0, 10);
  const variant = (0x80 | ((digest[0] ?? 0) & 0x3f)).toString(16);
  return `${time.slice(0, 8)}-${time.slice(8)}-7${hex.slice(2, 5)}-${variant}${hex.slice(5, 7)}-${hex.slice(7, 19)}`;
}

/** The Unix time in ms that a UUIDv7 carries; null for any other text. */
export function uuidTime(id: string): number | null {
  if (!/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/i.test(id)) return null;
  return Number.parseInt(id.slice(0, 8) + id.slice(9, 13), 16);
}

/**
 * The UUIDv7 of a stored row, made of its time and its number: the same row has the same id wherever it is read, and no column
 * or index is spent on it.
 *
 * @param number a sequence number below 2^53; unique numbers make unique ids
 */
export function uuidOf(atMs: number, number: number): string {
  const time = Math.max(0, atMs).toString(16).padStart(12, "0");
  const low = number.toString(16).padStart(15, "0");
  return `${time.slice(0, 8)}-${time.slice(8)}-7000-8${low.slice(0, 3)}-${low.slice(3)}`;
}
