import { Agent, request } from "undici";

export type PostOptions = { url: string; internalKey: string; timeoutMs: number };

/** What became of one batch. */
export type PostOutcome =
  | { kind: "taken"; rejected: number }
  | { kind: "too_large" }
  /** The service understood and says no: the same batch would be refused for ever. */
  | { kind: "refused"; status: number }
  /** Nobody there, too busy, or too slow: it may or may not have been stored, and is sent again with the same ids. */
  | { kind: "away"; retryAfterMs: number };

export type LogPost = {
  send(lines: readonly string[], signal: AbortSignal): Promise<PostOutcome>;
  close(): Promise<void>;
};

const retryAfterMaxMs = 30_000;
const answerMaxBytes = 1_048_576;

/** Posts batches of log lines over one kept connection. Never throws, and never logs: it would feed itself. */
export function buildLogPost({ url, internalKey, timeoutMs }: PostOptions): LogPost {
  const target = new URL("/log", url);
  const dispatcher = new Agent({
    connections: 1,
    pipelining: 1,
    connect: { timeout: timeoutMs },
    maxResponseSize: answerMaxBytes,
  });
  const headers = { "content-type": "application/x-ndjson", "x-internal-key": internalKey };

  async function send(lines: readonly string[], signal: AbortSignal): Promise<PostOutcome> {
    const body = `${lines.join("\n")}\n`;
    const bounded = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]);
    try {
      const answer = await request(target, { method: "POST", headers, body, signal: bounded, dispatcher });
      return judge(answer.statusCode, answer.headers["retry-after"], await answer.body.text());
    } catch {
      // Whatever broke the connection, the batch is kept and sent again; there is nobody to tell but ourselves.
      return { kind: "away", retryAfterMs: 0 };
    }
  }

  return { send, close: () => dispatcher.destroy() };
}

function judge(status: number, retryAfter: string | string[] | undefined, body: string): PostOutcome {
  if (status === 413) return { kind: "too_large" };
  if (status === 408 || status === 429 || status >= 500) return { kind: "away", retryAfterMs: toMs(retryAfter) };
  return status >= 200 && status < 300 ? { kind: "taken", rejected: countRejected(body) } : { kind: "refused", status };
}

function toMs(retryAfter: string | string[] | undefined): number {
  const seconds = Number(Array.isArray(retryAfter) ? retryAfter[0] : retryAfter);
  return Number.isFinite(seconds) && seconds > 0 ? Math.min(seconds * 1_000, retryAfterMaxMs) : 0;
}

function countRejected(body: string): number {
  try {
    const { rejected } = JSON.parse(body) as { rejected?: unknown };
    return Array.isArray(rejected) ? rejected.length : 0;
  } catch {
    return 0;
  }
}
