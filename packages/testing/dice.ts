/** Throws of a small seeded generator (mulberry32): the same seed, the same throws. */
export type Dice = {
  /** A draw from [0, 1). */
  (): number;
  /** An integer from `from` up to and with `to`. */
  between(from: number, to: number): number;
  /** True so often in a hundred times. */
  percent(share: number): boolean;
  pick<T>(list: readonly T[]): T;
  shuffle<T>(list: readonly T[]): T[];
};

/** @param seed a number, or words that are hashed to one, so that each part of a run can have a generator of its own */
export function buildDice(...seed: (number | string)[]): Dice {
  let state = toNumber(seed);
  const draw = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
  const between = (from: number, to: number) => from + Math.floor(draw() * (to - from + 1));
  return Object.assign(draw, {
    between,
    percent: (share: number) => draw() * 100 < share,
    pick<T>(list: readonly T[]): T {
      if (list.length === 0) throw new RangeError("there is nothing to pick from");
      return list[between(0, list.length - 1)] as T;
    },
    shuffle<T>(list: readonly T[]): T[] {
      const keyed = list.map((item) => ({ item, place: draw() }));
      return keyed.sort((a, b) => a.place - b.place).map(({ item }) => item);
    },
  });
}

/** A lone number is its own seed; words are hashed (FNV-1a). */
function toNumber(seed: readonly (number | string)[]): number {
  const [only] = seed;
  if (seed.length === 1 && typeof only === "number") return only >>> 0;
  let hash = 0x811c9dc5;
  for (const char of seed.join("\n")) hash = Math.imul(hash ^ (char.codePointAt(0) ?? 0), 0x01000193);
  return hash >>> 0;
}
