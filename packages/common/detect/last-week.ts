import { type Detector, nothingExpected, type Point, type Reading } from "./detector.ts";

const weekMs = 7 * 24 * 60 * 60_000;

/**
 * The change against the same bucket a week before, in units of the change that is too much. Simple to explain and quick to
 * understand, but a bad week makes the next one look good; `seasonal` does not have that.
 *
 * @param changePercent the change that scores 1
 */
export function buildLastWeek({ bucketMs, changePercent }: { bucketMs: number; changePercent: number }): Detector {
  const most = Math.ceil(weekMs / bucketMs) + 1;
  const byTime = new Map<number, number>();
  const share = changePercent / 100;

  return {
    judge({ at, value }: Point): Reading {
      const before = byTime.get(at - weekMs);
      if (before === undefined || before === 0) return nothingExpected;
      const score = (value / before - 1) / share;
      return { score, expected: before, low: before * (1 - share), high: before * (1 + share), isLearning: false };
    },
    learn({ at, value }: Point): void {
      byTime.set(at, value);
      for (const oldest of byTime.keys()) {
        if (byTime.size <= most) break;
        byTime.delete(oldest);
      }
    },
    // A week later there is nothing to compare with, rather than an incident.
    skip: () => undefined,
  };
}
