import { randomBytes } from "node:crypto";
import { expect, test } from "vitest";
import { findSecretMembers, sealPayload, toSealingKey, unsealPayload } from "./secret-members.ts";

const secret = { type: "string", writeOnly: true };

test.each([
  ["a property", { properties: { token: secret } }, { token: "t", other: 1 }, ["/token"]],
  [
    "every value of a map",
    { properties: { env: { additionalProperties: secret } } },
    { env: { A: "1", "B/C": "2" } },
    ["/env/A", "/env/B~1C"],
  ],
  [
    "members of items",
    { properties: { list: { items: { properties: { key: secret } } } } },
    { list: [{ key: 1 }, {}, { key: 2 }] },
    ["/list/0/key", "/list/2/key"],
  ],
  ["behind a reference", { $defs: { s: secret }, properties: { a: { $ref: "#/$defs/s" } } }, { a: "x" }, ["/a"]],
  [
    "in one of several alternatives",
    { anyOf: [{ properties: { a: secret } }, { properties: { b: {} } }] },
    { a: 1, b: 2 },
    ["/a"],
  ],
  [
    "a whole object, its parts not again",
    { properties: { o: { writeOnly: true, properties: { p: secret } } } },
    { o: { p: 1 } },
    ["/o"],
  ],
  ["the whole payload", { writeOnly: true }, "s", [""]],
  ["nothing where nothing is sent", { properties: { token: secret } }, {}, []],
  ["a schema that refers to itself", { $ref: "#", properties: { a: secret } }, { a: 1 }, ["/a"]],
  ["an inherited name", { properties: {} }, { constructor: "x" }, []],
])("finds %s", (_what, schema, payload, pointers) => {
  expect(findSecretMembers(schema, payload)).toEqual(pointers);
});

const key = toSealingKey("a key for the tests");
const nonce = () => randomBytes(12);

test("what is taken out comes back for the same task only, and nothing of it can be read meanwhile", () => {
  const payload = { token: "hunter2", list: [{ key: { deep: ["hunter3"] } }], open: "yes" };
  const { payload: shown, sealed } = sealPayload(payload, ["/token", "/list/0/key"], { key, nonce, taskId: "t1" });
  expect(shown).toEqual({ token: "[redacted]", list: [{ key: "[redacted]" }], open: "yes" });
  expect(JSON.stringify(sealed)).not.toContain("hunter");
  expect(unsealPayload(shown, sealed, { key, taskId: "t1" })).toEqual(payload);
  expect(payload.token).toBe("hunter2");
  expect(() => unsealPayload(shown, sealed, { key, taskId: "t2" })).toThrow();
  expect(() => unsealPayload(shown, sealed, { key: toSealingKey("another"), taskId: "t1" })).toThrow();
  expect(() => unsealPayload(shown, sealed, { key: null, taskId: "t1" })).toThrow("SECRETS_KEY");
});

test("a member that still reads [redacted] keeps its value", () => {
  const first = sealPayload({ a: "one", b: "two" }, ["/a", "/b"], { key, nonce, taskId: "t" });
  const second = sealPayload({ a: "[redacted]", b: "new" }, ["/a", "/b"], {
    key,
    nonce,
    taskId: "t",
    kept: first.sealed,
  });
  expect(unsealPayload(second.payload, second.sealed, { key, taskId: "t" })).toEqual({ a: "one", b: "new" });
});

test("a secret whose place is gone from the payload stays away", () => {
  const payload = { a: "one", list: [{ s: "two" }], open: 1 };
  const { sealed } = sealPayload(payload, ["/a", "/list/0/s"], { key, nonce, taskId: "t" });
  for (const left of [{ open: 2 }, { list: [] }, { list: "x" }, "text", null, [1]])
    expect(unsealPayload(left, sealed, { key, taskId: "t" })).toEqual(left);
  expect(unsealPayload({ a: "[redacted]" }, sealed, { key, taskId: "t" })).toEqual({ a: "one" });
});
