import { createHash } from "node:crypto";
import { type Static, Type } from "typebox";
import { Cursor } from "./contracts/primitives.ts";
import { invalidRequest } from "./errors.ts";

/*
 * Lists that are small enough to be read whole (monitors, agents, drifts) are asked for a part as every other list is. Without a limit
 * everything comes at once.
 */

export const WholeListQuery = Type.Object(
  {
    limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 200, description: "default: all" })),
    cursor: Type.Optional(Cursor),
  },
  { additionalProperties: false },
);

/**
 * The part of a whole list that is asked for; the cursor stands for the last item that was shown.
 *
 * @param keyOf what tells an item from all others, and stays
 * @throws ApiError 400 for a cursor of no item that is there
 */
export function takePart<T>(
  all: readonly T[],
  { limit = all.length, cursor }: Static<typeof WholeListQuery>,
  keyOf: (item: T) => string,
): { items: T[]; nextCursor: string | null } {
  const start = cursor === undefined ? 0 : all.findIndex((item) => toCursor(keyOf(item)) === cursor) + 1;
  if (cursor !== undefined && start === 0) {
    throw invalidRequest("/cursor", "is not a cursor that this list gave; start again without one");
  }
  const items = all.slice(start, start + limit);
  const last = items.at(-1);
  const isMore = last !== undefined && start + limit < all.length;
  return { items, nextCursor: isMore ? toCursor(keyOf(last)) : null };
}

/** A digest, because a key may be long, and because nobody is to read anything into it. */
const toCursor = (key: string) => createHash("sha256").update(key).digest("base64url");
