import type { Detector, Point, Reading } from "./detector.ts";
import { SortedWindow } from "./sorted-window.ts";
import { TailSurprise } from "./tail-surprise.ts";

/*
 * Novelty: for series whose shape nobody has described. Three looks at the same series, each with its own memory of what it
 * has seen: the value itself, the mean of the last two dozen values (a level that has moved, each value of which is still
 * ordinary), and what is left after the median of this time of day (a quiet night's value in the busy morning). Each says how
 * far beyond its own tails the bucket lies; the score is the sum, as the logarithms of independent probabilities would add up.
 *
 * Few numbers, none of them fitted to one series. They were chosen on the half of the Numenta Anomaly Benchmark that the
 * project develops on, as round numbers in the middle of wide plateaus: halving or doubling any single one moves the benchmark by
 * a few points.
 */

/** Two weeks of five minutes: long enough to have seen each weekday twice, short enough to forget last month's level. */
const memory = 4_032;
const tail = { memory, share: 0.05, least: 100 };
const levelLength = 24;
const slotMs = 30 * 60_000;
const dayMs = 24 * 60 * 60_000;
/** Values remembered of each time of day. */
const slotMemory = 30;
/** Before that a time of day is not known. */
const slotLeast = 6;

/** The score from which a bucket is worth telling about: one threshold for every series. */
export const noveltyThreshold = 3.5;

export function buildNovelty(): Detector {
  const [value, level, residual] = [new TailSurprise(tail), new TailSurprise(tail), new TailSurprise(tail)];
  const [lately, daytime] = [new RunningMean(levelLength), new TimeOfDay()];

  const look = (point: Point) => ({ mean: lately.with(point.value), rest: point.value - daytime.expect(point) });
  return {
    judge(point): Reading {
      const { mean, rest } = look(point);
      const surprises = [value.of(point.value), level.of(mean), residual.of(rest)];
      return toReading(surprises, value);
    },
    learn(point) {
      const { mean, rest } = look(point);
      value.learn(point.value);
      level.learn(mean);
      residual.learn(rest);
      lately.push(point.value);
      daytime.learn(point);
    },
    // The level of these hours would carry the incident into the hours after it.
    skip: () => lately.clear(),
  };
}

/** The sum of what the looks say, with the sign of the one that says most. */
function toReading(surprises: readonly number[], value: TailSurprise): Reading {
  const loudest = surprises.reduce((most, one) => (Math.abs(one) > Math.abs(most) ? one : most), 0);
  const size = surprises.reduce((sum, one) => sum + Math.abs(one), 0);
  const score = loudest < 0 ? 0 - size : size;
  if (value.isLearning) return { score, expected: null, low: null, high: null, isLearning: true };
  return { score, ...value.band(noveltyThreshold), isLearning: false };
}

/** The mean of the last values, as it would be with one more. */
class RunningMean {
  readonly #values: number[] = [];
  readonly #length: number;

  constructor(length: number) {
    this.#length = length;
  }

  with(value: number): number {
    const others = this.#values.length === this.#length ? this.#values.slice(1) : this.#values;
    return others.reduce((sum, one) => sum + one, value) / (others.length + 1);
  }

  push(value: number): void {
    if (this.#values.length === this.#length) this.#values.shift();
    this.#values.push(value);
  }

  clear(): void {
    this.#values.length = 0;
  }
}

/** What is usual at each time of day. */
class TimeOfDay {
  readonly #slots = new Map<number, SortedWindow>();

  /** The median of this time of day; the value itself, as long as too little is known. */
  expect({ at, value }: Point): number {
    const slot = this.#slots.get(slotOf(at));
    return slot && slot.count >= slotLeast ? slot.quantile(0.5) : value;
  }

  learn({ at, value }: Point): void {
    const key = slotOf(at);
    const slot = this.#slots.get(key) ?? new SortedWindow(slotMemory);
    this.#slots.set(key, slot);
    slot.push(value);
  }
}

function slotOf(at: number): number {
  return Math.floor((((at % dayMs) + dayMs) % dayMs) / slotMs);
}
