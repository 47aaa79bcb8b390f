/*
 * What every detector is: it reads a series one bucket at a time, in order, and says of each how far it lies from what the
 * buckets before it let one expect. It knows no clock, no chance and no future, and remembers a bounded amount whatever the
 * length of the series. Judging and learning are two calls, because a bucket that lies inside an incident is judged and then
 * skipped: what was learned from an incident would hide the next one. Each bucket is learned or skipped once.
 */

/** One complete bucket. */
export type Point = {
  /** ms; detectors with a season read the time of day from it, so give local time where the season is local */
  at: number;
  value: number;
  /** how many events or people stand behind the value; absent for plain counts */
  volume?: number;
  /** which of many things the bucket counts, where one series has many, such as an error's signature */
  key?: string;
};

/** What a detector says of one bucket. */
export type Reading = {
  /** how surprising, in the detector's own unit; above zero when the value is too high, below when too low */
  score: number;
  /** null while there is nothing to expect from */
  expected: number | null;
  /** the band inside which a value is ordinary */
  low: number | null;
  high: number | null;
  /** too little has been seen; the score is provisional */
  isLearning: boolean;
};

export type Detector = {
  /** Changes nothing. */
  judge(point: Point): Reading;
  learn(point: Point): void;
  /** The bucket was, but belongs to an incident or a holiday: nothing is to be learned from it. */
  skip(point: Point): void;
};

/** While there is nothing to compare with. */
export const nothingExpected: Reading = { score: 0, expected: null, low: null, high: null, isLearning: true };
