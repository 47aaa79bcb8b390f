import { type Json, Refusal } from "./state.ts";

const prefix = "cur:";

/**
 * One page, each item wrapped with its cursor: `[{"service":{…},"cursor":"…"}]`. Going on from an item that is gone
 * meanwhile begins where it was.
 */
export function toPage<T extends { id: string }>(
  rows: readonly T[],
  query: URLSearchParams,
  member: string,
  show: (row: T) => unknown,
): Json[] {
  return slice(rows, query).map((row) => ({ [member]: show(row), cursor: toCursor(row.id) }));
}

/** The same for lists whose items come bare. */
export function toBarePage<T extends { id: string }>(
  rows: readonly T[],
  query: URLSearchParams,
  show: (row: T) => unknown,
): unknown[] {
  return slice(rows, query).map(show);
}

function slice<T extends { id: string }>(rows: readonly T[], query: URLSearchParams): T[] {
  const limit = Number(query.get("limit") ?? 20);
  if (!Number.isInteger(limit) || limit < 1 || limit > 100) throw new Refusal(400, "limit must be between 1 and 100");
  const cursor = query.get("cursor");
  if (cursor === null) return rows.slice(0, limit);
  const at = rows.findIndex(({ id }) => toCursor(id) === cursor);
  if (at < 0) throw new Refusal(400, "invalid cursor");
  return rows.slice(at + 1, at + 1 + limit);
}

function toCursor(id: string): string {
  return Buffer.from(prefix + id).toString("base64url");
}

/** Keeps rows that one of the values of each filter names; a filter that was not sent keeps all. */
export function filterBy<T>(
  rows: readonly T[],
  query: URLSearchParams,
  members: Record<string, (row: T) => unknown>,
): T[] {
  return rows.filter((row) =>
    Object.entries(members).every(([name, read]) => {
      const wanted = query.getAll(name);
      return wanted.length === 0 || wanted.includes(String(read(row)));
    }),
  );
}
