const pollMs = 5_000;
/** What is due and was left is held by somebody just now, and looked for again after this. */
const heldMs = 50;

/** How long a loop rests that does what is due by the database's clock: null when nothing is ahead. No two poll in step. */
export function toPauseMs(dueMs: number | null): number {
  return dueMs === 0 ? heldMs : Math.min(dueMs ?? pollMs, pollMs * (0.9 + 0.2 * Math.random()));
}
