import { SortedWindow } from "./sorted-window.ts";

export type TailSettings = {
  /** how many values are remembered */
  memory: number;
  /** the share of the remembered values that counts as tail, on each side */
  share: number;
  /** values that must have been seen before anything is surprising */
  least: number;
};

/** At least so many values make a tail, whatever their share. */
const fewest = 5;
/** A tail is at least this much of the interquartile range wide, so that a flat series does not cry at a flicker. */
const flatShare = 0.1;
/** How much each remembered value that went as far takes away. */
const precedent = 0.25;

/**
 * How far a value lies beyond the tails of what was seen before, in lengths of that tail.
 *
 * The tail is what lies beyond a quantile; its length is the mean excess over it, which for a tail that falls exponentially
 * is the number that fixes its shape (the mean residual life of extreme value theory). A surprise of s then says: e^s times as rare as reaching the
 * tail at all. Values with heavy tails have long ones, and so need to go further to surprise. What has been this far before
 * surprises less, by the logarithm of how often.
 *
 * @see Balkema, de Haan: "Residual life time at great age", Annals of Probability, 1974
 */
export class TailSurprise {
  readonly #seen: SortedWindow;
  readonly #settings: TailSettings;

  constructor(settings: TailSettings) {
    this.#settings = settings;
    this.#seen = new SortedWindow(settings.memory);
  }

  get isLearning(): boolean {
    return this.#seen.count < this.#settings.least;
  }

  /** Above zero beyond the upper tail, below zero beyond the lower one, zero between them and while it learns. */
  of(value: number): number {
    if (this.isLearning) return 0;
    const { low, high, lowLength, highLength } = this.#tails();
    const [above, below] = [(value - high) / highLength, (low - value) / lowLength];
    if (above > 0) return this.#lessen(above, this.#seen.count - this.#seen.countBelow(value));
    return below > 0 ? 0 - this.#lessen(below, this.#seen.countUpTo(value)) : 0;
  }

  #lessen(surprise: number, precedents: number): number {
    return Math.max(0, surprise - precedent * Math.log1p(precedents));
  }

  /** Where the tails begin, and the values at which a surprise is `surprise`; NaN while it learns. */
  band(surprise: number): { expected: number; low: number; high: number } {
    if (this.isLearning) return { expected: Number.NaN, low: Number.NaN, high: Number.NaN };
    const { low, high, lowLength, highLength } = this.#tails();
    return { expected: this.#seen.quantile(0.5), low: low - surprise * lowLength, high: high + surprise * highLength };
  }

  learn(value: number): void {
    this.#seen.push(value);
  }

  #tails() {
    const seen = this.#seen;
    const size = Math.max(fewest, Math.floor(seen.count * this.#settings.share));
    const [low, high] = [seen.at(size), seen.at(seen.count - 1 - size)];
    let [lowExcess, highExcess] = [0, 0];
    for (let rank = 0; rank < size; rank++) {
      lowExcess += low - seen.at(rank);
      highExcess += seen.at(seen.count - 1 - rank) - high;
    }
    const shortest = this.#shortest();
    return {
      low,
      high,
      lowLength: Math.max(lowExcess / size, shortest),
      highLength: Math.max(highExcess / size, shortest),
    };
  }

  /** The last two terms are for series that never move: any change is then a surprise, but not an infinite one. */
  #shortest(): number {
    const seen = this.#seen;
    const range = seen.quantile(0.75) - seen.quantile(0.25);
    return flatShare * range + 1e-4 * Math.abs(seen.quantile(0.5)) + 1e-9;
  }
}
