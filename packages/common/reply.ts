import type { ServerResponse } from "node:http";
import type { ApiError } from "./errors.ts";
import { redactText } from "./redact.ts";
import type { JsonReply, Reply, StreamReply } from "./route.ts";

/** One request on its way through the service. */
export type Exchange = {
  response: ServerResponse;
  /** what every answer to this request carries */
  headers: Record<string, string>;
  isHead: boolean;
  traceId: string;
};

export function isStream(reply: Reply): reply is StreamReply {
  return "stream" in reply;
}

export function sendJson(exchange: Exchange, reply: JsonReply): void {
  const { response } = exchange;
  const headers: Record<string, string | number> = { ...exchange.headers, ...reply.headers };
  if (reply.etag !== undefined) headers.etag = `"${reply.etag}"`;
  if (reply.location !== undefined) headers.location = reply.location;
  if (reply.body === undefined) {
    if (reply.status !== 204) headers["content-length"] = 0;
    response.writeHead(reply.status, headers);
    setImmediate(end, response, undefined);
    return;
  }
  const text = JSON.stringify(reply.body);
  headers["content-type"] = "application/json; charset=utf-8";
  headers["content-length"] = Buffer.byteLength(text);
  response.writeHead(reply.status, headers);
  // As a text, not as bytes: Node sends head and text in one write then, which is a fifth of the cost of a small answer.
  setImmediate(end, response, exchange.isHead ? undefined : text);
}

/**
 * Called behind everything that came with this turn of the event loop, so that its answers leave together. A write that wakes
 * its reader costs several times what one does that finds it awake: sent singly, answers took twice as long at 64 clients.
 */
function end(response: ServerResponse, text: string | undefined): void {
  response.end(text);
}

export async function sendStream(exchange: Exchange, reply: StreamReply): Promise<void> {
  const { response } = exchange;
  response.writeHead(reply.status, { ...exchange.headers, ...reply.headers });
  response.flushHeaders();
  if (!exchange.isHead) await reply.stream(response);
  if (!response.writableEnded) response.end();
}

export function sendError(exchange: Exchange, error: ApiError): void {
  const { code, details } = error;
  // It may quote what was sent, and an error is what people paste into chats.
  const message = redactText(error.message);
  const body = { error: { code, message, ...(details && { details }), traceId: exchange.traceId } };
  sendJson(exchange, { status: error.status, body, headers: error.headers });
}
