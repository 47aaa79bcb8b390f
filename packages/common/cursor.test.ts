import fc from "fast-check";
import { expect, test } from "vitest";
import { type CursorPart, decodeCursor, encodeCursor } from "./cursor.ts";

const id = "01890000-0000-7000-8000-00000000000a";

test("what is packed is unpacked", () => {
  const instants = fc.date({ min: new Date("0001-01-01"), max: new Date("9999-12-31"), noInvalidDate: true });
  fc.assert(
    fc.property(fc.nat(Number.MAX_SAFE_INTEGER), instants, fc.uuid(), (number, date, uuid) => {
      const values = [number, date.toISOString(), uuid];
      expect(decodeCursor(encodeCursor(values), ["integer", "instant", "uuid"])).toEqual(values);
    }),
  );
});

const word = (text: string) => Buffer.from(text).toString("base64url");

test.each<[string, CursorPart[]]>([
  ["", ["integer"]],
  [" ", ["integer"]],
  [word(""), ["integer"]],
  [word("-1"), ["integer"]],
  [word("1.5"), ["integer"]],
  [word("007"), ["integer"]],
  [word("9007199254740992"), ["integer"]],
  [word("99999999999999999999"), ["integer"]],
  [word("1~2"), ["integer"]],
  [word("1"), ["integer", "integer"]],
  [`${word("1")}=`, ["integer"]],
  [`${word("1")}\n`, ["integer"]],
  [word("1; drop table tasks"), ["integer"]],
  [word(id.toUpperCase()), ["uuid"]],
  [word("x".repeat(36)), ["uuid"]],
  [word("0000-01-01T00:00:00.000Z"), ["instant"]],
  [word("2026-02-30T00:00:00.000Z"), ["instant"]],
  [word("2026-01-31T24:00:00.000Z"), ["instant"]],
  [word("2026-01-31T08:00:00Z"), ["instant"]],
  [word("2026-01-31T:::::::..00Z"), ["instant"]],
  [word("9999-12-31T23:59:59.9999Z"), ["instant"]],
])("%j is refused with 400", (text, shape) => {
  expect(() => decodeCursor(text, shape)).toThrow(expect.objectContaining({ code: "invalid_request" }));
});

test("whatever is sent is unpacked or refused", () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.base64String(), fc.string().map(word)), (text) => {
      try {
        expect(encodeCursor(decodeCursor(text, ["integer", "uuid"]))).toBe(text);
      } catch (error) {
        expect(error).toMatchObject({ code: "invalid_request" });
      }
    }),
  );
});
