import { createHash } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from "node:http";
import { extname, join, relative, sep } from "node:path";

type Page = { body: Buffer; headers: OutgoingHttpHeaders };

/** A built site in memory, by path. What is not in it cannot be asked for, so no path leads out of its folder. */
export type Site = Map<string, Page>;

const types: Record<string, string> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".json": "application/json; charset=utf-8",
  ".map": "application/json; charset=utf-8",
  ".svg": "image/svg+xml",
  ".png": "image/png",
  ".ico": "image/x-icon",
  ".txt": "text/plain; charset=utf-8",
  ".webmanifest": "application/manifest+json",
};

/** A name with a content hash, as esbuild writes it: `app-2EYBH5QX.js`. */
const hashedName = /[-.][A-Z0-9]{8}\.[a-z0-9]+$/;

export async function loadSite(folder: string): Promise<Site> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile() && !entry.name.startsWith("."));
  const site: Site = new Map();
  for (const entry of files) {
    const file = join(entry.parentPath, entry.name);
    site.set(`/${relative(folder, file).split(sep).join("/")}`, toPage(entry.name, await readFile(file)));
  }
  return site;
}

function toPage(name: string, body: Buffer): Page {
  const headers = {
    "Content-Type": types[extname(name)] ?? "application/octet-stream",
    "Cache-Control": hashedName.test(name) ? "public, max-age=31536000, immutable" : "no-cache",
    ETag: `"${createHash("sha256").update(body).digest("base64url").slice(0, 22)}"`,
  };
  return { body, headers };
}

/** Answers one request: a file, `config.json`, or the app for any path that names a screen. */
export function answerRequest(
  site: Site,
  { config, headers }: { config: unknown; headers: OutgoingHttpHeaders },
  request: IncomingMessage,
  response: ServerResponse,
): void {
  for (const [name, value] of Object.entries(headers)) if (value !== undefined) response.setHeader(name, value);
  const path = parsePath(request.url ?? "/");
  if (request.method !== "GET" && request.method !== "HEAD") refuse(response, 405, { Allow: "GET, HEAD" });
  else if (path === null) refuse(response, 400);
  else if (path === "/config.json") send(request, response, toConfigPage(config));
  else sendOrRefuse(request, response, findPage(site, path));
}

function sendOrRefuse(request: IncomingMessage, response: ServerResponse, page: Page | undefined): void {
  if (page) send(request, response, page);
  else refuse(response, 404);
}

/** Null when the path is no path. */
function parsePath(url: string): string | null {
  try {
    // Not by URL: it would take what follows a double slash for a host, and tidy dots away.
    return decodeURIComponent(url.split(/[?#]/, 1)[0] ?? "");
  } catch {
    return null;
  }
}

function toConfigPage(config: unknown): Page {
  const headers = { "Content-Type": types[".json"], "Cache-Control": "no-store" };
  return { body: Buffer.from(JSON.stringify(config)), headers };
}

/** A path without a dot is a screen of the app, which draws it from the address. */
function findPage(site: Site, path: string): Page | undefined {
  return site.get(path) ?? (path.includes(".") ? undefined : site.get("/index.html"));
}

function send(request: IncomingMessage, response: ServerResponse, page: Page): void {
  if (page.headers.ETag && request.headers["if-none-match"] === page.headers.ETag) {
    response.writeHead(304, page.headers).end();
    return;
  }
  response.writeHead(200, { ...page.headers, "Content-Length": page.body.length });
  response.end(request.method === "HEAD" ? undefined : page.body);
}

const refusals: Record<number, string> = {
  400: "This address cannot be read.",
  404: "There is nothing at this address.",
  405: "Only GET and HEAD are answered here.",
};

function refuse(response: ServerResponse, status: number, headers: OutgoingHttpHeaders = {}): void {
  response.writeHead(status, { "Content-Type": "text/plain; charset=utf-8", "Cache-Control": "no-store", ...headers });
  response.end(`${refusals[status] ?? ""}\n`);
}
