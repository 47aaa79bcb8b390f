import { Type } from "typebox";
import { expect, test } from "vitest";
import { compileCheck, isInstant } from "./validate.ts";

test.each([
  "2026-01-31T08:00:00Z",
  "2026-01-31T08:00:00.123Z",
  "2026-01-31t08:00:00z",
  "2026-01-31T08:00:00.123456789+02:00",
  "2024-02-29T00:00:00Z",
  "0001-01-01T00:00:00Z",
  "9999-12-31T23:59:59.999Z",
])("%s is an instant", (text) => {
  expect(isInstant(text)).toBe(true);
  expect(Number.isNaN(new Date(text).getTime())).toBe(false);
});

test.each([
  ["a leap second", "2016-12-31T23:59:60Z"],
  ["February 30", "2026-02-30T00:00:00Z"],
  ["February 29 of a common year", "2026-02-29T00:00:00Z"],
  ["24 o'clock", "2026-01-01T24:00:00Z"],
  ["no zone", "2026-01-01T00:00:00"],
  ["a day", "2026-01-01"],
  ["a space", "2026-01-01 00:00:00Z"],
  ["month 13", "2026-13-01T00:00:00Z"],
  ["a year of five digits in UTC", "9999-12-31T23:59:59-23:59"],
  ["before the year 1", "0000-01-01T00:00:00Z"],
  ["words", "yesterday"],
  ["a number", "1767225600000"],
])("%s is none", (_what, text) => {
  expect(isInstant(text)).toBe(false);
});

const Order = Type.Object(
  {
    kind: Type.Enum(["small", "large"]),
    at: Type.Optional(Type.String({ format: "date-time" })),
    note: Type.Optional(Type.Union([Type.String({ maxLength: 3 }), Type.Null()])),
    items: Type.Optional(Type.Array(Type.Object({ "a/b": Type.Integer() }, { additionalProperties: false }))),
  },
  { additionalProperties: false, $id: "Order" },
);
const check = compileCheck(Order);

test("a good value has no problems", () => {
  expect(check({ kind: "small", note: null, items: [{ "a/b": 1 }] })).toBeNull();
});

test.each([
  ["a missing member", {}, { path: "/kind", message: "is required" }],
  ["an unknown member", { kind: "small", x: 1 }, { path: "/x", message: "is not a known member" }],
  ["a wrong word", { kind: "tiny" }, { path: "/kind", message: 'must be one of "small", "large"' }],
  ["a leap second", { kind: "small", at: "2016-12-31T23:59:60Z" }, { path: "/at" }],
  ["a nested type", { kind: "small", items: [{ "a/b": "1" }] }, { path: "/items/0/a~1b", message: "must be integer" }],
  ["a nullable text", { kind: "small", note: "long" }, { path: "/note", message: expect.stringContaining("3") }],
])("%s is named by its place", (_what, value, problem) => {
  expect(check(value)).toEqual([expect.objectContaining(problem)]);
});

test("all problems of a small value are told, one of each place", () => {
  expect(
    check({ kind: 1, x: 1, note: 7 })
      ?.map(({ path }) => path)
      .sort(),
  ).toEqual(["/kind", "/note", "/x"]);
});

test("of a large value only the first problem is looked for", () => {
  expect(check({ kind: 1, x: 1 }, 1_000_000)).toHaveLength(1);
});

test("what was sent is never in a message", () => {
  expect(JSON.stringify(check({ kind: "hunter2", at: "hunter2" }))).not.toContain("hunter2");
});

test("a member named $id or __proto__ is judged like any other", () => {
  const Odd = Type.Object({ $id: Type.Integer() }, { additionalProperties: false });
  expect(compileCheck(Odd)({ $id: 1 })).toBeNull();
  expect(compileCheck(Odd)({ $id: "x" })).toHaveLength(1);
  expect(check(JSON.parse('{"kind":"small","__proto__":{}}'))).toHaveLength(1);
});

test("the same schema may be compiled twice although it has an $id", () => {
  expect(() => [compileCheck(Order), compileCheck(Type.Array(Order)), compileCheck(Order)]).not.toThrow();
});
