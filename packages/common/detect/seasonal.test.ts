import { expect, test } from "vitest";
import { buildSeasonal, type SeasonalSettings, seasonalThreshold } from "./seasonal.ts";

const hourMs = 3_600_000;
const monday = Date.parse("2026-01-05T00:00:00Z");
const noise = (hour: number) => ((((hour + 1) * 2_654_435_761) % 1_000_003) / 1_000_003 - 0.5) * 2;
const usual = (hour: number) => (1_000 + 600 * Math.sin((2 * Math.PI * hour) / 24)) * (hour % 168 < 120 ? 1 : 0.5);
const count = (hour: number) => Math.round(usual(hour) * (1 + 0.04 * noise(hour)));

const settings: SeasonalSettings = { bucketMs: hourMs, season: "week", noise: "count", history: 8, minHistory: 2 };

function trained(weeks: number, signal = count, given: Partial<SeasonalSettings> = {}) {
  const detector = buildSeasonal({ ...settings, ...given });
  const pointAt = (hour: number, value: number, volume?: number) => ({
    at: monday + hour * hourMs,
    value,
    ...(volume !== undefined && { volume }),
  });
  const scores = Array.from({ length: weeks * 168 }, (_, hour) => {
    const { score } = detector.judge(pointAt(hour, signal(hour)));
    detector.learn(pointAt(hour, signal(hour)));
    return score;
  });
  return {
    detector,
    scores,
    now: weeks * 168,
    judge: (hour: number, value: number, volume?: number) => detector.judge(pointAt(hour, value, volume)),
    pointAt,
  };
}

test("it expects what this hour of the week usually has, and stays calm with it", () => {
  const { judge, now, scores } = trained(5);
  for (const ahead of [3, 30, 130]) {
    const { expected } = judge(now + ahead, 0);
    expect((expected ?? 0) / usual(now + ahead)).toBeGreaterThan(0.95);
    expect((expected ?? 0) / usual(now + ahead)).toBeLessThan(1.05);
  }
  expect(scores.slice(3 * 168).filter((score) => Math.abs(score) >= seasonalThreshold)).toEqual([]);
});

test("Monday's value on a Saturday is too much", () => {
  const { judge, now } = trained(5);
  expect(judge(now + 126, usual(now + 6)).score).toBeGreaterThan(seasonalThreshold);
});

test("a drop is told by its sign, and the band says what would have been ordinary", () => {
  const { judge, now } = trained(5);
  const { score, low, high, expected } = judge(now + 10, 0.5 * usual(now + 10));
  expect(score).toBeLessThan(-seasonalThreshold);
  expect(low).toBeLessThan(expected ?? 0);
  expect(high).toBeGreaterThan(expected ?? 0);
});

test("a move that one bucket does not prove is proven by several", () => {
  const { detector, pointAt, now } = trained(6);
  const scores = [6, 7, 8, 9].map((ahead) => {
    const point = pointAt(now + ahead, 0.85 * usual(now + ahead));
    const { score } = detector.judge(point);
    detector.learn(point);
    return score;
  });
  expect(Math.abs(scores[0] ?? 0)).toBeLessThan(seasonalThreshold);
  expect(Math.min(...scores)).toBeLessThan(-seasonalThreshold);
});

test("what was skipped is neither learned nor summed up with what comes after it", () => {
  const { detector, judge, pointAt, now } = trained(5);
  const before = judge(now + 40, count(now + 40));
  for (let ahead = 0; ahead < 30; ahead++) detector.skip(pointAt(now + ahead, 0));
  expect(judge(now + 40, count(now + 40)).expected).toBe(before.expected);
  expect(Math.abs(judge(now + 40, count(now + 40)).score)).toBeLessThan(2);
});

test("it follows growth within some weeks", () => {
  const growing = (hour: number) => Math.round(count(hour) * 1.05 ** (hour / 168));
  const { judge, now } = trained(8, growing);
  const value = growing(now + 20);
  expect(Math.abs(judge(now + 20, value).score)).toBeLessThan(2.5);
});

test("a few events are judged by chance, not by their share", () => {
  const { judge, now } = trained(5, (hour) => 3 + (hour % 3) - 1);
  expect(Math.abs(judge(now + 1, 7).score)).toBeLessThan(seasonalThreshold);
  expect(judge(now + 1, 30).score).toBeGreaterThan(seasonalThreshold);
});

test("a share of few is less sure than the same share of many", () => {
  const { judge, now } = trained(5, () => 0.3, { noise: "share" });
  const few = Math.abs(judge(now, 0.1, 20).score);
  expect(few).toBeLessThan(seasonalThreshold);
  expect(Math.abs(judge(now, 0.1, 2_000).score)).toBeGreaterThan(seasonalThreshold);
});

test("until two weeks are known it says that it is learning", () => {
  expect(trained(1).judge(168, 100).isLearning).toBe(true);
  expect(trained(2).judge(336, 100).isLearning).toBe(false);
});

test("its memory does not grow with the series: a slot keeps eight values", () => {
  const shifted = (hour: number) => (hour < 20 * 168 ? count(hour) : 10 * count(hour));
  const { judge, now } = trained(34, shifted);
  expect((judge(now + 5, 0).expected ?? 0) / shifted(now + 5)).toBeGreaterThan(0.9);
});
