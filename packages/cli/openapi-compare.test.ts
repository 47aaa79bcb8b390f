import { expect, test } from "vitest";
import { findBroken } from "./openapi-compare.ts";

type Json = Record<string, unknown>;

const request = (schema: Json) =>
  toDocument({ requestBody: { content: { "application/json": { schema } } }, responses: {} });
const response = (schema: Json) => toDocument({ responses: { 200: { content: { "application/json": { schema } } } } });
const object = (properties: Json, required: string[] = []) => ({ type: "object", properties, required });
const toDocument = (route: Json, components: Json = {}) => ({
  paths: { "/task": { post: route } },
  components: { schemas: components },
});

const text = { type: "string" };
const one = object({ a: text }, ["a"]);

test.each<[string, Json, Json, string]>([
  ["a route", toDocument({}), { paths: {} }, "POST /task: is gone"],
  ["a member of an answer", response(one), response(object({})), "POST /task response 200.a: is gone"],
  ["a promise", response(one), response(object({ a: text })), "POST /task response 200.a: is not promised any more"],
  [
    "a type",
    response(one),
    response(object({ a: { type: "number" } }, ["a"])),
    'POST /task response 200.a: was "string", is "number"',
  ],
  ["a status", response(one), toDocument({ responses: {} }), "POST /task response 200: is gone"],
  ["a member of a request", request(one), request(object({})), "POST /task request.a: is gone"],
  ["freedom to say nothing", request(object({ a: text })), request(one), "POST /task request.a: is demanded now"],
  ["a new member that must be said", request(object({})), request(one), "POST /task request.a: is demanded now"],
  ["a word", request({ enum: ["x", "y"] }), request({ enum: ["x"] }), 'POST /task request: may not be "y" any more'],
  [
    "a higher limit",
    request({ ...text, maxLength: 9 }),
    request({ ...text, maxLength: 8 }),
    "POST /task request: maxLength is 8, was 9",
  ],
  [
    "freedom from a pattern",
    request(text),
    request({ ...text, pattern: "^x" }),
    "POST /task request: pattern is ^x, was none",
  ],
  [
    "an alternative",
    response({ anyOf: [text, { type: "null" }] }),
    response({ anyOf: [text] }),
    "POST /task response 200: 1 of its alternatives changed",
  ],
  [
    "a member deep inside",
    response({ type: "array", items: one }),
    response({ type: "array", items: object({}) }),
    "POST /task response 200[].a: is gone",
  ],
  [
    "a way in",
    toDocument({ security: [{ basic: [] }, { internalKey: [] }] }),
    toDocument({ security: [{ internalKey: [] }] }),
    "POST /task security: basic lets nobody in any more",
  ],
  [
    "a parameter",
    toDocument({ parameters: [{ in: "query", name: "limit", schema: text }] }),
    toDocument({ parameters: [{ in: "query", name: "limit", schema: text, required: true }] }),
    "POST /task query limit: is demanded now",
  ],
])("%s that was taken away is named", (_what, before, after, line) => {
  expect(findBroken(before, after)).toEqual([line]);
});

test.each<[string, Json, Json]>([
  ["a route", { paths: {} }, toDocument({})],
  ["a member of an answer", response(object({})), response(one)],
  ["a member that a request may have", request(object({})), request(object({ a: text }))],
  ["a word of an answer", response({ enum: ["x"] }), response({ enum: ["x", "y"] })],
  ["a word of a request", request({ enum: ["x"] }), request({ enum: ["x", "y"] })],
  ["a higher limit", request({ ...text, maxLength: 8 }), request({ ...text, maxLength: 9 })],
  ["a description", response({ ...text, description: "a" }), response({ ...text, description: "b" })],
  [
    "a choice in another order",
    response({ anyOf: [text, { type: "null" }] }),
    response({ anyOf: [{ type: "null" }, text] }),
  ],
  [
    "a way in",
    toDocument({ security: [{ basic: [] }] }),
    toDocument({ security: [{ internalKey: [] }, { basic: [] }] }),
  ],
  [
    "a parameter",
    toDocument({ parameters: [] }),
    toDocument({ parameters: [{ in: "query", name: "limit", schema: text }] }),
  ],
])("%s that was added breaks nothing", (_what, before, after) => {
  expect(findBroken(before, after)).toEqual([]);
});

test("a shared schema is looked into on both sides", () => {
  const route = {
    responses: { 200: { content: { "application/json": { schema: { $ref: "#/components/schemas/Task" } } } } },
  };
  expect(findBroken(toDocument(route, { Task: one }), toDocument(route, { Task: object({}) }))).toEqual([
    "POST /task response 200.a: is gone",
  ]);
});
