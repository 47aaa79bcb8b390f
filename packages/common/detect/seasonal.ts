import { type Detector, nothingExpected, type Point, type Reading } from "./detector.ts";
import { SortedWindow } from "./sorted-window.ts";

/*
 * For business counts: what is usual at this hour of the week, at the level of these days, and how far off a bucket is in
 * units of its ordinary variation.
 *
 * Everything is a product. A bucket's value is the level (which follows growth within about a week), times the profile of its hour of
 * the week (the median of the last weeks, each set against the level of its time), times what cannot be foreseen. Of that there
 * are two kinds: counting, whose variance is the expectation itself, and everything else, which is a share of the expectation
 * and is measured on the last weeks by a median, so that an incident does not widen it.
 *
 * A move of a quarter is little for one bucket and much for three of them. So the score is the largest of three: of this bucket, and
 * of the last two and four together, each against the ordinary spread of just such sums. A single bucket has to say more, because
 * single odd hours without any meaning are part of every series.
 */

export type SeasonalSettings = {
  bucketMs: number;
  /** what repeats */
  season: "day" | "week";
  /**
   * - `count`: events or people, with the chance of counting
   * - `share`: a rate from 0 to 1, of `volume`
   * - `value`: anything else
   */
  noise: "count" | "share" | "value";
  /** seasons that are remembered, and that must have been seen */
  history: number;
  minHistory: number;
};

const dayMs = 24 * 60 * 60_000;
/** The first Monday after the epoch: weeks begin there. */
const mondayMs = 4 * dayMs;
/** After so long a new level is half believed. */
const levelHalfLifeMs = 4 * dayMs;
/** How far off one bucket may be to still move the level with all its weight. */
const boldest = 3;
/** Ordinary variation is measured on so long. */
const spreadMs = 28 * dayMs;
/** No series is calmer than this, whatever its last weeks say. */
const leastVariation = 0.02;
/** The median of the square of a standard normal. */
const medianOfSquare = 0.4549;
/** The median of its size. */
const medianOfSize = 0.6745;
const spans = [1, 2, 4] as const;
const loneWeight = 0.8;

/** From here on a bucket is worth telling about; about once in some ten thousand ordinary buckets it is reached by chance. */
export const seasonalThreshold = 5.5;

export function buildSeasonal(settings: SeasonalSettings): Detector {
  return new Seasonal(settings);
}

type Guess = { expected: number; deviation: number; surprise: number; sums: number[] };

class Seasonal implements Detector {
  readonly #settings: SeasonalSettings;
  readonly #slots = new Map<number, SortedWindow>();
  readonly #variation: SortedWindow;
  readonly #sums: readonly SortedWindow[];
  readonly #latest: number[] = [];
  readonly #levelStep: number;
  #level: number | null = null;
  #learned = 0;

  constructor(settings: SeasonalSettings) {
    this.#settings = settings;
    const remembered = Math.max(100, Math.round(spreadMs / settings.bucketMs));
    this.#variation = new SortedWindow(remembered);
    this.#sums = spans.map(() => new SortedWindow(remembered));
    this.#levelStep = 1 - 0.5 ** (settings.bucketMs / levelHalfLifeMs);
  }

  judge(point: Point): Reading {
    const guess = this.#guess(point);
    if (guess === null) return nothingExpected;
    const { expected, deviation, sums } = guess;
    const score = sums.reduce((most, one) => (Math.abs(one) > Math.abs(most) ? one : most), 0);
    const width = 4 * deviation;
    return {
      score,
      expected,
      low: Math.max(0, expected - width),
      high: expected + width,
      isLearning: this.#isLearning(),
    };
  }

  learn(point: Point): void {
    const guess = this.#guess(point);
    if (guess) this.#learnVariation(point, guess);
    this.#learnShape(point, guess);
    this.#learned++;
  }

  /** Surprises from before a gap are not summed up with those behind it. */
  skip(): void {
    this.#latest.length = 0;
  }

  #isLearning(): boolean {
    const { season, bucketMs, minHistory } = this.#settings;
    return this.#learned < (minHistory * (season === "week" ? 7 : 1) * dayMs) / bucketMs;
  }

  /** Null as long as nothing is known of this hour. */
  #guess({ at, value, volume }: Point): Guess | null {
    const slot = this.#slots.get(this.#slotOf(at));
    if (this.#level === null || slot === undefined) return null;
    const expected = Math.exp(this.#level + slot.quantile(0.5));
    const variation =
      this.#variation.count < 24 ? 0.1 : Math.sqrt(Math.max(0, this.#variation.quantile(0.5)) / medianOfSquare);
    const deviation = Math.sqrt(this.#chance(expected, volume) + (Math.max(leastVariation, variation) * expected) ** 2);
    const surprise = (value - expected) / deviation;
    return { expected, deviation, surprise, sums: this.#sumUp(surprise) };
  }

  /** Surprises of the last buckets together, each against the spread that such a sum has; the first of them of this one alone. */
  #sumUp(surprise: number): number[] {
    return spans.map((span, index) => {
      const sum = this.#sumOf(surprise, span);
      const spread = this.#spreadOf(index);
      return (sum / spread) * (span === 1 ? loneWeight : 1);
    });
  }

  #sumOf(surprise: number, span: number): number {
    const before = span === 1 ? [] : this.#latest.slice(1 - span);
    return before.reduce((sum, one) => sum + one, surprise) / Math.sqrt(before.length + 1);
  }

  #spreadOf(index: number): number {
    const sums = this.#sums[index];
    return sums === undefined || sums.count < 24 ? 1 : Math.max(1, sums.quantile(0.5) / medianOfSize);
  }

  /** The variance of mere counting. */
  #chance(expected: number, volume = 0): number {
    if (this.#settings.noise === "count") return expected + 1;
    if (this.#settings.noise === "share") return Math.max(expected * (1 - expected), 1e-4) / Math.max(1, volume);
    return 1e-12;
  }

  #learnVariation({ value, volume }: Point, { expected, surprise }: Guess): void {
    const excess = (value - expected) ** 2 - this.#chance(expected, volume);
    this.#variation.push(excess / Math.max(expected ** 2, 1e-12));
    for (const [index, span] of spans.entries()) this.#sums[index]?.push(Math.abs(this.#sumOf(surprise, span)));
    this.#latest.push(surprise);
    if (this.#latest.length > 8) this.#latest.shift();
  }

  #learnShape({ at, value }: Point, guess: Guess | null): void {
    const size = Math.log(Math.max(value, this.#settings.noise === "count" ? 0.5 : 1e-9));
    const key = this.#slotOf(at);
    const slot = this.#slots.get(key) ?? new SortedWindow(this.#settings.history);
    this.#slots.set(key, slot);
    if (this.#level === null) this.#level = size;
    else if (guess) this.#level += this.#levelStep * this.#shrink(size - Math.log(guess.expected), guess);
    slot.push(size - this.#level);
  }

  /** A bucket far off moves the level no more than one that is merely unusual. */
  #shrink(step: number, { expected, deviation }: Guess): number {
    const most = Math.max(0.05, (boldest * deviation) / Math.max(expected, 1e-9));
    return Math.max(-most, Math.min(most, step));
  }

  #slotOf(at: number): number {
    const { season, bucketMs } = this.#settings;
    const length = season === "week" ? 7 * dayMs : dayMs;
    return Math.floor(((((at - mondayMs) % length) + length) % length) / bucketMs);
  }
}
