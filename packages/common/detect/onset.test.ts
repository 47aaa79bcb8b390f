import { expect, test } from "vitest";
import { buildOnset, rememberedMs, silenceMs } from "./onset.ts";

const reading = (score: number) => ({ score, expected: null, low: null, high: null, isLearning: false });

test("the first reading at the threshold is told, in either direction", () => {
  expect(buildOnset(3).isOnset(0, reading(2.99))).toBe(false);
  expect(buildOnset(3).isOnset(0, reading(3))).toBe(true);
  expect(buildOnset(3).isOnset(0, reading(-3))).toBe(true);
});

test("after an alarm there is silence, however loud it gets", () => {
  const onset = buildOnset(3);
  onset.isOnset(0, reading(3));
  expect(onset.isOnset(silenceMs, reading(1_000))).toBe(false);
  expect(onset.isOnset(silenceMs + 1, reading(1_000))).toBe(true);
});

test("each alarm of late raises the bar by the bar, and is forgotten over weeks", () => {
  const onset = buildOnset(3);
  onset.isOnset(0, reading(3));
  expect(onset.isOnset(silenceMs + 1, reading(5))).toBe(false);
  expect(onset.isOnset(silenceMs + 1, reading(6))).toBe(true);
  expect(onset.isOnset(10 * rememberedMs, reading(3.01))).toBe(true);
});

test("asking how loud a reading is tells nothing", () => {
  const onset = buildOnset(3);
  expect(onset.loudness(0, reading(6))).toBe(2);
  expect(onset.isOnset(1, reading(3))).toBe(true);
});
