/** What went wrong with a call of the Bot API, and what is to be done about it. */

export type ApiFailure =
  | { kind: "refused"; code: number; description: string; retryAfterMs: number | null; movedTo: number | null }
  /** No answer came. `isUndone`: the call never reached Telegram; otherwise nobody knows. */
  | { kind: "unanswered"; isUndone: boolean; description: string };

export class BotApiError extends Error {
  readonly failure: ApiFailure;
  /** @param method and the failure's own words are all that it says: grammY's errors hold whole messages and addresses with the token */
  constructor(method: string, failure: ApiFailure) {
    super(`${method}: ${failure.kind === "refused" ? `${failure.code} ` : ""}${failure.description}`);
    this.name = "BotApiError";
    this.failure = failure;
  }
}

export type SendVerdict =
  /** It is as wanted already. */
  | { kind: "done" }
  /** Once more, without formatting. */
  | { kind: "plain" }
  /** What was to be edited is gone: a new message takes its place. */
  | { kind: "anew" }
  /** The topic is gone, or is the general one, which has no number. */
  | { kind: "without_thread" }
  | { kind: "moved"; to: number }
  /** `holds`: what must be quiet meanwhile. */
  | { kind: "wait"; ms: number; holds: "chat" | "bot"; mayHaveArrived: boolean }
  | { kind: "give_up"; because: string; closesChat: boolean };

const firstWaitMs = 1_000;
const longestWaitMs = 60_000;
const revokedWaitMs = 60_000;
/** After so many of Telegram's own errors it is this message that it fails at, and others of its chat wait behind it. */
const mostServerErrors = 12;

/** @param attempt from 1 */
export function judgeSend(failure: ApiFailure, attempt: number): SendVerdict {
  const ms = Math.min(longestWaitMs, firstWaitMs * 2 ** Math.min(attempt - 1, 10));
  if (failure.kind === "unanswered") return { kind: "wait", ms, holds: "chat", mayHaveArrived: !failure.isUndone };
  const { code, description, retryAfterMs, movedTo } = failure;
  if (movedTo !== null) return { kind: "moved", to: movedTo };
  if (code === 429) return { kind: "wait", ms: retryAfterMs ?? ms, holds: "chat", mayHaveArrived: false };
  if (code === 401 || code === 404) return { kind: "wait", ms: revokedWaitMs, holds: "bot", mayHaveArrived: false };
  if (code >= 500 && attempt >= mostServerErrors) return { kind: "give_up", because: description, closesChat: false };
  if (code >= 500) return { kind: "wait", ms, holds: "chat", mayHaveArrived: code !== 500 };
  if (code === 403) return { kind: "give_up", because: description, closesChat: true };
  return judgeBadRequest(description);
}

/** Telegram tells these apart by their words alone. */
function judgeBadRequest(description: string): SendVerdict {
  const says = (words: RegExp) => words.test(description);
  if (says(/message is not modified/i)) return { kind: "done" };
  if (says(/can't parse entities/i)) return { kind: "plain" };
  if (says(/message to edit not found|message can't be edited|MESSAGE_ID_INVALID/i)) return { kind: "anew" };
  if (says(/message thread not found/i)) return { kind: "without_thread" };
  const closesChat = says(/chat not found|PEER_ID_INVALID|user is deactivated|bot was kicked|CHAT_WRITE_FORBIDDEN/i);
  return { kind: "give_up", because: description, closesChat };
}

/** How long to wait before asking for updates again, and whether a webhook is in the way. */
export function judgePoll(failure: ApiFailure, failures: number): { ms: number; hasWebhook: boolean } {
  const ms = Math.min(5_000, 500 * 2 ** Math.min(failures, 8));
  if (failure.kind === "unanswered") return { ms, hasWebhook: false };
  const { code, description, retryAfterMs } = failure;
  if (code === 409) return { ms: Math.max(ms, 3_000), hasWebhook: /webhook is active/i.test(description) };
  if (code === 401 || code === 404) return { ms: 30_000, hasWebhook: false };
  return { ms: Math.max(ms, retryAfterMs ?? 0), hasWebhook: false };
}
