import type { IncomingMessage } from "node:http";

const allowedHeaders = "Authorization, Content-Type, If-Match, Idempotency-Key, Prefer, traceparent, X-Correlation-Id";
const exposedHeaders = "ETag, Location, Retry-After, Idempotent-Replayed";
const allowedMethods = "GET, POST, PUT, PATCH, DELETE, OPTIONS";

/** On every answer. Nothing here is a page, so nothing may be framed, sniffed, cached or run. */
const securityHeaders = {
  "x-content-type-options": "nosniff",
  "cache-control": "no-store",
  "referrer-policy": "no-referrer",
  "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
  // An answer differs by origin even when none was sent: a cache in between must know.
  vary: "Origin",
} as const;

/** Exact match only; `null` (a sandboxed frame, a file) and `*` are never allowed, even if somebody lists them. */
export function isAllowedOrigin(origin: string, allowedOrigins: readonly string[]): boolean {
  return origin !== "null" && origin !== "*" && allowedOrigins.includes(origin);
}

/** The headers that every answer to this request carries, errors too: a page must be able to read its error. */
export function baseHeaders(request: IncomingMessage, allowedOrigins: readonly string[]): Record<string, string> {
  const origin = request.headers.origin;
  if (origin === undefined || !isAllowedOrigin(origin, allowedOrigins)) return { ...securityHeaders };
  return {
    ...securityHeaders,
    "access-control-allow-origin": origin,
    "access-control-expose-headers": exposedHeaders,
  };
}

/** What OPTIONS adds; without an allowed origin it allows nobody anything. */
export function preflightHeaders(allow: string | null): Record<string, string> {
  return {
    "access-control-allow-methods": allowedMethods,
    "access-control-allow-headers": allowedHeaders,
    "access-control-max-age": "600",
    ...(allow !== null && { allow }),
  };
}
