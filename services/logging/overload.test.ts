import { eventually } from "@signalbox/testing/eventually.ts";
import { expect, test } from "vitest";
import { startLogging } from "./logging.fixture.ts";

const lines = (from: number) =>
  Array.from({ length: 1_000 }, (_, n) => ({
    level: "info",
    service: "flood",
    message: `${from + n} ${"x".repeat(2_000)}`,
  }));

test("a flood is refused with 429 instead of growing, what was answered is stored, and then all is taken again", async () => {
  await using logging = await startLogging();
  // 40 x 2 MB at once.
  const replies = await Promise.all(Array.from({ length: 40 }, (_, at) => logging.postLines(lines(at * 1_000))));
  const accepted = replies.filter(({ status }) => status === 202);
  const refused = replies.filter(({ status }) => status === 429);
  expect(accepted.length).toBeGreaterThan(0);
  expect(refused.length).toBeGreaterThan(0);
  expect(accepted.length + refused.length).toBe(40);
  expect(refused.every(({ headers }) => headers["retry-after"] === "1")).toBe(true);
  const { rows } = await logging.database.pool.query("select count(*)::int as n from logs");
  expect(rows[0].n).toBe(accepted.length * 1_000);
  await eventually(async () => (await logging.postLines(lines(0))).status === 202);
});
