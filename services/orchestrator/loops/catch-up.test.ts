import { expect, test } from "vitest";
import type { LedgerEntry } from "../store/rows.ts";
import { buildCatchUp } from "./catch-up.ts";

/** A ledger that answers when the test says so. */
function buildLedger() {
  const asked: { after: number; answer: ReturnType<typeof Promise.withResolvers<LedgerEntry[]>> }[] = [];
  const read = buildCatchUp(({ after }) => {
    const answer = Promise.withResolvers<LedgerEntry[]>();
    asked.push({ after, answer });
    return answer.promise;
  });
  return { asked, readAfter: (after: number) => read({ after, upTo: 100, limit: 200 }) };
}

test("what many clients want at the same time is read once, and again for who comes later", async () => {
  const { asked, readAfter } = buildLedger();
  const reads = Array.from({ length: 50 }, () => readAfter(7));
  asked[0]?.answer.resolve([{ seq: 8 } as LedgerEntry]);
  const [first, ...others] = await Promise.all(reads);
  expect(first?.map(({ seq }) => seq)).toEqual([8]);
  expect(others.every((page) => page === first)).toBe(true);
  void readAfter(7);
  expect(asked.map(({ after }) => after)).toEqual([7, 7]);
});

test("however many clients look back, two reads are under way; one that fails lets the next one go", async () => {
  const { asked, readAfter } = buildLedger();
  const reads = [1, 2, 3, 4].map(readAfter);
  expect(asked.map(({ after }) => after)).toEqual([1, 2]);
  asked[1]?.answer.reject(new Error("the database is away"));
  await expect(reads[1]).rejects.toThrow("away");
  await expect.poll(() => asked.map(({ after }) => after)).toEqual([1, 2, 3]);
});
