import type { Detector, Point, Reading } from "./detector.ts";

const dayMs = 24 * 60 * 60_000;

/**
 * Something that was never seen before, such as an error's signature. It is new for a day, until it has once been frequent enough to be
 * told; what has been there for longer, however rare, is known.
 *
 * @param least how often it must have happened in a bucket to score 1
 * @param remembered how many are known; the one that was longest not seen is forgotten first
 */
export function buildSignatures({ least, remembered }: { least: number; remembered: number }): Detector {
  const known = new Map<string, { firstAt: number; wasFrequent: boolean }>();

  function know({ at, key = "", value }: Point): void {
    const before = known.get(key);
    // Put in anew, so that the order is that of the last sight.
    known.delete(key);
    known.set(key, { firstAt: before?.firstAt ?? at, wasFrequent: before?.wasFrequent === true || value >= least });
    for (const oldest of known.keys()) {
      if (known.size <= remembered) break;
      known.delete(oldest);
    }
  }

  return {
    judge({ at, key = "", value }: Point): Reading {
      const seen = known.get(key);
      const isKnown = seen !== undefined && (seen.wasFrequent || at - seen.firstAt >= dayMs);
      return { score: isKnown ? 0 : value / least, expected: 0, low: null, high: null, isLearning: false };
    },
    learn: know,
    // What belongs to an open finding is no news either.
    skip: know,
  };
}
