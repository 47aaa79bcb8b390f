/** What a refused statement means for the records in it. */
export type StorageFailure =
  /** Another transaction was in the way: the same statement may pass now. */
  | "again"
  /** A record's day has no partition yet. */
  | "no_partition"
  /** PostgreSQL is away, full or too busy: nothing is wrong with the records. */
  | "away"
  /** Some record cannot be stored. */
  | "data"
  | "bug";

/** As much of a database error as is judged; `state` is null for any other error. */
export type FailureSigns = { state: string | null; constraint: string | undefined; isTransient: boolean };

/** A serialization failure, a deadlock, a lock that took too long. */
const crossed = new Set(["40001", "40P01", "55P03"]);
const checkViolation = "23514";
/** Out of disk, memory or connections; a standby that cannot write. */
const away = /^(?:53|25006|57|58)/;
/** Data exceptions, violated constraints, program limits. */
const data = /^(?:22|23|54)/;

export function judgeFailure({ state, constraint, isTransient }: FailureSigns): StorageFailure {
  if (state !== null && crossed.has(state)) return "again";
  // A missing partition comes as a violated check without a name.
  if (state === checkViolation && constraint === undefined) return "no_partition";
  if (isTransient || (state !== null && away.test(state))) return "away";
  return state !== null && data.test(state) ? "data" : "bug";
}
