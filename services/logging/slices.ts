/**
 * Cuts a body into the bytes of its single records, without parsing them, so that a record that cannot be parsed takes no other
 * with it. Null when the body as a whole is not what it should be.
 */

const newline = 0x0a;
const quote = 0x22;
const comma = 0x2c;
const openArray = 0x5b;
const backslash = 0x5c;
const closeArray = 0x5d;
const openObject = 0x7b;
const closeObject = 0x7d;

function isSpace(byte: number | undefined): boolean {
  return byte === 0x20 || byte === newline || byte === 0x0d || byte === 0x09;
}

function isBlank(bytes: Uint8Array): boolean {
  return bytes.every(isSpace);
}

/** Blank lines are not records and are not counted. */
export function sliceLines(body: Uint8Array): Uint8Array[] {
  const lines: Uint8Array[] = [];
  for (let from = 0; from < body.length; ) {
    const found = body.indexOf(newline, from);
    const end = found === -1 ? body.length : found;
    const line = body.subarray(from, end);
    if (!isBlank(line)) lines.push(line);
    from = end + 1;
  }
  return lines;
}

export function isArray(body: Uint8Array): boolean {
  return body[body.findIndex((byte) => !isSpace(byte))] === openArray;
}

/** The items of a JSON array, cut at its own commas. An item may still be nonsense; the brackets around it are balanced. */
export function sliceArray(body: Uint8Array): Uint8Array[] | null {
  const items: Uint8Array[] = [];
  const start = body.findIndex((byte) => !isSpace(byte));
  let depth = 0;
  let from = start + 1;
  for (let at = start; at < body.length; at++) {
    const byte = body[at] ?? 0;
    if (byte === quote) at = endOfText(body, at + 1);
    depth += depthChange(byte);
    if (byte === comma && depth === 1) {
      items.push(body.subarray(from, at));
      from = at + 1;
    }
    if (depth === 0) return finish(body, items, { from, at });
  }
  return null;
}

function depthChange(byte: number): number {
  if (byte === openArray || byte === openObject) return 1;
  return byte === closeArray || byte === closeObject ? -1 : 0;
}

function finish(
  body: Uint8Array,
  items: Uint8Array[],
  { from, at }: { from: number; at: number },
): Uint8Array[] | null {
  if (body[at] !== closeArray || !isBlank(body.subarray(at + 1))) return null;
  const last = body.subarray(from, at);
  if (items.length === 0 && isBlank(last)) return [];
  return [...items, last];
}

function endOfText(body: Uint8Array, from: number): number {
  let at = from;
  while (at < body.length && body[at] !== quote) at += body[at] === backslash ? 2 : 1;
  return at;
}
