import fc from "fast-check";
import { expect, test, vi } from "vitest";
import { uuidFrom, uuidOf, uuidTime, uuidv7 } from "./uuid.ts";

const version7 = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
// One less than the last: the next instant must have an id too.
const instants = fc.nat(2 ** 48 - 2);

test("ids made one after the other grow, each with the time it was made, and none comes twice", () => {
  const from = Date.now();
  const ids = Array.from({ length: 50_000 }, () => uuidv7());
  expect(ids.every((id) => version7.test(id))).toBe(true);
  expect(ids.every((id, at) => at === 0 || id > (ids[at - 1] ?? ""))).toBe(true);
  expect(uuidTime(ids[0] ?? "")).toBeGreaterThanOrEqual(from);
  expect(Math.abs((uuidTime(ids.at(-1) ?? "") ?? 0) - Date.now())).toBeLessThan(1_000);
});

test("ids stand still while the clock is a little behind, and go with one that was set back", () => {
  const now = Date.now();
  const clock = vi.spyOn(Date, "now");
  try {
    clock.mockReturnValue(now + 3_600_000);
    const ahead = uuidv7();
    clock.mockReturnValue(now + 3_600_000 - 9_999);
    expect(uuidv7() > ahead).toBe(true);
    clock.mockReturnValue(now);
    expect(uuidTime(uuidv7())).toBe(now);
  } finally {
    clock.mockRestore();
  }
});

test("the same content at the same time has the same id", () => {
  const digest = fc.uint8Array({ minLength: 20, maxLength: 20 });
  fc.assert(
    fc.property(instants, digest, digest, (at, one, other) => {
      expect(uuidFrom(at, one)).toMatch(version7);
      expect(uuidTime(uuidFrom(at, one))).toBe(at);
      expect(uuidFrom(at, one)).toBe(uuidFrom(at, one));
      expect(uuidFrom(at, one) === uuidFrom(at, other)).toBe(uuidFrom(at + 1, one) === uuidFrom(at + 1, other));
    }),
  );
  expect(uuidFrom(0, new Uint8Array(10).fill(1))).not.toBe(uuidFrom(0, new Uint8Array(10).fill(2)));
});

test("an id of a given time carries that time", () => {
  fc.assert(
    fc.property(instants, (at) => {
      const id = uuidv7(at);
      expect(id).toMatch(version7);
      expect(uuidTime(id)).toBe(at);
    }),
  );
});

test("a row's id is the same wherever it is read, and another row's is another", () => {
  fc.assert(
    fc.property(instants, fc.nat(Number.MAX_SAFE_INTEGER), fc.nat(Number.MAX_SAFE_INTEGER), (at, one, other) => {
      expect(uuidOf(at, one)).toMatch(version7);
      expect(uuidTime(uuidOf(at, one))).toBe(at);
      expect(uuidOf(at, one) === uuidOf(at, other)).toBe(one === other);
      expect(uuidOf(at, one) < uuidOf(at, other)).toBe(one < other);
    }),
  );
});

test.each([
  "",
  "x",
  "01890000-0000-4000-8000-000000000001",
  "01890000-0000-7000-c000-000000000001",
  "0189000000007000800000000000000",
])("%j carries no time", (text) => {
  expect(uuidTime(text)).toBeNull();
});
