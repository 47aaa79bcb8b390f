import { expect, test } from "vitest";
import { type HookAttempt, parseHook, planRedeliveries } from "./webhook-reconcile.ts";

const now = 1_000_000_000_000;
const minutes = 60_000;
const attempt = (guid: string, minutesAgo: number, isOk = false): HookAttempt => ({
  id: `${guid}-${minutesAgo}`,
  guid,
  atMs: now - minutesAgo * minutes,
  isOk,
});
const plan = (...attempts: HookAttempt[]) => planRedeliveries(attempts, now).map(({ id }) => id);

test("what arrived once is not wanted again", () => {
  expect(plan(attempt("a", 60), attempt("a", 50, true), attempt("b", 40, true))).toEqual([]);
});

test("the newest attempt of what never arrived is wanted, the oldest delivery first", () => {
  expect(plan(attempt("b", 10), attempt("a", 300), attempt("b", 400))).toEqual(["b-10", "a-300"]);
});

test("each attempt doubles the pause, up to an hour", () => {
  expect(plan(attempt("a", 0.9))).toEqual([]);
  expect(plan(attempt("a", 1))).toEqual(["a-1"]);
  const tried = (times: number, minutesAgo: number) =>
    Array.from({ length: times }, (_, index) => attempt("a", minutesAgo + index * 60));
  expect(plan(...tried(4, 7.9))).toEqual([]);
  expect(plan(...tried(4, 8))).toEqual(["a-8"]);
  expect(plan(...tried(11, 60))).toEqual(["a-60"]);
  expect(plan(...tried(12, 60))).toEqual([]);
});

test("what GitHub would not send again is not asked for", () => {
  expect(plan(attempt("a", 3 * 24 * 60))).toEqual([]);
  expect(plan(attempt("a", 3 * 24 * 60 - 1))).toHaveLength(1);
});

test.each([
  ["acme/api:123", { owner: "acme/api", id: "123" }],
  ["acme:9", { owner: "acme", id: "9" }],
  ["acme/api", null],
  ["a/b/c:1", null],
  ["acme/../x:1", null],
  ["acme:one", null],
])("the hook %s", (text, expected) => {
  expect(parseHook(text)).toEqual(expected);
});
