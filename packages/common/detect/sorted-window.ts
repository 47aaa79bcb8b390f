/**
 * The last `size` values of a stream, in the order of their size: quantiles and ranks without sorting. Taking a value in
 * costs one move of at most `size` numbers, some microseconds for thousands.
 */
export class SortedWindow {
  readonly size: number;
  readonly #byAge: Float64Array;
  readonly #sorted: Float64Array;
  #oldest = 0;
  #count = 0;

  /** @param size how many values are remembered, from 1 */
  constructor(size: number) {
    this.size = size;
    this.#byAge = new Float64Array(size);
    this.#sorted = new Float64Array(size);
  }

  get count(): number {
    return this.#count;
  }

  /** Takes one value in; the oldest one goes when the window is full. */
  push(value: number): void {
    if (this.#count === this.size) this.#forgetOldest();
    const at = this.countBelow(value);
    this.#sorted.copyWithin(at + 1, at, this.#count);
    this.#sorted[at] = value;
    this.#byAge[(this.#oldest + this.#count) % this.size] = value;
    this.#count++;
  }

  #forgetOldest(): void {
    const at = this.countBelow(this.#byAge[this.#oldest] ?? 0);
    this.#sorted.copyWithin(at, at + 1, this.#count);
    this.#oldest = (this.#oldest + 1) % this.size;
    this.#count--;
  }

  /** The value at a rank from 0, the smallest; NaN outside. */
  at(rank: number): number {
    return rank >= 0 && rank < this.#count ? (this.#sorted[rank] ?? Number.NaN) : Number.NaN;
  }

  /** How many values are smaller. */
  countBelow(value: number): number {
    return this.#search((candidate) => candidate < value);
  }

  /** How many values are not larger. */
  countUpTo(value: number): number {
    return this.#search((candidate) => candidate <= value);
  }

  #search(isBefore: (candidate: number) => boolean): number {
    let [low, high] = [0, this.#count];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (isBefore(this.#sorted[middle] ?? Number.NaN)) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /**
   * Between two values it lies in proportion, as in the most used definition (R's type 7).
   *
   * @param share from 0 to 1
   * @returns NaN of an empty window
   */
  quantile(share: number): number {
    const exact = (this.#count - 1) * share;
    const rank = Math.floor(exact);
    const [lower, upper] = [this.at(rank), this.at(Math.min(rank + 1, this.#count - 1))];
    return lower + (upper - lower) * (exact - rank);
  }
}
