import type { IncomingMessage } from "node:http";
import { authorize, type Credentials, type Principal } from "./auth.ts";
import { isJsonType, mediaTypeOf } from "./body.ts";
import { isAllowedOrigin } from "./cors.ts";
import { ApiError } from "./errors.ts";
import { buildLoginLimit, clientAddress } from "./login-limit.ts";
import type { AuthRule } from "./route.ts";

export type AdmitRules = {
  rule: AuthRule;
  credentials: Credentials;
  allowedOrigins: readonly string[];
  /** `?auth=`, on routes that take it */
  queryAuth: string | null;
  /** A live stream: only pages of our own may open one, whatever they know. */
  isStream: boolean;
};

/**
 * Who is calling, if the rule lets them in; null on routes that ask nobody.
 *
 * @throws ApiError 401 without a valid credential, 403 with one that does not open this route
 */
export function admit(request: IncomingMessage, rules: AdmitRules): Principal | null {
  if (rules.rule === "public" || rules.rule === "signed") return null;
  const principal = identify(request, rules);
  if (principal === null) throw unauthorized(rules.rule);
  if (rules.rule === "internal" && principal.kind !== "internal") {
    throw new ApiError("forbidden", "This call is for services: send X-INTERNAL-KEY. A user name does not open it.");
  }
  if (rules.isStream) refuseForeignPage(request, rules.allowedOrigins);
  else if (principal.kind === "person") refuseForgery(request, rules.allowedOrigins);
  return principal;
}

/** One for the process: a guesser is one guesser, whichever route or socket they try. */
const logins = buildLoginLimit();

function identify(request: IncomingMessage, { credentials, ...rules }: AdmitRules): Principal | null {
  // Many put Base64 into a URL as it is, and its plus signs have been read as spaces, which it never has.
  const queryAuth = rules.queryAuth?.replaceAll(" ", "+") ?? null;
  const guess = request.headers.authorization ?? queryAuth;
  if (guess === null) return authorize(request.headers, credentials);
  const { "x-internal-key": key, "x-on-behalf-of": user } = request.headers;
  const byKey = authorize({ "x-internal-key": key, "x-on-behalf-of": user }, credentials);
  if (byKey) return byKey;
  const address = clientAddress(request);
  logins.check(address);
  const principal = authorize(request.headers, credentials, queryAuth);
  if (principal === null) logins.failed(address, guess);
  return principal;
}

function unauthorized(rule: AuthRule): ApiError {
  const how =
    rule === "internal"
      ? "Send the header X-INTERNAL-KEY."
      : "Log in with HTTP Basic (BASIC_AUTH_USER, BASIC_AUTH_PASS) or send X-INTERNAL-KEY.";
  return new ApiError("unauthorized", how, {
    headers: { "www-authenticate": 'Basic realm="signalbox"' },
  });
}

/**
 * A foreign page may make the browser send a POST without a body, with the password it has stored, and no preflight
 * asks first. (Where a body is read it must be `application/json`, and for that the browser asks.) Browsers always send `Origin`
 * with it, scripts never do.
 */
function refuseForgery(request: IncomingMessage, allowedOrigins: readonly string[]): void {
  const { method, headers } = request;
  if (method === "GET" || method === "HEAD" || headers.origin === undefined) return;
  const type = mediaTypeOf(request);
  if (type !== null && isJsonType(type)) return;
  refuseForeignPage(request, allowedOrigins);
}

/** A browser opens a socket or a stream for any page, with the password it has stored, and each takes a place for hours. */
function refuseForeignPage({ headers: { origin } }: IncomingMessage, allowedOrigins: readonly string[]): void {
  if (origin === undefined || isAllowedOrigin(origin, allowedOrigins)) return;
  throw new ApiError("forbidden", "This page's origin is not in WS_ALLOWED_ORIGINS.");
}
