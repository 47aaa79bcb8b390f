import { RenderError } from "../render-error.ts";
import type { OperationName } from "../render-operations.ts";
import type { Call, CallInput } from "./render-sender.ts";

const pageSize = 100;

/** Ten thousand things; an account with more needs another tool, and a list without an end is stopped. */
const mostPages = 100;

type ListInput<N extends OperationName> = Omit<CallInput<N>, "body">;

/** One page of a list whose items come wrapped: `[{ service, cursor }]`. */
export async function readPage<N extends OperationName>(
  call: Call,
  name: N,
  { path, query, member, limit = pageSize }: ListInput<N> & { member: string; limit?: number },
): Promise<{ items: unknown[]; next: string | null }> {
  const wrapped = toList(name, await call(name, { path, query: { ...query, limit } }));
  const items = wrapped.map((item) => toObject(name, toObject(name, item)[member]));
  const cursor = wrapped.length < limit ? undefined : toObject(name, wrapped.at(-1)).cursor;
  return { items, next: typeof cursor === "string" && cursor !== "" ? cursor : null };
}

/** All pages. */
export async function readAll<N extends OperationName>(
  call: Call,
  name: N,
  input: ListInput<N> & { member: string },
): Promise<unknown[]> {
  const all: unknown[] = [];
  const seen = new Set<string>();
  for (let page = 0, cursor: string | undefined; page < mostPages; page++) {
    const { items, next } = await readPage(call, name, { ...input, query: { ...input.query, cursor } });
    all.push(...items);
    if (next === null || seen.has(next)) return all;
    seen.add(next);
    cursor = next;
  }
  throw unreadable(name, `the list goes on after ${mostPages} pages`);
}

/** A list whose items come bare, and with them no cursor: more than a page of it cannot be read. */
export async function readBare<N extends OperationName>(
  call: Call,
  name: N,
  { path, query }: ListInput<N>,
): Promise<unknown[]> {
  const items = toList(name, await call(name, { path, query: { ...query, limit: pageSize } }));
  if (items.length < pageSize) return items.map((item) => toObject(name, item));
  throw unreadable(name, `there may be more than ${pageSize}, and this list gives no cursor to go on with`);
}

/** A call that answers one thing. Its caller knows the shape that Render documents for it. */
export async function readThing<N extends OperationName>(call: Call, name: N, input: CallInput<N>): Promise<unknown> {
  return toObject(name, await call(name, input));
}

/** A thing of an answer, by the shape that Render documents; only that it is a thing is checked here. */
export function toObject(name: OperationName, value: unknown): Record<string, unknown> {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  throw unreadable(name, "an object was expected");
}

export function toList(name: OperationName, value: unknown): unknown[] {
  // An emptied list reads null in places.
  if (value === null) return [];
  if (Array.isArray(value)) return value;
  throw unreadable(name, "a list was expected");
}

function unreadable(operation: OperationName, why: string): RenderError {
  return new RenderError(`Render's answer to ${operation} cannot be read: ${why}.`, { operation, status: 200 });
}
