const baseMs = 1_000;
const ceilingMs = 300_000;
const longestAskedMs = 3_600_000;

/**
 * Delay before the next attempt in ms: exponential, full jitter, 0 to 300 000, but never less than the agent asked for (of
 * which at most an hour counts).
 *
 * @param attempt the attempt that just ended, from 1
 * @param random a draw from [0, 1), passed in so that the function stays pure
 * @param retryAfterMs the agent's `Retry-After`; 0 when it sent none
 * @throws RangeError when attempt < 1: a caller's bug
 * @see "Exponential Backoff And Jitter", AWS Architecture Blog, 2015
 */
export function retryDelayMs(attempt: number, random: number, retryAfterMs: number): number {
  if (attempt < 1) throw new RangeError(`attempts count from 1, not ${attempt}`);
  const exponential = Math.min(ceilingMs, baseMs * 2 ** Math.min(attempt - 1, 20));
  return Math.round(Math.max(exponential * random, Math.min(retryAfterMs, longestAskedMs)));
}

/**
 * The least delay in ms while nobody listens where an agent was: a process that is being started again needs some seconds, and
 * a task with the usual three attempts must not have spent them all by then.
 *
 * @param random a draw from [0, 1)
 */
export function restartPauseMs(random: number): number {
  return Math.round(4_000 + 2_000 * random);
}

/**
 * `Retry-After` in ms: seconds or an HTTP date; 0 when there is none or it says nothing useful.
 *
 * @param nowMs the instant that a date is compared with
 */
export function parseRetryAfter(header: string | undefined, nowMs: number): number {
  if (header === undefined) return 0;
  if (/^\d{1,9}$/.test(header.trim())) return Number(header) * 1_000;
  const at = Date.parse(header);
  return Number.isNaN(at) ? 0 : Math.max(0, at - nowMs);
}
