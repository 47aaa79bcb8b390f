import type { RunRequest } from "@signalbox/common/contracts/agent.ts";
import { parseJson } from "@signalbox/common/json.ts";
import { toHeaderText, traceHeaders } from "@signalbox/common/trace.ts";
import { Agent as Connections, type Dispatcher, request } from "undici";
import { isForbiddenAddress } from "../address.ts";
import type { Answer } from "../answer.ts";
import { parseRetryAfter } from "../backoff.ts";
import { buildCheckedLookup } from "./checked-lookup.ts";

/** More than this no agent may answer; a bigger result belongs elsewhere, with its address as the result. */
const maxAnswerBytes = 1_048_576;

export type AgentClient = {
  /** Posts one run. Never throws: whatever happens is an answer. An abort by `signal` reads as unreachable. */
  run(call: {
    url: string;
    body: RunRequest;
    leaseId: string;
    /** The caller's span of this call. */
    spanId: string;
    /** Goes along so that the agent's log lines name it. */
    concurrencyKey: string | null;
    timeoutMs: number;
    signal: AbortSignal;
  }): Promise<Answer>;
  close(): Promise<void>;
};

export type AgentClientOptions = {
  internalKey: string;
  connectionsPerAgent: number;
  /** Hides secrets in what an agent says of a failure: it is kept and shown. */
  hide(value: unknown): unknown;
};

export function buildAgentClient(options: AgentClientOptions): AgentClient {
  const connections = new Connections({
    connections: options.connectionsPerAgent,
    pipelining: 1,
    keepAliveTimeout: 30_000,
    connect: { timeout: 3_000, lookup: buildCheckedLookup(isForbiddenAddress) },
    // The run's own time-out bounds headers and body together.
    headersTimeout: 0,
    bodyTimeout: 0,
  });
  return {
    async run({ url, body, timeoutMs, signal, ...names }) {
      const deadline = new AbortController();
      const timer = setTimeout(() => deadline.abort(), timeoutMs);
      const abort = () => deadline.abort();
      signal.addEventListener("abort", abort, { once: true });
      try {
        const response = await request(url, {
          method: "POST",
          dispatcher: connections,
          headers: { "x-internal-key": options.internalKey, ...toHeaders(body, names) },
          body: JSON.stringify(body),
          signal: deadline.signal,
        });
        return await toAnswer(response, options.hide);
      } catch (error) {
        if (deadline.signal.aborted && !signal.aborted) return { kind: "timeout", afterMs: timeoutMs };
        return { kind: "unreachable", message: toMessage(error) };
      } finally {
        clearTimeout(timer);
        signal.removeEventListener("abort", abort);
      }
    },
    close: () => connections.destroy(),
  };
}

type Names = { leaseId: string; spanId: string; concurrencyKey: string | null };

function toHeaders(body: RunRequest, { leaseId, spanId, concurrencyKey }: Names): Record<string, string> {
  const key = concurrencyKey === null ? null : toHeaderText(concurrencyKey);
  return {
    "content-type": "application/json",
    "x-task-id": body.taskId,
    "x-task-attempt": String(body.attempt),
    "x-task-lease": leaseId,
    ...(key !== null && { "x-concurrency-key": key }),
    ...traceHeaders({ traceId: body.traceId, spanId, correlationId: body.correlationId }),
  };
}

async function toAnswer(response: Dispatcher.ResponseData, hide: AgentClientOptions["hide"]): Promise<Answer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of response.body as AsyncIterable<Buffer>) {
    size += chunk.length;
    // Leaving the loop destroys the body and with it the connection.
    if (size > maxAnswerBytes)
      return { kind: "rubbish", message: `the agent answered more than ${maxAnswerBytes} bytes` };
    chunks.push(chunk);
  }
  const retryAfter = response.headers["retry-after"];
  const retryAfterMs = parseRetryAfter(Array.isArray(retryAfter) ? retryAfter[0] : retryAfter, Date.now());
  const body = parseBody(Buffer.concat(chunks));
  if (body.kind === "broken" && response.statusCode === 200)
    return { kind: "rubbish", message: `the agent's answer is not acceptable JSON: ${body.message}` };
  const value = body.kind === "json" ? body.value : null;
  return {
    kind: "answered",
    status: response.statusCode,
    body: response.statusCode < 300 ? value : hide(value),
    retryAfterMs,
  };
}

function parseBody(bytes: Buffer): { kind: "json"; value: unknown } | { kind: "broken"; message: string } {
  try {
    return { kind: "json", value: parseJson(bytes) };
  } catch (error) {
    return { kind: "broken", message: toMessage(error) };
  }
}

/** A connection error says its code; an AggregateError's own message is empty. */
function toMessage(error: unknown): string {
  if (error instanceof AggregateError && error.errors.length > 0) return toMessage(error.errors[0]);
  return error instanceof Error ? error.message || error.name : String(error);
}
