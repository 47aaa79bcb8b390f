import { type Static, type TSchema, Type } from "typebox";

/** Any UUID in its canonical lower- or upper-case text form; ids made here are version 7. */
export const Uuid = Type.String({ format: "uuid", description: "UUID (ids made by Signalbox are UUIDv7)" });

/** W3C trace id: 32 lowercase hex digits, not all zero. */
export const TraceId = Type.String({
  pattern: "^(?!0{32}$)[0-9a-f]{32}$",
  description: "W3C trace id: 32 lowercase hex digits, not all zero",
});

/** RFC 3339 instant; answers are always UTC with milliseconds. */
export const Instant = Type.String({ format: "date-time", description: "RFC 3339 time" });

export const CorrelationId = Type.String({ maxLength: 200, description: "The caller's own id, any string" });

/** Opaque resume or paging point: only ever sent back as it came. */
export const Cursor = Type.String({ minLength: 1, maxLength: 512 });

export function Nullable<T extends TSchema>(schema: T) {
  return Type.Union([schema, Type.Null()]);
}

/** The one shape of every list. */
export function List<T extends TSchema>(item: T) {
  return Type.Object({ items: Type.Array(item), nextCursor: Nullable(Cursor) }, { additionalProperties: false });
}

/** Comma-separated words of a fixed set, as one query parameter. */
export function CommaList(words: readonly string[], description: string) {
  const word = `(?:${words.join("|")})`;
  return Type.String({ pattern: `^${word}(?:,${word})*$`, description });
}

export type Uuid = Static<typeof Uuid>;
