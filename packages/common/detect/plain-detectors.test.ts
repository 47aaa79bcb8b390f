import { expect, test } from "vitest";
import { buildLastWeek } from "./last-week.ts";
import { buildSignatures } from "./signatures.ts";
import { buildSilence } from "./silence.ts";
import { buildThreshold } from "./threshold.ts";

const hourMs = 3_600_000;
const weekMs = 168 * hourMs;

test.each([
  [{ above: 100 }, 99.9, 0],
  [{ above: 100 }, 100, 1],
  [{ above: 100 }, 200, 2],
  [{ below: 10 }, 10.1, 0],
  [{ below: 10 }, 10, -1],
  [{ below: 10 }, 0, -2],
  [{ above: 100, below: 10 }, 50, 0],
])("with the limits %o the value %d scores %d", (limits, value, score) => {
  expect(buildThreshold(limits).judge({ at: 0, value }).score).toBe(score);
});

test("the change against last week is measured in the change that is too much", () => {
  const detector = buildLastWeek({ bucketMs: hourMs, changePercent: 50 });
  detector.learn({ at: 0, value: 200 });
  expect(detector.judge({ at: weekMs, value: 100 })).toMatchObject({ score: -1, expected: 200, low: 100, high: 300 });
  expect(detector.judge({ at: weekMs, value: 400 }).score).toBe(2);
  expect(detector.judge({ at: weekMs + hourMs, value: 0 })).toMatchObject({ score: 0, isLearning: true });
});

test("a week ago is forgotten after a week", () => {
  const detector = buildLastWeek({ bucketMs: hourMs, changePercent: 50 });
  for (let hour = 0; hour < 400; hour++) detector.learn({ at: hour * hourMs, value: 1 });
  expect(detector.judge({ at: weekMs, value: 9 }).isLearning).toBe(true);
  expect(detector.judge({ at: 399 * hourMs, value: 1 }).isLearning).toBe(false);
});

test("nothing is alarming where there is always something, and nowhere else", () => {
  const detector = buildSilence({ bucketMs: hourMs, least: 10 });
  for (let hour = 0; hour < 24 * 7; hour++) detector.learn({ at: hour * hourMs, value: hour % 24 < 12 ? 40 : 0 });
  const at = 24 * 7 * hourMs;
  expect(detector.judge({ at: at + 3 * hourMs, value: 0 }).score).toBe(-4);
  expect(detector.judge({ at: at + 3 * hourMs, value: 1 }).score).toBe(0);
  expect(detector.judge({ at: at + 15 * hourMs, value: 0 }).score).toBe(0);
});

test("a signature is new until it was once frequent, or for a day; the longest unseen is forgotten first", () => {
  const detector = buildSignatures({ least: 5, remembered: 2 });
  const seen = (key: string, { value = 10, at = 0 } = {}) => detector.judge({ at, key, value }).score;
  expect([seen("a"), seen("a", { value: 4 })]).toEqual([2, 0.8]);
  detector.learn({ at: 0, key: "a", value: 1 });
  expect([seen("a", { at: 23 * hourMs }), seen("a", { at: 24 * hourMs })]).toEqual([2, 0]);
  for (const key of ["a", "b", "a", "c"]) detector.learn({ at: 0, key, value: 5 });
  expect([seen("a"), seen("b"), seen("c")]).toEqual([0, 2, 0]);
});
