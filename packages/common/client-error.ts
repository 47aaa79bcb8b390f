import { type ServerResponse, STATUS_CODES } from "node:http";
import type { Duplex } from "node:stream";
import { type ErrorCode, errorStatuses } from "./contracts/errors.ts";

/** The answer that is being made on a socket, so that a late parser error is not written into the middle of it. */
export const answering = new WeakMap<Duplex, ServerResponse>();

/**
 * Answers what Node's parser refused before any of our code saw a request: too large headers, a request that never
 * became complete, bytes that are not HTTP. Node's own answer would be bare; ours has the shape of every error.
 */
export function answerClientError(error: Error, socket: Duplex): void {
  const response = answering.get(socket);
  if (!socket.writable || codeOf(error) === "ECONNRESET") {
    socket.destroy();
    return;
  }
  if (response?.headersSent === true && !response.writableFinished) {
    // Behind the end of an answer that is ready and leaves with this turn of the event loop (see `sendJson`).
    setImmediate(closeBehind, response, socket);
    return;
  }
  const { code, message } = toReply(codeOf(error));
  const status = errorStatuses[code];
  const body = JSON.stringify({ error: { code, message } });
  socket.end(
    [
      `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
      "content-type: application/json; charset=utf-8",
      `content-length: ${Buffer.byteLength(body)}`,
      "x-content-type-options: nosniff",
      "cache-control: no-store",
      "connection: close",
      "",
      body,
    ].join("\r\n"),
  );
}

/** What follows an answer is no request; one that is whole still reaches its caller, a stream is cut. */
function closeBehind(response: ServerResponse, socket: Duplex): void {
  if (!response.writableEnded) socket.destroy();
  else socket.end(() => socket.destroy());
}

function toReply(parserCode: string): { code: ErrorCode; message: string } {
  if (parserCode === "HPE_HEADER_OVERFLOW") {
    return { code: "headers_too_large", message: "The request's headers are too large." };
  }
  if (parserCode === "ERR_HTTP_REQUEST_TIMEOUT") {
    return { code: "request_timeout", message: "The request did not arrive in time." };
  }
  return { code: "invalid_request", message: "This is not a valid HTTP request." };
}

function codeOf(error: Error): string {
  return "code" in error && typeof error.code === "string" ? error.code : "";
}
