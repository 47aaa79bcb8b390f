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
  if (suspects || text.includes("\\u") || text.includes("__proto__")) refuseTrouble(value);
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
const letterE = 0x65;

/** What a byte outside of strings is; 0 for all that is of no interest here. */
const kinds = new Uint8Array(256);
const [aQuote, anOpening, aClosing, aDigit] = [1, 2, 3, 4];
for (const [chars, kind] of [
  ['"', aQuote],
  ["[{", anOpening],
  ["]}", aClosing],
  ["0123456789", aDigit],
] as const) {
  for (const char of chars) kinds[char.charCodeAt(0)] = kind;
}

/** One pass over the bytes. Answers whether there is a number that may be beyond a double: an exponent, or digits without end. */
function scan(bytes: Uint8Array): boolean {
  let depth = 0;
  let suspects = false;
  for (let at = 0; at < bytes.length; at++) {
    const kind = kinds[bytes[at] ?? 0];
    if (kind === aQuote) at = endOfString(bytes, at + 1);
    else if (kind === anOpening) depth = deeper(depth);
    else if (kind === aClosing) depth--;
    else if (kind === aDigit) {
      const end = endOfDigits(bytes, at);
      suspects ||= end - at >= maxDigits || ((bytes[end] ?? 0) | 0x20) === letterE;
      at = end - 1;
    }
  }
  return suspects;
}

function deeper(depth: number): number {
  if (depth === maxDepth) throw invalidRequest("", `is nested deeper than ${maxDepth} levels`);
  return depth + 1;
}

function endOfString(bytes: Uint8Array, from: number): number {
  let at = from;
  while (at < bytes.length && bytes[at] !== quoteByte) at += bytes[at] === backslash ? 2 : 1;
  return at;
}

function endOfDigits(bytes: Uint8Array, from: number): number {
  let at = from;
  while (kinds[bytes[at] ?? 0] === aDigit) at++;
  return at;
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
