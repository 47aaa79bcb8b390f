import { expect, test } from "vitest";
import { takePart } from "./whole-list.ts";

const all = ["a", "b", "c", "d", "e"];
const take = (query: { limit?: number; cursor?: string }, list = all) => takePart(list, query, (word) => word);

test("without a limit everything comes at once", () => {
  expect(take({})).toEqual({ items: all, nextCursor: null });
  expect(take({}, [])).toEqual({ items: [], nextCursor: null });
});

test.each([1, 2, 3, 4, 5, 200])("pages of %i make the whole list, each item once and in order", (limit) => {
  const seen: string[] = [];
  for (let cursor: string | null | undefined; cursor !== null; ) {
    const page = take({ limit, ...(cursor !== undefined && { cursor }) });
    expect(page.items.length).toBeLessThanOrEqual(limit);
    seen.push(...page.items);
    cursor = page.nextCursor;
  }
  expect(seen).toEqual(all);
});

test("a cursor that the list did not give, or whose item is gone, is refused", () => {
  const { nextCursor } = take({ limit: 2 });
  if (nextCursor === null) throw new Error("there is more");
  for (const [cursor, list] of [
    ["nonsense", all],
    ["b", all],
    [nextCursor, ["a", "c"]],
  ] as const) {
    expect(() => take({ cursor }, [...list])).toThrow(expect.objectContaining({ code: "invalid_request" }));
  }
});
