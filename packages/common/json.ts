import { invalidRequest } from "./errors.ts";

const maxDepth = 64;

/** A double has at most 309 digits before the point; a longer run of digits may overflow without an exponent. */
const maxDigits = 309;

const decoder = new TextDecoder("utf-8", { fatal: true });

/**
 * JSON as the fleet takes it: what passes here can be stringified again, stored as jsonb, and merged, whoever sent it.
 *
 * `JSON.parse` alone takes too much: 20,000 levels that overflow `JSON.stringify` and PostgreSQL's parser, NUL and lone
 * surrogates that jsonb refuses, 1e400 that silently turns into null, and `__proto__` that bites in `Object.assign`.
 * Depth is counted over the bytes before parsing, because 25 MB of `[` would become a gigabyte of arrays first. The
 * parsed value is walked only when the bytes hold something that can hide trouble, so ordinary bodies pay one scan.
 *
 * @throws ApiError 400 invalid_request
 */
export function parseJson(bytes: Uint8Array): unknown {
  const suspects = scan(bytes);
  const text = decode(bytes);
  const value = parse(text);
  if (suspects || text.includes("__proto__")) refuseTrouble(value);
  return value;
}

function decode(bytes: Uint8Array): string {
  try {
    return decoder.decode(bytes);
  } catch {
    throw invalidRequest("", "is not valid UTF-8");
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw invalidRequest("", `is not valid JSON${toPlace(error)}`);
  }
}

/** V8's message quotes the text, which may hold a secret; only the place is passed on. */
function toPlace(error: unknown): string {
  const place = error instanceof SyntaxError ? /at position (\d+)/.exec(error.message) : null;
  return place ? ` (at position ${place[1]})` : "";
}

const quoteByte = 0x22;
const backslash = 0x5c;
const letterU = 0x75;
const zero = 0x30;
const nine = 0x39;

/** One pass over the bytes. Answers whether the value needs the walk: it has \u escapes, exponents or endless numbers. */
function scan(bytes: Uint8Array): boolean {
  let depth = 0;
  let digits = 0;
  let suspects = false;
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at] ?? 0;
    if (byte === quoteByte) {
      const end = endOfString(bytes, at + 1);
      suspects ||= end.hasEscape;
      at = end.at;
    }
    depth += depthChange(byte);
    if (depth > maxDepth) throw invalidRequest("", `is nested deeper than ${maxDepth} levels`);
    suspects ||= digits > 0 && (byte | 0x20) === 0x65;
    digits = byte >= zero && byte <= nine ? digits + 1 : 0;
    suspects ||= digits >= maxDigits;
  }
  return suspects;
}

function depthChange(byte: number): number {
  if (byte === 0x5b || byte === 0x7b) return 1;
  return byte === 0x5d || byte === 0x7d ? -1 : 0;
}

function endOfString(bytes: Uint8Array, from: number): { at: number; hasEscape: boolean } {
  let hasEscape = false;
  let at = from;
  while (at < bytes.length && bytes[at] !== quoteByte) {
    if (bytes[at] === backslash) {
      at++;
      hasEscape ||= bytes[at] === letterU;
    }
    at++;
  }
  return { at, hasEscape };
}

/** Iterative, although the depth is capped by now: a recursion that cannot overflow is one thing less to know. */
function refuseTrouble(root: unknown): void {
  const open: unknown[] = [root];
  while (open.length > 0) {
    const value = open.pop();
    if (typeof value === "string") refuseText(value);
    else if (typeof value === "number") refuseNumber(value);
    else if (value !== null && typeof value === "object") pushMembers(value, open);
  }
}

function pushMembers(value: object, open: unknown[]): void {
  for (const [key, member] of Object.entries(value)) {
    if (key === "__proto__") throw invalidRequest("", "holds a member named __proto__");
    refuseText(key);
    open.push(member);
  }
}

function refuseNumber(value: number): void {
  if (!Number.isFinite(value)) throw invalidRequest("", "holds a number beyond the range of a double");
}

function refuseText(text: string): void {
  if (text.includes("\u0000")) throw invalidRequest("", "holds a NUL character (\\u0000)");
  if (!text.isWellFormed()) throw invalidRequest("", "holds half a surrogate pair");
}
