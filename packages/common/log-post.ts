import { type ClientRequest, Agent as HttpAgent, type IncomingMessage, request as requestHttp } from "node:http";
import { Agent as HttpsAgent, request as requestHttps } from "node:https";

export type PostOptions = {
  /** with its path */
  url: string;
  internalKey: string;
  timeoutMs: number;
};

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
  close(): void;
};

const retryAfterMaxMs = 30_000;
const answerMaxBytes = 1_048_576;

/**
 * Posts batches of log lines over one kept connection. Never throws, and never logs: it would feed itself. By Node's own
 * client, because every process has a log, and the memory of another client would be paid in each of them.
 */
export function buildLogPost({ url, internalKey, timeoutMs }: PostOptions): LogPost {
  const target = new URL(url);
  const isSecure = target.protocol === "https:";
  const agent = new (isSecure ? HttpsAgent : HttpAgent)({ keepAlive: true, maxSockets: 1 });
  const headers = { "content-type": "application/x-ndjson", "x-internal-key": internalKey };

  function open(body: Buffer, signal: AbortSignal): ClientRequest {
    const options = { method: "POST", agent, signal, headers: { ...headers, "content-length": body.length } };
    return isSecure ? requestHttps(target, options) : requestHttp(target, options);
  }

  async function send(lines: readonly string[], signal: AbortSignal): Promise<PostOutcome> {
    const body = Buffer.from(`${lines.join("\n")}\n`);
    try {
      const request = open(body, AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]));
      const answer = await answerOf(request, body);
      return judge(answer.statusCode ?? 0, answer.headers["retry-after"], await readText(answer));
    } catch {
      // Whatever broke the connection, the batch is kept and sent again; there is nobody to tell but ourselves.
      return { kind: "away", retryAfterMs: 0 };
    }
  }

  return { send, close: () => agent.destroy() };
}

function answerOf(request: ClientRequest, body: Buffer): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    request.once("response", resolve);
    // Heard for as long as it lives: the connection may also break while the answer is read.
    request.on("error", reject);
    request.end(body);
  });
}

async function readText(answer: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of answer as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > answerMaxBytes) throw new Error("the answer has no end");
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}

function judge(status: number, retryAfter: string | undefined, body: string): PostOutcome {
  if (status === 413) return { kind: "too_large" };
  if (status === 408 || status === 429 || status >= 500) return { kind: "away", retryAfterMs: toMs(retryAfter) };
  return status >= 200 && status < 300 ? { kind: "taken", rejected: countRejected(body) } : { kind: "refused", status };
}

function toMs(retryAfter: string | undefined): number {
  const seconds = Number(retryAfter);
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
