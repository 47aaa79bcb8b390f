import { Type } from "typebox";
import { expect, test } from "vitest";
import { compileParameters, parseQuery } from "./query.ts";

const Query = Type.Object(
  {
    limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 200 })),
    live: Type.Optional(Type.Boolean()),
    share: Type.Optional(Type.Number()),
    q: Type.Optional(Type.String({ minLength: 1 })),
    since: Type.Optional(Type.String({ format: "date-time" })),
    auth: Type.Optional(Type.String()),
  },
  { additionalProperties: false },
);
const read = compileParameters(Query, "query parameter");

test("parameters become what the schema says", () => {
  expect(read(parseQuery("limit=50&live=true&share=-0.5&q=a+b%26c"))).toEqual({
    limit: 50,
    live: true,
    share: -0.5,
    q: "a b&c",
  });
  expect(read(parseQuery(""))).toEqual({});
});

test.each([
  ["limit=0"],
  ["limit=201"],
  ["limit=1.5"],
  ["limit=0x10"],
  ["limit=1e2"],
  ["limit="],
  ["limit=+5"],
  ["limit=NaN"],
  ["limit=99999999999999999999"],
  ["live=1"],
  ["q="],
  ["since=yesterday"],
  ["since=2016-12-31T23:59:60Z"],
])("%s is refused", (text) => {
  expect(() => read(parseQuery(text))).toThrow(expect.objectContaining({ status: 400 }));
});

test("an unknown parameter is refused, and the known ones are named but for the credential", () => {
  expect(() => read(parseQuery("limti=5"))).toThrow(
    "/limti is not a known query parameter; known: limit, live, share, q, since",
  );
});

test("a parameter that came twice is refused", () => {
  expect(() => parseQuery("limit=1&limit=2")).toThrow("/limit was given more than once");
  expect(() => parseQuery("limit=1&%6cimit=2")).toThrow("/limit was given more than once");
});

test.each(["q=%", "q=%zz", "q=%ff", "%c0%80=1", "q=%ed%a0%80"])("bad %-encoding in %s is refused", (text) => {
  expect(() => parseQuery(text)).toThrow("bad %-encoding");
});

test("NUL is refused, which no database column takes", () => {
  expect(() => read(parseQuery("q=a%00b"))).toThrow("NUL");
});

test("a route without a query takes none, and says so", () => {
  const none = compileParameters(undefined, "query parameter");
  expect(none(parseQuery(""))).toEqual({});
  expect(() => none(parseQuery("x=1"))).toThrow("there are none here");
});

test("names that objects have by birth are names like others", () => {
  for (const name of ["__proto__", "constructor", "toString"]) {
    expect(() => read(parseQuery(`${name}=1`))).toThrow("is not a known query parameter");
  }
});

test("an open schema lets the unknown pass and hands over the known", () => {
  const open = compileParameters(
    Type.Object({ a: Type.Optional(Type.Integer()) }, { additionalProperties: true }),
    "query parameter",
  );
  expect(open(parseQuery("a=1&utm_source=x"))).toEqual({ a: 1 });
});
