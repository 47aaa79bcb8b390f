import type { Detector, Point, Reading } from "./detector.ts";

/**
 * Something that was never seen before, such as an error's signature. It is new once; whoever learns it knows it.
 *
 * @param least how often it must have happened in a bucket to score 1
 * @param remembered how many are known; the one that was longest not seen is forgotten first
 */
export function buildSignatures({ least, remembered }: { least: number; remembered: number }): Detector {
  const known = new Set<string>();

  function know({ key = "" }: Point): void {
    known.delete(key);
    known.add(key);
    for (const oldest of known) {
      if (known.size <= remembered) break;
      known.delete(oldest);
    }
  }

  return {
    judge({ key = "", value }: Point): Reading {
      const score = known.has(key) ? 0 : value / least;
      return { score, expected: 0, low: null, high: null, isLearning: false };
    },
    learn: know,
    // What belongs to an open finding is no news either.
    skip: know,
  };
}
