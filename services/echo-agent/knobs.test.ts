import { expect, test } from "vitest";
import { knobsOf, planSteps, textOf, withoutOriginal } from "./knobs.ts";

test("steps are spread evenly and together take the whole delay", () => {
  expect(planSteps({ delayMs: 100, progressSteps: 3 })).toEqual([
    { afterMs: 33, percent: 33 },
    { afterMs: 34, percent: 67 },
    { afterMs: 33, percent: 100 },
  ]);
  expect(planSteps({ progressSteps: 2 }).map(({ afterMs }) => afterMs)).toEqual([0, 0]);
  expect(planSteps({ delayMs: 100 })).toEqual([]);
});

test.each([null, 7, "text", true, ["delayMs"]])("%j has no knobs", (payload) => {
  expect(knobsOf(payload)).toEqual({});
});

test.each([
  [{ text: "ping", conversation_key: "c" }, "ping"],
  ["ping", "ping"],
  [{ text: 7 }, '{"text":7}'],
  [null, "null"],
  [[1], "[1]"],
])("the text of %j is %s", (payload, text) => {
  expect(textOf(payload)).toBe(text);
});

test.each([
  ["an event", "cli.message", { text: "hi", raw: 1 }, { text: "hi" }],
  ["an event of a plain type", "echo", { schema_version: 1, raw: 1 }, { schema_version: 1 }],
  ["what GitHub reported", "github.event", { raw: {}, ref: "x" }, { ref: "x" }],
  ["a caller's own member", "echo", { raw: 1 }, { raw: 1 }],
  ["a text", "echo", "raw", "raw"],
])("of %s only what all may see is mirrored", (_what, type, payload, shown) => {
  expect(withoutOriginal({ type, payload })).toEqual(shown);
});
