/** The page's security headers, for whoever serves it: the local fleet, the tests, a static host's settings. */

function socketOrigin(origin: string): string {
  return origin.replace(/^http/, "ws");
}

/** Where the page may connect to; a source for `http:` does not cover `ws:` of the same host. */
function connectSources(services: readonly string[] | null): string {
  if (services === null) return "'self' http: https: ws: wss:";
  const origins = [...new Set(services.map((url) => new URL(url).origin))];
  return ["'self'", ...origins, ...origins.map(socketOrigin)].join(" ");
}

/**
 * The content policy.
 *
 * @param services the addresses in `config.json`; null when they are not known where the page is built, which leaves the hosts
 *   open for the header to close
 * @param inMeta a `<meta>` cannot say who may frame the page
 */
export function buildPolicy(services: readonly string[] | null, inMeta = false): string {
  const directives = [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self' data:",
    `connect-src ${connectSources(services)}`,
    "base-uri 'none'",
    "form-action 'none'",
    "require-trusted-types-for 'script'",
  ];
  if (!inMeta) directives.push("frame-ancestors 'none'");
  return directives.join("; ");
}

export function buildHeaders(services: readonly string[]): Record<string, string> {
  return {
    "Content-Security-Policy": buildPolicy(services),
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
  };
}

/** Hashed files never change; everything else is asked for again. */
export function cacheControl(path: string): string {
  return path.startsWith("/assets/") ? "public, max-age=31536000, immutable" : "no-store";
}
