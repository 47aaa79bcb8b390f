import type { OperationName } from "./render-operations.ts";

/** How one exchange with Render ended without success. `isUnsent`: there was no connection, so nothing can have landed. */
export type Failure = { status: number; retryAfterMs: number } | { status: null; isUnsent: boolean };

/** `mayHaveLanded`: nobody knows whether the write was carried out. `retryable`: somebody may try later. */
export type Verdict = { mayHaveLanded: boolean } & (
  | { kind: "again"; delayMs: number }
  | { kind: "give up"; retryable: boolean }
);

/** POSTs that may be made twice, because the second changes nothing. */
const harmlessTwice = new Set<OperationName>([
  "link-service-to-env-group",
  "add-resources-to-environment",
  "scale-service",
  "suspend-service",
  "resume-service",
  "cancel-deploy",
]);

const mostAttempts = 4;
const firstDelayMs = 300;
const maxDelayMs = 8_000;

/** Statuses after which the same request may succeed. */
const passing = new Set([408, 425, 429, 500, 502, 503, 504]);

/**
 * Whether a call is made again. Reads and writes that say what shall be are; a POST that makes something is only when
 * it was certainly not carried out: no connection, or refused for its rate.
 *
 * @param attempt that just ended, from 1
 * @param random a draw from [0, 1)
 */
export function judgeFailure(
  { name, method }: { name: OperationName; method: string },
  failure: Failure,
  attempt: number,
  random: number,
): Verdict {
  const retryable = failure.status === null || passing.has(failure.status);
  const didNotLand = failure.status === null ? failure.isUnsent : failure.status < 500;
  const mayHaveLanded = method !== "GET" && !didNotLand;
  const isRepeatable = method !== "POST" || harmlessTwice.has(name);
  if (retryable && (isRepeatable || didNotLand) && attempt < mostAttempts) {
    return { kind: "again", mayHaveLanded, delayMs: delayOf(failure, attempt, random) };
  }
  return { kind: "give up", retryable, mayHaveLanded };
}

/** Exponential with full jitter; what Render asks for, and some more so that not all come at once. */
function delayOf(failure: Failure, attempt: number, random: number): number {
  const backoffMs = random * Math.min(maxDelayMs, firstDelayMs * 2 ** attempt);
  const askedMs = failure.status === null ? 0 : failure.retryAfterMs;
  return Math.ceil(askedMs + backoffMs);
}
