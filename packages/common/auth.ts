import { hash, timingSafeEqual } from "node:crypto";
import type { IncomingHttpHeaders } from "node:http";
import { invalidRequest } from "./errors.ts";

export type Credentials = {
  user: string;
  pass: string;
  /** the current key and, while rotating, the previous one */
  internalKeys: string[];
};

export type Principal =
  | { kind: "person"; name: string }
  /** `onBehalfOf`: the user key of the person for whom a service acts, as the service says. */
  | { kind: "internal"; onBehalfOf?: string };

/**
 * Who sent this? Null when no valid credential came with it. A valid internal key wins over Basic, because it opens
 * whatever Basic opens.
 *
 * @param queryAuth `?auth=`, base64 of user:pass; only for streams, because a browser's socket cannot send headers
 */
export function authorize(
  headers: IncomingHttpHeaders,
  credentials: Credentials,
  queryAuth?: string | null,
): Principal | null {
  const key = headers["x-internal-key"];
  if (typeof key === "string" && isInternalKey(key, credentials)) {
    const user = parseOnBehalfOf(headers["x-on-behalf-of"]);
    return user === null ? { kind: "internal" } : { kind: "internal", onBehalfOf: user };
  }
  const pair = pairOf(headers.authorization) ?? (queryAuth ? Buffer.from(queryAuth, "base64") : null);
  // Both halves are compared as one, so that the time tells nothing about which of them was wrong.
  const isKnown = pair !== null && timingSafeEqual(digest(pair), digestsOf(credentials).pair);
  return isKnown ? { kind: "person", name: credentials.user } : null;
}

/** How a principal is written into the audit: whoever acts for a person leaves that person's key. */
export function actorOf(principal: Principal): string {
  return principal.kind === "person" ? `person:${principal.name}` : (principal.onBehalfOf ?? "service:internal");
}

/**
 * The person of `X-On-Behalf-Of`. What the audit calls an agent or a service is nobody's user key.
 *
 * @throws ApiError `invalid_request` when it cannot be a user key
 */
function parseOnBehalfOf(header: string | string[] | undefined): string | null {
  if (header === undefined) return null;
  if (typeof header === "string" && /^[\x21-\x7e\xa0-\xff][\x20-\x7e\xa0-\xff]{0,199}$/.test(header)) {
    if (!/^(?:agent|service):/i.test(header)) return header;
  }
  throw invalidRequest(
    "",
    "has an X-On-Behalf-Of that is no person's user key: 1 to 200 characters, not agent:… or service:…",
  );
}

/** Equal, in time that depends on neither content nor length: both are hashed first. */
export function isSame(a: string, b: string): boolean {
  return timingSafeEqual(digest(a), digest(b));
}

function isInternalKey(key: string, credentials: Credentials): boolean {
  const given = digest(key);
  let found = false;
  for (const candidate of digestsOf(credentials).keys) found = timingSafeEqual(given, candidate) || found;
  return found;
}

/** `pair`: of user, colon and password, as RFC 7617 joins them; no user has a colon, so there is one way to take it apart. */
type Digests = { pair: Buffer; keys: Buffer[] };

/** What every request is compared with is hashed once. */
const knownDigests = new WeakMap<Credentials, Digests>();

function digestsOf(credentials: Credentials): Digests {
  const known = knownDigests.get(credentials);
  if (known) return known;
  const { user, pass, internalKeys } = credentials;
  const digests = { pair: digest(`${user}:${pass}`), keys: internalKeys.map(digest) };
  knownDigests.set(credentials, digests);
  return digests;
}

function digest(secret: string | Buffer): Buffer {
  return hash("sha256", secret, "buffer");
}

/** Far more than a user and a password take; what is longer is not looked at. */
const longestHeader = 4_096;

function pairOf(header: string | undefined): Buffer | null {
  if (header === undefined || header.length > longestHeader) return null;
  const match = /^basic +([A-Za-z0-9+/_=-]+) *$/i.exec(header);
  return match?.[1] === undefined ? null : Buffer.from(match[1], "base64");
}
