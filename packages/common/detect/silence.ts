import { type Detector, nothingExpected, type Point, type Reading } from "./detector.ts";
import { SortedWindow } from "./sorted-window.ts";

const dayMs = 24 * 60 * 60_000;
const days = 14;
const leastDays = 3;
/** What this hour of the day nearly always has. */
const lowShare = 0.2;

/**
 * Nothing where there is always something: the score is what the hour of the day nearly always brings, over what is worth a word.
 *
 * @param least events of a bucket whose absence scores 1
 */
export function buildSilence({ bucketMs, least }: { bucketMs: number; least: number }): Detector {
  const slots = new Map<number, SortedWindow>();
  const slotOf = (at: number) => Math.floor((at % dayMs) / bucketMs);

  return {
    judge({ at, value }: Point): Reading {
      const slot = slots.get(slotOf(at));
      if (slot === undefined || slot.count < leastDays) return nothingExpected;
      const expected = slot.quantile(lowShare);
      return { score: value === 0 ? 0 - expected / least : 0, expected, low: 0, high: null, isLearning: false };
    },
    learn({ at, value }: Point): void {
      const key = slotOf(at);
      const slot = slots.get(key) ?? new SortedWindow(days);
      slots.set(key, slot);
      slot.push(value);
    },
    skip: () => undefined,
  };
}
