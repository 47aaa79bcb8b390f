import fc from "fast-check";
import { expect, test } from "vitest";
import { isArray, sliceArray, sliceLines } from "./slices.ts";

const bytes = (text: string) => Buffer.from(text);
const texts = (slices: Uint8Array[] | null) => slices?.map((slice) => Buffer.from(slice).toString()) ?? null;

test.concurrent("any JSON array is cut into its very items", () => {
  fc.assert(
    fc.property(fc.array(fc.jsonValue()), fc.constantFrom(0, 1, "\t"), (items, space) => {
      const cut = texts(sliceArray(bytes(`\n ${JSON.stringify(items, null, space)} `)));
      expect(cut?.map((text) => JSON.stringify(JSON.parse(text)))).toEqual(items.map((item) => JSON.stringify(item)));
    }),
  );
});

test.concurrent("any bytes at all are cut or refused, in linear time", () => {
  const part = fc.constantFrom("[", "]", "{", "}", ",", '"', "\\", " ", "1", '\\"', "\n");
  fc.assert(
    fc.property(fc.array(part, { maxLength: 40 }), (parts) => {
      const cut = sliceArray(bytes(`[${parts.join("")}`));
      expect(cut === null || Array.isArray(cut)).toBe(true);
    }),
    { numRuns: 2_000 },
  );
  expect(sliceArray(bytes("[".repeat(1_000_000)))).toBeNull();
});

test.concurrent.each(["[1", "[1}", "[1] 2", '["]', "[[1]", "[{]}"])("%s is no array", (text) => {
  expect(sliceArray(bytes(text))).toBeNull();
});

test.concurrent("an array may begin after any space", () => {
  expect([" \r\n\t[", "{", "", "  "].map((text) => isArray(bytes(text)))).toEqual([true, false, false, false]);
});

test.concurrent("lines end with LF or CRLF, the last one with nothing; blank ones are none", () => {
  expect(texts(sliceLines(bytes('{"a":1}\r\n\n  \t\n{"b":2}\n{"c":3}')))).toEqual(['{"a":1}\r', '{"b":2}', '{"c":3}']);
});
