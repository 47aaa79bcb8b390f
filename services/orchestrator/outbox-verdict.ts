/* What becomes of a message after an attempt to send it. */

const second = 1_000;
const minute = 60 * second;
const hour = 60 * minute;

/** Between the attempts: eleven of them in about three days. */
export const retryDelaysMs = [
  5 * second,
  minute,
  5 * minute,
  30 * minute,
  2 * hour,
  5 * hour,
  10 * hour,
  14 * hour,
  20 * hour,
  24 * hour,
] as const;
export const maxAttempts = retryDelaysMs.length + 1;

const longestAskedMs = 24 * hour;

export type Posted = { kind: "answered"; status: number; retryAfterMs: number } | { kind: "failed"; message: string };

export type Verdict = { status: number | null } & (
  | { kind: "delivered" }
  /** The receiver wants no more events at all. */
  | { kind: "gone"; error: string }
  | { kind: "exhausted"; error: string }
  /** `holdMs`: the receiver asked for peace, which is for the other messages too; 0 when it did not. */
  | { kind: "retry"; error: string; delayMs: number; holdMs: number }
);

/**
 * @param attempt the one that just ended, from 1
 * @param random a draw from [0, 1): retries come up to a fifth earlier or later
 */
export function judgePosted(posted: Posted, attempt: number, random: number): Verdict {
  if (posted.kind === "failed") return tryAgain({ status: null, error: posted.message, askedMs: 0 }, attempt, random);
  const { status } = posted;
  if (status >= 200 && status < 300) return { kind: "delivered", status };
  const error = status >= 300 && status < 400 ? `answered ${status}; redirects are not followed` : `answered ${status}`;
  if (status === 410) return { kind: "gone", status, error };
  const isHeld = status === 429 || status === 503;
  return tryAgain({ status, error, askedMs: isHeld ? posted.retryAfterMs : 0 }, attempt, random);
}

type Failure = { status: number | null; error: string; askedMs: number };

function tryAgain({ status, error, askedMs }: Failure, attempt: number, random: number): Verdict {
  const plannedMs = retryDelaysMs[attempt - 1];
  if (plannedMs === undefined) return { kind: "exhausted", status, error };
  const holdMs = Math.min(askedMs, longestAskedMs);
  return {
    kind: "retry",
    status,
    error,
    holdMs,
    delayMs: Math.max(holdMs, Math.round(plannedMs * (0.8 + 0.4 * random))),
  };
}

/** One message that was sent, or not, and what was judged. `released`: the attempt was called off and does not count. */
export type Attempted = { messageId: string; leaseId: string; verdict: Verdict | { kind: "released" } };

/** Attempts of one subscription, in the order in which they ended, as changes of its own state. */
export type Tally = {
  delivered: boolean;
  /** Failed ones after the last that was delivered. */
  failures: number;
  holdMs: number;
  gone: boolean;
  last: { outcome: "delivered" | "failed"; status: number | null; error: string | null } | null;
};

export function tally(attempts: readonly Attempted[]): Tally {
  const sum: Tally = { delivered: false, failures: 0, holdMs: 0, gone: false, last: null };
  for (const { verdict } of attempts) {
    if (verdict.kind === "released") continue;
    const isDelivered = verdict.kind === "delivered";
    sum.delivered ||= isDelivered;
    sum.failures = isDelivered ? 0 : sum.failures + 1;
    sum.gone ||= verdict.kind === "gone";
    if (verdict.kind === "retry") sum.holdMs = Math.max(sum.holdMs, verdict.holdMs);
    sum.last = {
      outcome: isDelivered ? "delivered" : "failed",
      status: verdict.status,
      error: isDelivered ? null : verdict.error,
    };
  }
  return sum;
}
