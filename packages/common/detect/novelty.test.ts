import { expect, test } from "vitest";
import { buildNovelty, noveltyThreshold } from "./novelty.ts";

const stepMs = 5 * 60_000;
const at = (row: number) => row * stepMs;
/** A number from 0 to 1 that looks like chance and is the same every time. */
const noise = (row: number) => (((row + 1) * 2_654_435_761) % 1_000_003) / 1_000_003;
const daily = (row: number) => 100 + 40 * Math.sin((2 * Math.PI * row) / 288) + 6 * noise(row);

function trained(rows: number, signal = daily) {
  const detector = buildNovelty();
  const scores = Array.from({ length: rows }, (_, row) => {
    const point = { at: at(row), value: signal(row) };
    const { score } = detector.judge(point);
    detector.learn(point);
    return score;
  });
  return { detector, scores, judge: (value: number, row = rows) => detector.judge({ at: at(row), value }) };
}

test("it stays calm on a series that goes on as it was", () => {
  const { scores } = trained(3_000);
  expect(scores.slice(600).filter((score) => Math.abs(score) >= noveltyThreshold)).toEqual([]);
});

test("a value beyond all others is surprising by its sign", () => {
  const { judge } = trained(2_000);
  expect(judge(200).score).toBeGreaterThan(noveltyThreshold);
  expect(judge(0).score).toBeLessThan(-noveltyThreshold);
});

test("an ordinary value at the wrong time of day is surprising", () => {
  const { judge } = trained(2_000 - (2_000 % 288) + 72);
  const usual = judge(140);
  const nightly = judge(61);
  expect(Math.abs(usual.score)).toBeLessThan(1);
  expect(nightly.score).toBeLessThan(-noveltyThreshold);
});

test("a level that moved a little is surprising in the end, although each value is ordinary", () => {
  const flat = (row: number) => 100 + 20 * noise(row);
  const { detector } = trained(2_000, flat);
  const scores = Array.from({ length: 30 }, (_, row) => {
    const point = { at: at(2_000 + row), value: 113 + 0.35 * (flat(2_000 + row) - 100) };
    const { score } = detector.judge(point);
    detector.learn(point);
    return score;
  });
  expect(scores[0]).toBeLessThan(1);
  expect(Math.max(...scores)).toBeGreaterThan(noveltyThreshold);
});

test("judging changes nothing", () => {
  const { judge } = trained(500);
  const before = judge(180);
  for (let again = 0; again < 50; again++) judge(1_000 + again);
  expect(judge(180)).toEqual(before);
});

test("it says nothing before it has seen a hundred values", () => {
  const { scores, judge } = trained(99);
  expect(scores.every((score) => score === 0)).toBe(true);
  expect(judge(10_000)).toMatchObject({ score: 0, expected: null, isLearning: true });
});

test("what has happened often surprises less", () => {
  const spiky = (row: number) => (row % 97 === 0 ? 300 : 100) + noise(row);
  const once = (row: number) => (row === 970 ? 300 : 100) + noise(row);
  expect(trained(1_500, once).judge(300).score).toBeGreaterThan(2 * trained(1_500, spiky).judge(300).score);
});

test("a series that never moved is surprised by a change, with a finite score", () => {
  const { judge } = trained(500, () => 0);
  expect(judge(1).score).toBeGreaterThan(noveltyThreshold);
  expect(Number.isFinite(judge(1).score)).toBe(true);
});

test("the band ends where the value alone would be loud enough", () => {
  const { judge } = trained(2_000);
  const { low, high, expected } = judge(100);
  expect(low).toBeLessThan(60);
  expect(high).toBeGreaterThan(146);
  expect(expected).toBeGreaterThan(90);
});
