import { expect, test } from "vitest";
import { toMonitor } from "./monitor.ts";
import { type Change, calm, type Observation, stepTrack, type Track } from "./track.ts";

const monitor = (more = {}) => toMonitor("m", { event: "e", baseline: { kind: "last-week" }, ...more });
const rule = monitor({ trigger: { score: 4, for: 2 }, resolve: { score: 2, for: 2 } }).rule;

const seen = (score: number, more: Partial<Observation> = {}): Observation => ({
  ...{
    at: 0,
    value: 100 + score,
    volume: null,
    score,
    expected: 100,
    low: 90,
    high: 110,
    isLearning: false,
    isHoliday: false,
  },
  ...more,
});

function walk(scores: (number | Observation)[], given = rule) {
  let track: Track = calm;
  const changes: Change["kind"][] = [];
  const ordinary: boolean[] = [];
  scores.forEach((one, at) => {
    const step = stepTrack(track, { ...(typeof one === "number" ? seen(one) : one), at }, given);
    track = step.track;
    changes.push(step.change.kind);
    ordinary.push(step.isOrdinary);
  });
  return { track, changes, ordinary };
}

test("two bad buckets in a row raise, one after a good one does not", () => {
  expect(walk([-5, -5]).changes).toEqual(["none", "raise"]);
  expect(walk([-5, 0, -5]).changes).toEqual(["none", "none", "none"]);
});

test("one extreme bucket raises at once", () => {
  expect(walk([-8]).changes).toEqual(["raise"]);
});

test("bad buckets of both directions are not one episode", () => {
  expect(walk([-5, 5, 5]).changes).toEqual(["none", "none", "raise"]);
});

test("an episode is raised once, observed, and over after the good buckets that the rule wants", () => {
  expect(walk([-5, -5, -6, 0, -3, 0, 1, 0]).changes).toEqual([
    "none",
    "raise",
    "observe",
    "none",
    "none",
    "none",
    "calmed",
    "none",
  ]);
});

test("what lies between good and bad neither ends an episode nor feeds it", () => {
  const { changes, track } = walk([-5, -5, -3, -3, -3, -3]);
  expect(changes.slice(2)).toEqual(["none", "none", "none", "none"]);
  expect(track.phase).toBe("episode");
});

test("catching up after a drop raises nothing", () => {
  expect(walk([-9, 9, 9, 9]).changes).toEqual(["raise", "none", "calmed", "raise"]);
  expect(walk([-9, 9, 9, 0, 0]).changes).toEqual(["raise", "none", "calmed", "none", "none"]);
});

test("only ordinary buckets are learned: not the bad ones, not those of an episode, not a holiday's", () => {
  expect(walk([0, -5, -5, -3, 0, 0]).ordinary).toEqual([true, false, false, false, true, true]);
  expect(walk([seen(1, { isHoliday: true })]).ordinary).toEqual([false]);
});

test("severity rises and never falls within an episode", () => {
  let track = stepTrack(calm, seen(-9), { ...rule, warning: 4, critical: 12 }).track;
  const severities = [-5, -13, -6].map((score) => {
    const step = stepTrack(track, seen(score), { ...rule, warning: 4, critical: 12 });
    track = step.track;
    return step.change.kind === "observe" ? [step.change.severity, step.change.isWorse] : null;
  });
  expect(severities).toEqual([
    ["warning", false],
    ["critical", true],
    ["critical", false],
  ]);
});

test.each<[string, Parameters<typeof monitor>[0], Observation]>([
  ["the wrong direction", { direction: "up" }, seen(-20)],
  ["still learning", {}, seen(-20, { isLearning: true })],
  ["a holiday with twice the limit", {}, seen(-11, { isHoliday: true })],
  ["too few events", { trigger: { score: 4, minVolume: 500 } }, seen(-20)],
  [
    "too small a change",
    { baseline: { kind: "seasonal" }, trigger: { score: 4, minChangePercent: 30 } },
    seen(-20, { value: 80 }),
  ],
])("%s is not bad", (_what, more, one) => {
  const given = monitor({ trigger: { score: 4 }, ...more }).rule;
  expect(stepTrack(calm, one, given).change.kind).toBe("none");
});

test("a volume that is known counts for minVolume, else the larger of value and expectation", () => {
  const given = monitor({ trigger: { score: 4, minVolume: 50 } }).rule;
  expect(stepTrack(calm, seen(-20, { value: 0, expected: 60 }), given).change.kind).toBe("raise");
  expect(stepTrack(calm, seen(-20, { value: 0, expected: 60, volume: 10 }), given).change.kind).toBe("none");
});
