import { setTimeout as rest } from "node:timers/promises";
import { redactText } from "@signalbox/common/redact.ts";
import { RenderError } from "../render-error.ts";
import * as limits from "../render-limits.ts";
import { type OperationName, type PathNames, toTarget } from "../render-operations.ts";
import { type Failure, judgeFailure } from "../render-retry.ts";
import { findSentSecrets, scrub } from "../scrub.ts";
import type { Work } from "./render.ts";
import { type Answer, buildHttp, NoAnswerError } from "./render-http.ts";

/*
 * From "this operation with these values" to its answer: in line with other writes to the same service, within the rate
 * limits, tried again where that is safe, told to whoever keeps the audit, and failing with an error that is safe to show.
 */

type Query = Record<string, string | number | boolean | undefined>;

export type CallInput<N extends OperationName> = { path: Record<PathNames<N>, string>; query?: Query; body?: unknown };

export type Call = <N extends OperationName>(name: N, input: CallInput<N>) => Promise<unknown>;

export type SenderOptions = {
  baseUrl: string;
  token: string;
  /** for one exchange; default 20 s */
  timeoutMs?: number;
};

const defaultPatienceMs = 25_000;

export type Sender = { during(work: Work): Call; close(): Promise<void> };

type Sent = {
  name: OperationName;
  method: string;
  target: string;
  path: string;
  body: unknown;
  limits: limits.Limit[];
};

/** An exchange that brought no success. */
type Lost = { failure: Failure; message: string; cause?: unknown };

export function buildSender(options: SenderOptions): Sender {
  const { baseUrl, token, timeoutMs = 20_000 } = options;
  const http = buildHttp({ baseUrl, token, timeoutMs });
  const meter = buildMeter();
  const line = buildLine();

  async function send(sent: Sent, work: Work): Promise<unknown> {
    const giveUpAt = performance.now() + (work.patienceMs ?? defaultPatienceMs);
    for (let attempt = 1; ; attempt++) {
      await admit(sent, giveUpAt, work.signal);
      const outcome = await exchange(sent, work.signal);
      if ("body" in outcome) return await succeed(sent, outcome, work);
      const delayMs = await delayOrFail({ sent, outcome, attempt }, giveUpAt, work);
      await rest(delayMs, undefined, { signal: work.signal });
    }
  }

  /** How long to wait before the next attempt. @throws RenderError when there is none */
  async function delayOrFail(
    { sent, outcome, attempt }: { sent: Sent; outcome: Lost; attempt: number },
    giveUpAt: number,
    work: Work,
  ): Promise<number> {
    const verdict = judgeFailure(sent, outcome.failure, attempt, Math.random());
    if (verdict.kind === "again" && performance.now() + verdict.delayMs <= giveUpAt) return verdict.delayMs;
    if (verdict.mayHaveLanded) await tell(sent, outcome.failure.status, work);
    const retryable = verdict.kind === "again" || verdict.retryable;
    throw toError(sent, outcome, { retryable, mayHaveLanded: verdict.mayHaveLanded, token });
  }

  /** Waits for the rate limits, or fails when that would take too long. */
  async function admit(sent: Sent, giveUpAt: number, signal: AbortSignal): Promise<void> {
    for (;;) {
      const waitMs = meter.take(sent.limits);
      if (waitMs === 0) return;
      if (performance.now() + waitMs > giveUpAt) {
        throw new RenderError(
          `Render's limit for ${sent.limits.at(-1)?.name ?? "calls"} is used up; it takes more in ${Math.ceil(waitMs / 1_000)} s.`,
          { operation: sent.name, status: 429, retryable: true, retryAfterMs: waitMs },
        );
      }
      await rest(waitMs, undefined, { signal });
    }
  }

  async function exchange(sent: Sent, signal: AbortSignal): Promise<{ body: unknown; status: number } | Lost> {
    try {
      const { method, target, body } = sent;
      const answer = await http.exchange({ method, path: target, body, signal });
      meter.learn(sent.limits, answer);
      if (answer.status >= 200 && answer.status < 300) return { status: answer.status, body: answer.body };
      const retryAfterMs = toRetryAfterMs(answer.header("retry-after"));
      if (answer.status === 429) meter.shut(sent.limits, retryAfterMs || 1_000);
      return { failure: { status: answer.status, retryAfterMs }, message: toMessage(answer) };
    } catch (error) {
      if (!(error instanceof NoAnswerError)) throw error;
      return { failure: { status: null, isUnsent: error.isUnsent }, message: error.message, cause: error };
    }
  }

  return {
    during: (work) => (name, input) => {
      const sent = toSent(name, input);
      const serviceId = (input.path as { serviceId?: string }).serviceId;
      const run = () => send(sent, work);
      return sent.method === "GET" || serviceId === undefined ? run() : line(serviceId, run);
    },
    close: () => http.close(),
  };
}

function toSent<N extends OperationName>(name: N, { path, query = {}, body }: CallInput<N>): Sent {
  const target = toTarget(name, path);
  const search = new URLSearchParams();
  for (const [key, value] of Object.entries(query)) if (value !== undefined) search.append(key, String(value));
  const serviceId = (path as { serviceId?: string }).serviceId;
  return {
    name,
    method: target.method,
    path: target.path,
    target: search.size === 0 ? target.path : `${target.path}?${search}`,
    body,
    limits: limits.limitsOf(name, target.method, serviceId),
  };
}

async function succeed(sent: Sent, { status, body }: { status: number; body: unknown }, work: Work): Promise<unknown> {
  if (body === undefined) {
    const about = { operation: sent.name, status, retryable: sent.method === "GET", mayHaveLanded: true };
    throw new RenderError(`Render answered ${sent.method} ${sent.path} with something that is not JSON.`, about);
  }
  await tell(sent, status, work);
  return body;
}

async function tell({ name, method, path }: Sent, status: number | null, work: Work): Promise<void> {
  if (method !== "GET") await work.onWrite?.({ operation: name, method, path, status });
}

function toError(
  sent: Sent,
  { failure, message, cause }: Lost,
  { retryable, mayHaveLanded, token }: { retryable: boolean; mayHaveLanded: boolean; token: string },
): RenderError {
  const what = `${sent.method} ${sent.path}`;
  const said =
    failure.status === null
      ? `Render could not be reached for ${what}: ${message}.`
      : `Render answered ${failure.status} to ${what}: ${message}`;
  const safe = redactText(scrub(said, [token, ...findSentSecrets(sent.body)]));
  const retryAfterMs = failure.status === null ? 0 : failure.retryAfterMs;
  // The cause holds codes of the connection only: bodies and headers never get into it.
  const { status } = failure;
  return new RenderError(safe, { operation: sent.name, status, retryable, retryAfterMs, mayHaveLanded, cause });
}

const longestMessage = 500;

function toMessage({ body }: Answer): string {
  const { message, id } = (typeof body === "object" && body !== null ? body : {}) as Record<string, unknown>;
  if (typeof message !== "string" || message === "") return "without saying why";
  const reference = typeof id === "string" && id !== "" ? ` (${id.slice(0, 100)})` : "";
  return message.slice(0, longestMessage).toWellFormed() + reference;
}

/** Seconds, or an HTTP date. */
function toRetryAfterMs(text: string | undefined): number {
  if (text === undefined) return 0;
  const seconds = /^\d{1,6}(?:\.\d+)?$/.test(text.trim()) ? Number(text) : (Date.parse(text) - Date.now()) / 1_000;
  return Number.isFinite(seconds) ? Math.max(0, Math.ceil(seconds * 1_000)) : 0;
}

type Meter = {
  /** 0: taken. Else how long to wait before asking again, in ms. */
  take(wanted: limits.Limit[]): number;
  learn(spent: limits.Limit[], answer: Answer): void;
  shut(spent: limits.Limit[], forMs: number): void;
};

/** Buckets of services that were not touched for this long are full again anyway. */
const mostBuckets = 1_000;

function buildMeter(): Meter {
  const buckets = new Map<string, limits.Bucket>();
  /** Whether this API speaks of limits. One that never did has none that are known; its 429 counts all the same. */
  let isMetered: boolean | null = null;
  const bucketOf = (limit: limits.Limit) => buckets.get(limit.name) ?? limits.newBucket(limit, performance.now());
  const set = (limit: limits.Limit, bucket: limits.Bucket) => {
    buckets.delete(limit.name);
    buckets.set(limit.name, bucket);
    const [oldest] = buckets.keys();
    if (buckets.size > mostBuckets && oldest !== undefined) buckets.delete(oldest);
  };
  return {
    take(wanted) {
      const now = performance.now();
      const waitOf = isMetered === false ? limits.shutFor : limits.waitOf;
      const waitMs = Math.max(...wanted.map((limit) => waitOf(bucketOf(limit), now)));
      if (waitMs === 0 && isMetered !== false)
        for (const limit of wanted) set(limit, limits.take(bucketOf(limit), now));
      return waitMs;
    },
    learn(spent, answer) {
      const told = limits.parseTold(answer.header, Date.now() / 1_000);
      if (told !== null) isMetered = true;
      else if (answer.status < 300) isMetered ??= false;
      if (told === null) return;
      const about =
        spent[
          limits.indexOfTold(
            spent.map((limit) => bucketOf(limit).capacity),
            told,
          )
        ];
      if (about) set(about, limits.learn(bucketOf(about), told, performance.now()));
    },
    shut(spent, forMs) {
      const now = performance.now();
      // Whichever it was, the narrowest is the likeliest, and the one that keeps others waiting least.
      const narrowest = spent.at(-1);
      if (narrowest) set(narrowest, limits.shut(bucketOf(narrowest), forMs, now));
    },
  };
}

/** Work with one key runs one at a time, in order. */
function buildLine(): <T>(key: string, run: () => Promise<T>) => Promise<T> {
  const ends = new Map<string, Promise<unknown>>();
  return (key, run) => {
    const turn = (ends.get(key) ?? Promise.resolve()).then(run, run);
    const end = turn.catch(() => undefined).finally(() => ends.get(key) === end && ends.delete(key));
    ends.set(key, end);
    return turn;
  };
}
