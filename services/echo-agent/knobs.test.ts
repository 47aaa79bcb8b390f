import { expect, test } from "vitest";
import { knobsOf, planSteps, textOf } from "./knobs.ts";

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
