import type { IncomingMessage } from "node:http";
import { promisify } from "node:util";
import { gunzip } from "node:zlib";
import { ApiError, invalidRequest } from "./errors.ts";

const inflate = promisify(gunzip);

export type BodyRules = { limitBytes: number; types: readonly string[] | null };

/** Whether the request carries a body at all, however it is framed (RFC 9112, 6.3). */
export function hasBody(request: IncomingMessage): boolean {
  const length = request.headers["content-length"];
  return request.headers["transfer-encoding"] !== undefined || (length !== undefined && length !== "0");
}

/**
 * Media type in lower case without parameters; null when none was sent.
 *
 * `curl -d '{…}'` says that it sends a form unless it is told otherwise, and everybody forgets to tell it. From curl, and from
 * nobody else, such a form is taken for JSON, and refused later when it is none: a page could send a form to a foreign origin
 * without asking first, but not as curl, and a page says where it comes from.
 */
export function mediaTypeOf(request: IncomingMessage): string | null {
  const [type] = (request.headers["content-type"] ?? "").split(";");
  const plain = type?.trim().toLowerCase() || null;
  return plain === formType && isFromCurl(request) ? "application/json" : plain;
}

const formType = "application/x-www-form-urlencoded";

function isFromCurl({ headers }: IncomingMessage): boolean {
  const isPage =
    headers.origin !== undefined || headers.referer !== undefined || headers["sec-fetch-site"] !== undefined;
  return !isPage && headers["user-agent"]?.startsWith("curl/") === true;
}

/** @throws ApiError 415 for a form that is one */
export function refuseForm(request: IncomingMessage, body: Buffer): void {
  const said = (request.headers["content-type"] ?? "").trim().toLowerCase();
  if (!said.startsWith(formType) || /^\s*[[{"]/.test(body.toString("latin1", 0, 64))) return;
  throw new ApiError("unsupported_media_type", "Send the body as application/json (header Content-Type); got a form.");
}

export function isJsonType(type: string): boolean {
  return type === "application/json" || type.endsWith("+json");
}

/**
 * Refuses what the route does not take, before any byte of the body is read.
 *
 * A wrong content type is not only untidy: a foreign page may send a form or plain text with the browser's stored
 * password, but not JSON without asking first.
 *
 * @throws ApiError 415 or 413
 */
export function checkBodyHeaders(request: IncomingMessage, rules: BodyRules): void {
  const type = mediaTypeOf(request);
  if (rules.types !== null && !rules.types.some((known) => matches(type, known))) {
    throw new ApiError(
      "unsupported_media_type",
      `Send the body as ${rules.types.join(" or ")} (header Content-Type); got ${type === null ? "none" : "another type"}.`,
    );
  }
  const charset = /;\s*charset\s*=\s*"?([^";\s]+)/i.exec(request.headers["content-type"] ?? "")?.[1];
  if (charset !== undefined && !/^(utf-?8|us-ascii)$/i.test(charset)) {
    throw new ApiError("unsupported_media_type", "Send the body in UTF-8.");
  }
  const encoding = encodingOf(request);
  if (encoding !== "identity" && encoding !== "gzip") {
    throw new ApiError("unsupported_media_type", "Send the body uncompressed or with Content-Encoding: gzip.");
  }
  if (Number(request.headers["content-length"] ?? 0) > rules.limitBytes) throw tooLarge(rules.limitBytes);
}

function matches(type: string | null, known: string): boolean {
  return type === known || (known === "application/json" && type !== null && isJsonType(type));
}

function encodingOf(request: IncomingMessage): string {
  const encoding = (request.headers["content-encoding"] ?? "identity").trim().toLowerCase();
  return encoding === "x-gzip" ? "gzip" : encoding;
}

/**
 * Reads the body, inflated, under one limit for both: a bomb is refused as soon as it passes the limit.
 *
 * @throws ApiError 413, or 400 when the bytes are not what the headers say
 */
export async function readBody(request: IncomingMessage, limitBytes: number): Promise<Buffer> {
  const raw = await collect(request, limitBytes);
  if (encodingOf(request) !== "gzip" || raw.length === 0) return raw;
  try {
    return await inflate(raw, { maxOutputLength: limitBytes });
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ERR_BUFFER_TOO_LARGE") throw tooLarge(limitBytes);
    throw invalidRequest("", "has a body that is not valid gzip");
  }
}

/** The client went away while it was still sending: nobody is left to be told. */
export class ClientGoneError extends Error {
  constructor() {
    super("the client closed the connection before its request was complete");
    this.name = "ClientGoneError";
  }
}

function collect(request: IncomingMessage, limitBytes: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let size = 0;
    request.on("data", (chunk: Buffer) => {
      size += chunk.length;
      if (size > limitBytes) {
        // The rest is read and thrown away, bounded by the server's requestTimeout, so that the answer arrives:
        // closing with unread bytes would reset the connection under it.
        request.removeAllListeners("data");
        request.resume();
        reject(tooLarge(limitBytes));
      } else chunks.push(chunk);
    });
    request.once("end", () => resolve(chunks.length === 1 && chunks[0] ? chunks[0] : Buffer.concat(chunks, size)));
    request.once("error", () => reject(new ClientGoneError()));
  });
}

function tooLarge(limitBytes: number): ApiError {
  return new ApiError("payload_too_large", `The body may have at most ${limitBytes} bytes (uncompressed).`);
}
