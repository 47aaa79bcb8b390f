/**
 * - `wrong`: the query or the thing asked for is wrong; asking again changes nothing until a person has changed it
 * - `refused`: the key, its scopes or the project
 * - `limited`: the budget is spent, ours or PostHog's
 * - `unknown`: away, slow, broken off or stale; nothing follows from it
 */
export type FailureKind = "wrong" | "refused" | "limited" | "unknown";

const longestPauseMs = 10_000;

/** A call of PostHog that told nothing. Whoever meets it leaves everything as it is. */
export class PosthogError extends Error {
  readonly kind: FailureKind;
  readonly status: number | null;
  readonly retryAfterMs: number;

  constructor(
    kind: FailureKind,
    message: string,
    about: { status?: number | null; retryAfterMs?: number; cause?: unknown } = {},
  ) {
    super(message, about.cause === undefined ? undefined : { cause: about.cause });
    this.name = "PosthogError";
    this.kind = kind;
    this.status = about.status ?? null;
    this.retryAfterMs = about.retryAfterMs ?? 0;
  }

  /** The same call may succeed within the same run; whoever asks for a longer pause is asked again by a later run. */
  get isWorthAnotherTry(): boolean {
    return (this.kind === "unknown" || this.kind === "limited") && this.retryAfterMs <= longestPauseMs;
  }
}

type Refused = { status: number; text: string; retryAfter: string | undefined; host: string };

const mostDetail = 500;

/** What an answer that is no success means. */
export function toPosthogError({ status, text, retryAfter, host }: Refused): PosthogError {
  const detail = detailOf(text);
  const about = { status, retryAfterMs: toRetryAfterMs(retryAfter) };
  if (status === 401) {
    return new PosthogError("refused", `${host} does not know the key: is it for this region? ${detail}`.trim(), about);
  }
  if (status === 403) return new PosthogError("refused", `the key may not do this at ${host}: ${detail}`, about);
  if (status === 429) return new PosthogError("limited", `PostHog wants fewer requests: ${detail}`, about);
  if (status >= 500 || status === 408) return new PosthogError("unknown", `PostHog answered ${status}`, about);
  return new PosthogError("wrong", `PostHog answered ${status}: ${detail}`, about);
}

function detailOf(text: string): string {
  try {
    const { detail } = JSON.parse(text) as { detail?: unknown };
    return typeof detail === "string" ? detail.slice(0, mostDetail) : "";
  } catch {
    return "";
  }
}

/** Seconds; a date, which the header may have too, is taken as a minute. */
function toRetryAfterMs(text: string | undefined): number {
  if (text === undefined) return 0;
  const seconds = Number(text);
  return Number.isFinite(seconds) ? Math.min(Math.max(seconds, 0), 3_600) * 1_000 : 60_000;
}
