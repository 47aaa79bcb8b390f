import { expect, test } from "vitest";
import { compileSchema } from "./payload-schema.ts";

const pathsOf = (schema: Record<string, unknown>, payload: unknown) =>
  compileSchema(schema)(payload)?.map(({ path }) => path) ?? null;

test("a payload that fits has no problems, and one that does not has them all, each at its place", () => {
  const schema = { type: "object", required: ["a", "b"], properties: { a: { type: "integer" }, c: { enum: [1, 2] } } };
  expect(pathsOf(schema, { a: 1, b: null })).toBeNull();
  expect(pathsOf(schema, { a: "x", c: 3 })?.toSorted()).toEqual(["/a", "/b", "/c"]);
  expect(pathsOf(schema, [])).toEqual([""]);
});

test("of a large payload the first problem is enough", () => {
  const judge = compileSchema({ type: "array", items: { type: "string" } });
  const startedAt = performance.now();
  expect(judge(Array.from({ length: 400_000 }, (_, at) => at))).toHaveLength(1);
  expect(performance.now() - startedAt).toBeLessThan(10_000);
});

const manyRefs = Object.fromEntries(
  Array.from({ length: 40 }, (_, at) => [
    `d${at + 1}`,
    { allOf: [{ $ref: `#/$defs/d${at}` }, { $ref: `#/$defs/d${at}` }] },
  ]),
);

test.each<[string, Record<string, unknown>, unknown]>([
  ["a pattern that tries every split", { pattern: "^(a+)+$" }, `${"a".repeat(60)}!`],
  ["a pattern of member names", { patternProperties: { "^(a|aa)+$": true } }, { [`${"a".repeat(80)}!`]: 1 }],
  [
    "every pair of many objects",
    { uniqueItems: true },
    Array.from({ length: 30_000 }, (_, at) => ({ at, text: "same" })),
  ],
  ["references that double forty times", { $defs: { d0: { type: "string" }, ...manyRefs }, $ref: "#/$defs/d40" }, "x"],
  ["a reference to itself", { $ref: "#" }, { a: 1 }],
  ["itself as its own part", { allOf: [{ $ref: "#" }], pattern: "a" }, "a"],
  ["a dynamic reference to itself", { $dynamicAnchor: "x", $dynamicRef: "#x" }, 1],
])("%s is given up in time, and the process goes on", (_what, schema, payload) => {
  const judge = compileSchema(schema);
  const startedAt = performance.now();
  expect(judge(payload)).toEqual([{ path: "", message: expect.stringContaining("too long") }]);
  expect(performance.now() - startedAt).toBeLessThan(10_000);
  expect(compileSchema({ pattern: "^a$" })("a")).toBeNull();
});

test("what is costly but small is judged as it should be", () => {
  expect(pathsOf({ uniqueItems: true }, [1, 2, 1])).toEqual([""]);
  expect(pathsOf({ uniqueItems: true }, [{ a: 1 }, { a: 2 }])).toBeNull();
  expect(pathsOf({ properties: { id: { format: "uuid" } } }, { id: "x" })).toEqual(["/id"]);
  expect(pathsOf({ $defs: { n: { type: "number" } }, properties: { a: { $ref: "#/$defs/n" } } }, { a: "x" })).toEqual([
    "/a",
  ]);
});

test("two agents may name their schemas alike and mean different things", () => {
  const named = (type: string) => ({
    $id: "https://agents.example/order",
    $defs: { x: { $id: "x", type } },
    $ref: "x",
  });
  const [text, number] = [compileSchema(named("string")), compileSchema(named("number"))];
  expect([text("a"), number(1)]).toEqual([null, null]);
  expect(text(1)).toHaveLength(1);
  expect(number("a")).toHaveLength(1);
  const local = (type: string) => ({ $defs: { x: { type } }, properties: { a: { $ref: "#/$defs/x" } } });
  const [first, second] = [compileSchema(local("string")), compileSchema(local("number"))];
  expect([first({ a: "a" }), second({ a: 1 })]).toEqual([null, null]);
  expect([first({ a: 1 }), second({ a: "a" })]).toEqual([[expect.anything()], [expect.anything()]]);
});

test.each<[string, Record<string, unknown>]>([
  ["an unknown type", { type: "nonsense" }],
  ["a reference to nowhere", { $ref: "#/nowhere" }],
  ["a reference elsewhere", { $ref: "http://agent.example/schema" }],
  ["a pattern that is none", { pattern: "(" }],
  ["an asynchronous one", { $async: true, required: ["x"] }],
  ["a limit that is no number", { maximum: "1" }],
])("%s is no schema", (_what, schema) => {
  expect(() => compileSchema(schema)).toThrow(Error);
});

test("unknown keywords and formats are let pass, without a word on the console", () => {
  expect(pathsOf({ type: "string", format: "color-of-mine", "x-widget": "picker" }, "red")).toBeNull();
});

test("evil texts pass through every known format in time", () => {
  const formats = [
    "date-time",
    "date",
    "time",
    "duration",
    "uri",
    "uri-reference",
    "uri-template",
    "email",
    "hostname",
    "ipv4",
    "ipv6",
    "regex",
    "uuid",
    "json-pointer",
    "byte",
  ];
  const texts = [
    "a".repeat(400_000),
    `${"a.".repeat(200_000)}!`,
    "0".repeat(400_000),
    `${"%41".repeat(130_000)} `,
    `${"a@".repeat(200_000)}`,
    `${":".repeat(400_000)}`,
  ];
  for (const format of formats) {
    const judge = compileSchema({ type: "string", format });
    for (const text of texts) {
      const startedAt = performance.now();
      judge(text);
      expect([format, performance.now() - startedAt < 1_500]).toEqual([format, true]);
    }
  }
});
