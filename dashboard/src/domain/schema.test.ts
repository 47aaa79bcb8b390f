import { expect, test } from "vitest";
import { initialValue, toField, toPointer, valueAt, withValueAt } from "./schema.ts";
import { findFaults, toFaults } from "./validate.ts";

const kindOf = (schema: object) => toField(schema as never, schema as never).kind;

test.for([
  [{ type: "string" }, "text"],
  [{ type: "integer" }, "number"],
  [{ type: "number" }, "number"],
  [{ type: "boolean" }, "flag"],
  [{ enum: ["a", "b"] }, "choice"],
  [{ const: "only" }, "choice"],
  [{ type: "array", items: { type: "string" } }, "list"],
  [{ type: "object", properties: { a: { type: "string" } } }, "group"],
  [{ type: "object", additionalProperties: { type: "string" } }, "json"],
  [{ type: ["string", "null"] }, "text"],
  [{ type: ["string", "number"] }, "json"],
  [{ oneOf: [{ type: "string" }, { type: "object", properties: {} }] }, "variant"],
  [{ anyOf: [{ type: "string" }, { type: "null" }] }, "text"],
  [{ oneOf: [{ const: "a" }, { const: "b" }] }, "choice"],
  [{}, "json"],
] as const)("%j is drawn as %s", ([schema, kind]) => {
  expect(kindOf(schema)).toBe(kind);
});

test("null in a union makes a field that may be empty", () => {
  expect(toField({ anyOf: [{ type: "string" }, { type: "null" }] }, {}).nullable).toBe(true);
  expect(toField({ enum: ["a", null] }, {})).toMatchObject({ kind: "choice", options: ["a"], nullable: true });
});

test("references and allOf are followed within the document", () => {
  const root = {
    $defs: { id: { type: "string", title: "Id" } },
    allOf: [{ properties: { a: { $ref: "#/$defs/id" } }, required: ["a"] }, { properties: { b: { type: "integer" } } }],
  };
  const field = toField(root, root);
  expect(field).toMatchObject({
    kind: "group",
    properties: [
      { name: "a", required: true },
      { name: "b", required: false },
    ],
  });
  expect(toField({ $ref: "#/$defs/id" }, root)).toMatchObject({ kind: "text", title: "Id" });
  expect(toField({ $ref: "#/$defs/nowhere" }, root).kind).toBe("json");
});

test("a circle of references ends as JSON", () => {
  const root = { $defs: { a: { $ref: "#/$defs/b" }, b: { $ref: "#/$defs/a" } } };
  expect(toField({ $ref: "#/$defs/a" }, root).kind).toBe("json");
});

test("secrets and long texts get their own inputs", () => {
  expect(toField({ type: "string", writeOnly: true }, {})).toMatchObject({ input: "secret" });
  expect(toField({ type: "string", maxLength: 2_000 }, {})).toMatchObject({ input: "long" });
  expect(toField({ type: "string", format: "date-time" }, {})).toMatchObject({ input: "date-time" });
});

test("a new form holds defaults and required objects, and leaves the rest out", () => {
  const schema = {
    type: "object",
    required: ["inner"],
    properties: {
      mode: { type: "string", default: "plain" },
      inner: { type: "object", properties: { n: { type: "integer", default: 3 }, free: { type: "string" } } },
      optional: { type: "object", properties: { m: { type: "integer", default: 4 } } },
    },
  };
  expect(initialValue(schema, schema)).toEqual({ mode: "plain", inner: { n: 3 } });
});

test("a place is replaced without touching the others, and emptied when nothing is put there", () => {
  const value = { a: [1, { b: 2 }], c: 3 };
  expect(withValueAt(value, ["a", 1, "b"], 9)).toEqual({ a: [1, { b: 9 }], c: 3 });
  expect(withValueAt(value, ["a", 0], undefined)).toEqual({ a: [{ b: 2 }], c: 3 });
  expect(withValueAt(value, ["c"], undefined)).toEqual({ a: [1, { b: 2 }] });
  expect(withValueAt(undefined, ["x", "y"], 1)).toEqual({ x: { y: 1 } });
  expect(valueAt(value, ["a", 1, "b"])).toBe(2);
  expect(Object.keys(withValueAt(value, ["a"], 1) as object)).toEqual(["a", "c"]);
});

test.for([
  ["/payload/items/0", "/payload/items/0"],
  ["payload.items[0]", "/payload/items/0"],
  ["#/payload", "/payload"],
  ["", ""],
] as const)("%s is the place %s", ([path, pointer]) => {
  expect(toPointer(path)).toBe(pointer);
});

test("faults stand at the deepest place that the schema refuses", () => {
  const schema = {
    type: "object",
    required: ["text"],
    properties: { text: { type: "string" }, list: { type: "array", items: { type: "integer", minimum: 1 } } },
  };
  const faults = findFaults({ list: [1, 0] }, schema);
  expect([...faults.keys()].sort()).toEqual(["/list/1", "/text"]);
  expect(faults.get("/text")).toBe("This is required.");
  expect(findFaults({ text: "x" }, schema).size).toBe(0);
});

test("a service's details are faults under the form's place, the rest are words", () => {
  const { faults, others } = toFaults(
    [{ path: "/payload/text", message: "too rude" }, { path: "priority", message: "too high" }, "odd"],
    "/payload",
  );
  expect([...faults]).toEqual([["/text", "too rude"]]);
  expect(others).toEqual(["/priority too high", "This was refused."]);
});
