import type { RunRequest } from "@signalbox/common/contracts/agent.ts";
import { Connections } from "@signalbox/common/http-client.ts";
import { parseJson } from "@signalbox/common/json.ts";
import { toHeaderText, traceHeaders } from "@signalbox/common/trace.ts";
import { isForbiddenAddress } from "../address.ts";
import type { Answer } from "../answer.ts";
import { parseRetryAfter } from "../backoff.ts";
import { buildCheckedLookup } from "./checked-lookup.ts";
import { type Posted, post } from "./post.ts";

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
      const posted = await post(connections, {
        url,
        headers: { "x-internal-key": options.internalKey, ...toHeaders(body, names) },
        body: JSON.stringify(body),
        timeoutMs,
        maxBytes: maxAnswerBytes,
        signal,
      });
      if (posted.kind === "answered") return toAnswer(posted, options.hide);
      if (posted.kind === "timeout") return { kind: "timeout", afterMs: timeoutMs };
      if (posted.kind === "failed")
        return { kind: "unreachable", message: toMessage(posted.error), isAbsent: isAbsence(posted.error) };
      return { kind: "rubbish", message: `the agent answered more than ${maxAnswerBytes} bytes` };
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

function toAnswer(
  { status, headers, bytes }: Extract<Posted, { kind: "answered" }>,
  hide: AgentClientOptions["hide"],
): Answer {
  const retryAfter = headers["retry-after"];
  const retryAfterMs = parseRetryAfter(Array.isArray(retryAfter) ? retryAfter[0] : retryAfter, Date.now());
  const body = parseBody(bytes);
  if (body.kind === "broken" && status === 200)
    return { kind: "rubbish", message: `the agent's answer is not acceptable JSON: ${body.message}` };
  const value = body.kind === "json" ? body.value : null;
  return { kind: "answered", status, body: status < 300 ? value : hide(value), retryAfterMs };
}

function parseBody(bytes: Buffer): { kind: "json"; value: unknown } | { kind: "broken"; message: string } {
  try {
    return { kind: "json", value: parseJson(bytes) };
  } catch (error) {
    return { kind: "broken", message: toMessage(error) };
  }
}

const absences = new Set([
  ...["ECONNREFUSED", "ENOTFOUND", "EAI_AGAIN", "EHOSTUNREACH", "ENETUNREACH", "UND_ERR_CONNECT_TIMEOUT"],
]);

function isAbsence(error: unknown): boolean {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  return typeof code === "string" && absences.has(code);
}

/** A connection error says its code; an AggregateError's own message is empty. */
function toMessage(error: unknown): string {
  if (error instanceof AggregateError && error.errors.length > 0) return toMessage(error.errors[0]);
  return error instanceof Error ? error.message || error.name : String(error);
}
