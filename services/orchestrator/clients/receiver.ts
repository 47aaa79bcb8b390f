import { Connections, request } from "@signalbox/common/http-client.ts";
import { isForbiddenAddress, isPrivateAddress, judgeReceiverUrl } from "../address.ts";
import { parseRetryAfter } from "../backoff.ts";
import type { Posted } from "../outbox-verdict.ts";
import { buildCheckedLookup } from "./checked-lookup.ts";

export type ReceiverClient = {
  /** Never throws: whatever happens is an answer. An abort by `signal` reads as failed. */
  post(call: { url: string; headers: Record<string, string>; body: string; signal: AbortSignal }): Promise<Posted>;
  close(): Promise<void>;
};

/** For the whole of it, as Standard Webhooks asks. */
const defaultTimeoutMs = 15_000;
/** Read so that the connection can be used again; nobody is shown it, for it may come from a place that a caller should not see. */
const maxReplyBytes = 65_536;

export function buildReceiverClient(options: {
  allowPrivate: boolean;
  userAgent: string;
  timeoutMs?: number;
}): ReceiverClient {
  const { allowPrivate, userAgent, timeoutMs = defaultTimeoutMs } = options;
  const isRefused = allowPrivate ? isForbiddenAddress : isPrivateOrForbidden;
  const connections = new Connections({
    connect: { timeout: 5_000, lookup: buildCheckedLookup(isRefused) },
    keepAliveTimeout: 10_000,
    // The time-out of a post bounds headers and body together.
    headersTimeout: 0,
    bodyTimeout: 0,
  });
  return {
    async post({ url, headers, body, signal }) {
      // An address is not looked up, so that nothing else would refuse it; what was allowed may not be any more.
      const refusal = judgeReceiverUrl(url, allowPrivate);
      if (refusal !== null) return { kind: "failed", message: `not sent: its URL ${refusal}` };
      const deadline = AbortSignal.timeout(timeoutMs);
      try {
        const reply = await request(url, {
          method: "POST",
          dispatcher: connections,
          signal: AbortSignal.any([deadline, signal]),
          headers: { ...headers, "content-type": "application/json", "user-agent": userAgent },
          body,
        });
        // The status alone decides, however the rest of the answer ends.
        await reply.body.dump({ limit: maxReplyBytes, signal: deadline }).catch(() => undefined);
        const retryAfter = reply.headers["retry-after"];
        const retryAfterMs = parseRetryAfter(Array.isArray(retryAfter) ? retryAfter[0] : retryAfter, Date.now());
        return { kind: "answered", status: reply.statusCode, retryAfterMs };
      } catch (error) {
        if (deadline.aborted) return { kind: "failed", message: `did not answer within ${timeoutMs / 1_000} s` };
        return { kind: "failed", message: toMessage(error) };
      }
    },
    close: () => connections.destroy(),
  };
}

function isPrivateOrForbidden(address: string): boolean {
  return isPrivateAddress(address) || isForbiddenAddress(address);
}

/** A connection error says its code; an AggregateError's own message is empty. */
function toMessage(error: unknown): string {
  if (error instanceof AggregateError && error.errors.length > 0) return toMessage(error.errors[0]);
  return error instanceof Error ? (error.message || error.name).slice(0, 300) : "failed";
}
