import { expect, test } from "vitest";
import { LRU } from "./lru.ts";

test("what was used least recently is forgotten first; reading is using", () => {
  const kept = new LRU<string, number>(2);
  kept.set("a", 1);
  kept.set("b", 2);
  expect(kept.get("a")).toBe(1);
  kept.set("c", 3);
  expect([kept.get("a"), kept.get("b"), kept.get("c")]).toEqual([1, undefined, 3]);
});

test("setting a key again renews it and takes no second place", () => {
  const kept = new LRU<string, number>(2);
  kept.set("a", 1);
  kept.set("b", 2);
  kept.set("a", 10);
  kept.set("c", 3);
  expect([kept.get("a"), kept.get("b"), kept.get("c")]).toEqual([10, undefined, 3]);
});

test("a cleared one is empty and can be used again", () => {
  const kept = new LRU<string, number>(2);
  kept.set("a", 1);
  kept.clear();
  expect(kept.get("a")).toBeUndefined();
  kept.set("a", 2);
  expect(kept.get("a")).toBe(2);
});
