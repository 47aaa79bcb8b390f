import type { TaskError, WaitReason } from "@signalbox/common/contracts/task.ts";
import { restartPauseMs, retryDelayMs } from "./backoff.ts";

/** What came back from an agent, or why nothing did. */
export type Answer =
  | { kind: "answered"; status: number; body: unknown; retryAfterMs: number }
  /** The connection was refused, cut, or never made; `isAbsent`: nobody listens there, so that nothing was sent. */
  | { kind: "unreachable"; message: string; isAbsent: boolean }
  | { kind: "timeout"; afterMs: number }
  /** It answered something that cannot be an answer: not JSON, too large, cut off. */
  | { kind: "rubbish"; message: string };

export type Verdict =
  | { kind: "complete"; result: unknown }
  | { kind: "park"; for: WaitReason; prompt: string | null }
  | { kind: "defer" }
  | { kind: "retry"; error: TaskError; delayMs: number }
  | { kind: "fail"; error: TaskError };

export type Attempt = { number: number; max: number };

/**
 * What an agent's answer means for the attempt: 200 ends or parks it, 202 defers it, a client error (but 408, 409, 425 and 429)
 * fails it for good, and everything else is tried again while attempts are left.
 *
 * @param random a draw from [0, 1) for the jitter of the delay
 */
export function judgeAnswer(answer: Answer, attempt: Attempt, random: number): Verdict {
  if (answer.kind !== "answered") {
    const isAbsent = answer.kind === "unreachable" && answer.isAbsent;
    return tryAgain(toTransportError(answer), attempt, random, isAbsent ? restartPauseMs(random) : 0);
  }
  if (answer.status === 202) return { kind: "defer" };
  if (answer.status === 200) return judgeBody(answer.body, attempt, random);
  const error = toAgentError(answer.status, answer.body);
  if (isFinalRejection(answer.status)) return { kind: "fail", error: { ...error, retryable: false } };
  return tryAgain(error, attempt, random, answer.retryAfterMs);
}

function isFinalRejection(status: number): boolean {
  return status >= 400 && status < 500 && ![408, 409, 425, 429].includes(status);
}

/** Of what an agent says to people: a page. */
const longestWords = 10_000;

function judgeBody(body: unknown, attempt: Attempt, random: number): Verdict {
  if (isRecord(body) && "result" in body) return { kind: "complete", result: body.result };
  const waiting = isRecord(body) ? body.waiting : undefined;
  if (isRecord(waiting) && (waiting.for === "input" || waiting.for === "approval")) {
    return {
      kind: "park",
      for: waiting.for,
      prompt: typeof waiting.prompt === "string" ? shorten(waiting.prompt, longestWords) : null,
    };
  }
  const message = 'the agent answered 200 without "result" or "waiting"';
  return tryAgain({ code: "bad_answer", message }, attempt, random, 0);
}

function tryAgain(error: TaskError, attempt: Attempt, random: number, retryAfterMs: number): Verdict {
  const context = {
    ...error,
    retryable: true,
    details: { ...toDetails(error.details), attempt: attempt.number, maxAttempts: attempt.max },
  };
  if (attempt.number >= attempt.max) return { kind: "fail", error: context };
  return { kind: "retry", error: context, delayMs: retryDelayMs(attempt.number, random, retryAfterMs) };
}

function toTransportError(answer: Exclude<Answer, { kind: "answered" }>): TaskError {
  if (answer.kind === "timeout")
    return { code: "agent_timeout", message: `the agent did not answer within ${answer.afterMs} ms` };
  if (answer.kind === "rubbish") return { code: "bad_answer", message: answer.message };
  return { code: "agent_unreachable", message: answer.message };
}

/** The agent's own code and message when it answered in the one error shape; its status always. */
function toAgentError(status: number, body: unknown): TaskError {
  const said = isRecord(body) && isRecord(body.error) ? body.error : {};
  const code = typeof said.code === "string" && said.code !== "" ? shorten(said.code, 100) : `agent_${status}`;
  const message =
    typeof said.message === "string" && said.message !== ""
      ? shorten(said.message, longestWords)
      : `the agent answered ${status}`;
  return { code, message, details: { status, ...(said.details === undefined ? {} : { said: said.details }) } };
}

/** Not in the middle of a surrogate pair: the database refuses half of one, and with it the whole batch. */
function shorten(text: string, length: number): string {
  return text.length <= length ? text : text.slice(0, length).replace(/[\ud800-\udbff]$/, "");
}

function toDetails(details: unknown): Record<string, unknown> {
  return isRecord(details) ? details : {};
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
