import type { Finding } from "../measure.ts";
import type { Arena } from "./arena.ts";

export type PartOptions = {
  arena: Arena;
  rounds: number;
  /** of one round; slow ones take fewer */
  tasks: number;
  signal: AbortSignal;
  say(line: string): void;
};

/** One table of the measure, which can be taken alone. */
export type Part = {
  name: string;
  /** what each side does, in Markdown */
  about: string;
  run(options: PartOptions): Promise<Finding[]>;
};

/** Takes every side once a round, another one first each time, so that a machine that slows down slows all of them. */
export async function inTurns<S>(
  sides: readonly S[],
  { rounds, signal }: Pick<PartOptions, "rounds" | "signal">,
  take: (side: S, round: number) => Promise<void>,
): Promise<void> {
  for (let round = 0; round < rounds; round++) {
    for (let at = 0; at < sides.length; at++) {
      signal.throwIfAborted();
      const side = sides[(at + round) % sides.length];
      if (side !== undefined) await take(side, round);
    }
  }
}

/** The ratio of two figures of each round. */
export function ratios(a: readonly number[], b: readonly number[]): number[] {
  return a.map((value, round) => value / (b[round] ?? Number.NaN));
}

/** The best of several sides in each round. */
export function bestOf(sides: readonly (readonly number[])[], best: "most" | "least"): number[] {
  const rounds = sides[0]?.length ?? 0;
  const pick = best === "most" ? Math.max : Math.min;
  return Array.from({ length: rounds }, (_, round) => pick(...sides.map((values) => values[round] ?? Number.NaN)));
}
