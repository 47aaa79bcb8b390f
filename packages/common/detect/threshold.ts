import type { Detector, Point, Reading } from "./detector.ts";

export type Limits = {
  /** too much from here on */
  above?: number | undefined;
  /** too little from here on */
  below?: number | undefined;
};

/** A limit that a person has set: 1 at the limit, 2 when it is overshot by as much again. Knows nothing and learns nothing. */
export function buildThreshold({ above, below }: Limits): Detector {
  return {
    judge: ({ value }: Point): Reading => ({
      score: scoreOf(value, { above, below }),
      expected: null,
      low: below ?? null,
      high: above ?? null,
      isLearning: false,
    }),
    learn: ignore,
    skip: ignore,
  };
}

function scoreOf(value: number, { above, below }: Limits): number {
  if (above !== undefined && value >= above) return overshoot(value, above);
  return below !== undefined && value <= below ? -overshoot(value, below) : 0;
}

function overshoot(value: number, limit: number): number {
  return 1 + Math.abs(value - limit) / Math.max(Math.abs(limit), 1e-9);
}

function ignore(): void {
  return;
}
