import fc from "fast-check";
import { expect, test } from "vitest";
import { ApiError } from "./errors.ts";
import { parseJson } from "./json.ts";

function parse(text: string): unknown {
  return parseJson(Buffer.from(text, "utf8"));
}

function refusalOf(bytes: string | Buffer): ApiError {
  try {
    parseJson(Buffer.from(bytes as string));
  } catch (error) {
    if (error instanceof ApiError) return error;
    throw error;
  }
  throw new Error("it was accepted");
}

function nested(depth: number, open = "[", close = "]"): string {
  return open.repeat(depth) + (open === "[" ? "" : "1") + close.repeat(depth);
}

test("what JSON.stringify writes is read back as it was", () => {
  fc.assert(
    fc.property(fc.jsonValue({ maxDepth: 10 }), (value) => {
      const text = JSON.stringify(value);
      if (text.includes("\\u0000") || text.includes("__proto__")) return;
      expect(parse(text)).toEqual(JSON.parse(text));
    }),
  );
});

test("64 levels are read, 65 are not", () => {
  expect(parse(nested(64))).toBeDefined();
  expect(refusalOf(nested(65)).message).toContain("deeper than 64");
  expect(parse(nested(64, '{"a":', "}"))).toBeDefined();
  expect(refusalOf(nested(65, '{"a":', "}")).code).toBe("invalid_request");
});

test("brackets inside texts are no levels", () => {
  expect(parse(JSON.stringify("[".repeat(1_000)))).toBe("[".repeat(1_000));
  expect(parse(`"\\"${"[".repeat(100)}"`)).toBe(`"${"[".repeat(100)}`);
});

test("a megabyte of brackets is refused before it becomes a megabyte of arrays", () => {
  expect(refusalOf("[".repeat(1_048_576)).status).toBe(400);
});

test.each([
  ["NUL in a text", '{"a":"x\\u0000y"}'],
  ["NUL in a key", '{"x\\u0000y":1}'],
  ["half a surrogate pair in a text", '["\\ud83d"]'],
  ["the other half in a key", '{"\\ude00":1}'],
  ["a number beyond a double", "[1e400]"],
  ["a negative one", "[-1E+400]"],
  ["one that is written out", `[${"9".repeat(400)}]`],
  ["__proto__", '{"a":{"__proto__":{"polluted":true}}}'],
  ["__proto__ with an escape", '{"__pr\\u006fto__":1}'],
  ["a byte that is not UTF-8", Buffer.from([0x22, 0xff, 0x22])],
  ["a surrogate as bytes", Buffer.from([0x22, 0xed, 0xa0, 0xbd, 0x22])],
  ["a half text", '{"a":"b'],
  ["an escape at the end", '"\\'],
  ["nothing", ""],
  ["two values", "1 2"],
  ["NaN", "NaN"],
])("%s is refused", (_what, bytes) => {
  const refusal = refusalOf(bytes);
  expect(refusal.status).toBe(400);
  expect(refusal.code).toBe("invalid_request");
});

test.each([
  ["an escaped pair", '"\\ud83d\\ude00"', "😀"],
  ["an escaped backslash before u0000", '"\\\\u0000"', "\\u0000"],
  ["the largest double", "1.7976931348623157e308", Number.MAX_VALUE],
  ["true and false, whose e is no exponent", "[true,false]", [true, false]],
  ["a byte order mark", "\ufeff[1]", [1]],
  ["the word __proto__ as a text", '["__proto__"]', ["__proto__"]],
])("%s is read", (_what, text, value) => {
  expect(parse(text)).toEqual(value);
});

test("the refusal does not quote what was sent", () => {
  const refusal = refusalOf('{"password": hunter2}');
  expect(JSON.stringify([refusal.message, refusal.details])).not.toContain("hunter2");
});

test("the refusal says where, when the parser knows it", () => {
  expect(refusalOf('{"a":1 "b":2}').message).toContain("at position 7");
});

test("nothing leaks into the prototype of objects", () => {
  refusalOf('{"__proto__":{"x":1}}');
  expect(({} as { x?: number }).x).toBeUndefined();
});
