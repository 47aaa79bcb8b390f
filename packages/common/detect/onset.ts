import type { Reading } from "./detector.ts";

/*
 * When to speak. A long incident is one thing to say, so after an alarm there is silence. And who has often cried wolf must
 * have seen a bigger one to cry again: each alarm of late raises the bar by the bar itself, and is forgotten over a week. Both
 * hold for a single series, and need nothing but what has been said before.
 */

/** An alarm speaks for half a day. */
export const silenceMs = 12 * 60 * 60_000;
/** After this time an alarm counts 1/e of what it counted. */
export const rememberedMs = 7 * 24 * 60 * 60_000;

export type Onset = {
  /** Whether this bucket is the beginning of something worth telling; it is then remembered as told. */
  isOnset(at: number, reading: Reading): boolean;
  /** The score over what is needed now: at least 1 means an alarm; 0 during silence. */
  loudness(at: number, reading: Reading): number;
};

/** @param threshold the score that the first alarm of a series needs */
export function buildOnset(threshold: number): Onset {
  let toldAt = Number.NEGATIVE_INFINITY;
  let alarms = 0;
  const rememberedAt = (at: number) => (alarms === 0 ? 0 : alarms * Math.exp((toldAt - at) / rememberedMs));
  const loudness = (at: number, { score }: Reading) =>
    at - toldAt <= silenceMs ? 0 : Math.abs(score) / (threshold * (1 + rememberedAt(at)));
  return {
    loudness,
    isOnset(at, reading) {
      if (loudness(at, reading) < 1) return false;
      alarms = rememberedAt(at) + 1;
      toldAt = at;
      return true;
    },
  };
}
