import { invalidRequest } from "./errors.ts";

/** What may stand at one place of a cursor. */
export type CursorPart = "integer" | "uuid" | "instant";
type PartValue = { integer: number; uuid: string; instant: string };
type Values<S extends readonly CursorPart[]> = { [K in keyof S]: PartValue[S[K]] };

const patterns: Record<CursorPart, RegExp> = {
  integer: /^(?:0|[1-9][0-9]{0,15})$/,
  uuid: /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/,
  instant: /^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]{12}Z$/,
};

/** Packs the keys of the last row seen into one opaque word. */
export function encodeCursor(values: readonly (string | number)[]): string {
  return Buffer.from(values.join("~")).toString("base64url");
}

/**
 * Unpacks a cursor made by `encodeCursor`; a caller may send anything, so every part is checked.
 *
 * @param shape what must stand at each place
 * @throws ApiError `invalid_request` when it is not such a cursor
 */
export function decodeCursor<const S extends readonly CursorPart[]>(text: string, shape: S): Values<S> {
  const parts = Buffer.from(text, "base64url").toString("utf8").split("~");
  const fits = parts.length === shape.length && encodeCursor(parts) === text;
  if (!fits || !shape.every((kind, at) => isPart(kind, parts[at] ?? ""))) {
    throw invalidRequest("/cursor", "is not a cursor that this list gave; start again without one");
  }
  return shape.map((kind, at) => (kind === "integer" ? Number(parts[at]) : parts[at])) as unknown as Values<S>;
}

function isPart(kind: CursorPart, text: string): boolean {
  if (!patterns[kind].test(text)) return false;
  if (kind === "instant") return isWrittenInstant(text);
  return kind !== "integer" || Number.isSafeInteger(Number(text));
}

/** As `toISOString` writes it; PostgreSQL refuses a February 30 and the year 0, which a Date takes. */
function isWrittenInstant(text: string): boolean {
  const at = Date.parse(text);
  return !Number.isNaN(at) && new Date(at).toISOString() === text && text >= "0001";
}

/**
 * How far a client of the live stream has come in both sources: the numbers of the last event and the last log record that it was
 * sent. `log` is null while no position of the log stream is known yet.
 */
export type StreamPosition = { task: number; log: number | null };

/** The opaque word for a position. A log position is written one higher, so that 0 can mean "not known". */
export function toStreamCursor(position: StreamPosition): string {
  return encodeCursor([position.task, position.log === null ? 0 : position.log + 1]);
}

/** @throws ApiError `invalid_request` for anything that `toStreamCursor` did not make */
export function parseStreamCursor(text: string): StreamPosition {
  const [task, log] = decodeCursor(text, ["integer", "integer"]);
  return { task, log: log === 0 ? null : log - 1 };
}
