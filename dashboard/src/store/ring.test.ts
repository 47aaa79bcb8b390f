import { expect, test } from "vitest";
import { append, emptyRing, findBack, hasKey, prepend, type Row, replaceAt, rowAt, rowsOf, sizeOf } from "./ring.ts";

type Item = Row & { n: number };
const limits = { rows: 100_000, weight: 1e9 };
const items = (from: number, to: number, weight = 1): Item[] =>
  Array.from({ length: to - from }, (_, index) => ({
    key: `k${String(from + index).padStart(8, "0")}`,
    weight,
    n: from + index,
  }));
const numbers = (ring: Parameters<typeof rowsOf<Item>>[0]) => [...rowsOf(ring)].map(({ n }) => n);

test("rows come out in the order they went in, whatever the batches were", () => {
  let ring = emptyRing<Item>();
  for (let at = 0; at < 3_000; at += 37) ring = append(ring, items(at, Math.min(3_000, at + 37)), limits);
  expect(numbers(ring)).toEqual(items(0, 3_000).map(({ n }) => n));
  expect(rowAt(ring, 2_345)?.n).toBe(2_345);
  expect(rowAt(ring, 3_000)).toBeUndefined();
});

test("what a reader holds does not change when more is appended", () => {
  const before = append(emptyRing<Item>(), items(0, 10), limits);
  append(before, items(10, 2_000), limits);
  expect(numbers(before)).toEqual(items(0, 10).map(({ n }) => n));
});

test("past its rows the oldest go, and the others keep their numbers", () => {
  const ring = append(emptyRing<Item>(), items(0, 5_000), { rows: 1_000, weight: 1e9 });
  expect(sizeOf(ring)).toBeLessThanOrEqual(1_000);
  expect(sizeOf(ring)).toBeGreaterThan(400);
  expect(rowAt(ring, ring.first)?.n).toBe(ring.first);
  expect(ring.end).toBe(5_000);
});

test("past its weight the oldest go too", () => {
  const ring = append(emptyRing<Item>(), items(0, 2_000, 1_000), { rows: 100_000, weight: 600_000 });
  expect(ring.weight).toBeLessThanOrEqual(600_000);
  expect(rowAt(ring, ring.end - 1)?.n).toBe(1_999);
});

test("history in front takes lower numbers and moves nobody", () => {
  const ring = prepend(append(emptyRing<Item>(), items(100, 200), limits), items(0, 100));
  expect([ring.first, rowAt(ring, ring.first)?.n, rowAt(ring, 0)?.n]).toEqual([-100, 0, 100]);
  expect(numbers(ring)).toEqual(items(0, 200).map(({ n }) => n));
});

test("a key is found wherever it is held, and only there", () => {
  const ring = prepend(append(emptyRing<Item>(), items(1_000, 3_000), limits), items(0, 900));
  expect(["k00000000", "k00000899", "k00001000", "k00002999"].map((key) => hasKey(ring, key))).toEqual([
    true,
    true,
    true,
    true,
  ]);
  expect(["k00000900", "k00003000", ""].map((key) => hasKey(ring, key))).toEqual([false, false, false]);
});

test("a row is replaced in place, and looked for backwards within a reach", () => {
  const ring = append(emptyRing<Item>(), items(0, 1_200), limits);
  const changed = replaceAt(ring, 700, { key: "changed", weight: 1, n: -1 });
  expect([rowAt(changed, 700)?.n, rowAt(changed, 699)?.n, rowAt(ring, 700)?.n]).toEqual([-1, 699, 700]);
  expect(findBack(ring, 32, ({ n }) => n === 1_180)).toBe(1_180);
  expect(findBack(ring, 32, ({ n }) => n === 1_100)).toBeNull();
});
