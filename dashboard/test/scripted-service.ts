import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** What a scripted route answers; a function sees the request. */
export type Scripted = { status?: number; body?: unknown; headers?: Record<string, string>; after?: Promise<unknown> };
export type Asked = {
  method: string;
  path: string;
  query: URLSearchParams;
  body: unknown;
  headers: IncomingMessage["headers"];
};
export type Handle = (asked: Asked) => Scripted;

export const credentials = { user: "operator", pass: "geheim-ü-密" };
export const basic = Buffer.from(`${credentials.user}:${credentials.pass}`).toString("base64");

const corsHeaders = {
  "Access-Control-Allow-Headers":
    "Authorization, Content-Type, If-Match, Idempotency-Key, Prefer, traceparent, X-Correlation-Id",
  "Access-Control-Allow-Methods": "GET, POST, PATCH, PUT, DELETE",
  "Access-Control-Expose-Headers": "ETag, Location, Retry-After, Idempotent-Replayed",
};

export const listOf = (...items: unknown[]): Scripted => ({ body: { items, nextCursor: null } });

export function refusal(status: number, code: string, message: string, details?: unknown[]): Scripted {
  return {
    status,
    body: { error: { code, message, ...(details ? { details } : {}), traceId: "0af7651916cd43dd8448eb211c80319c" } },
  };
}

async function readBody(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  const text = Buffer.concat(chunks).toString("utf8");
  return text === "" ? null : JSON.parse(text);
}

const publicPaths = new Set(["/health", "/ready", "/openapi.json"]);

/**
 * One service of a fleet, over real HTTP with CORS and Basic, whose answers a test scripts: by `"GET /tasks"` or, for one path,
 * `"GET /task/<id>"`. What nobody scripted is 404, so a call that a test did not expect is seen.
 */
export class ScriptedService {
  readonly name: string;
  readonly server: Server;
  readonly asked: Asked[] = [];
  readonly #routes = new Map<string, Handle>();
  #port = 0;
  allowedOrigin: string | null = null;
  accepted = basic;

  constructor(name: string) {
    this.name = name;
    this.server = createServer((request, response) => void this.#answer(request, response));
    this.on("GET /health", () => ({ body: { status: "ok", service: name, version: "0.1.0", uptimeSeconds: 90_000 } }));
    this.on("GET /config/validate", () => ({
      body: { service: name, ok: true, schemaHash: "5f1d0c4e9a37", settings: [] },
    }));
  }

  on(route: string, handle: Handle): void {
    this.#routes.set(route, handle);
  }

  /** Where it is, also after it was closed: a page goes on asking there. */
  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  countOf(route: string): number {
    return this.asked.filter(({ method, path }) => `${method} ${path}` === route).length;
  }

  listen(port = 0): Promise<void> {
    return new Promise((resolve) =>
      this.server.listen(port, "127.0.0.1", () => {
        this.#port = (this.server.address() as AddressInfo).port;
        resolve();
      }),
    );
  }

  async close(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (this.allowedOrigin && request.headers.origin === this.allowedOrigin) {
      response.setHeader("Access-Control-Allow-Origin", this.allowedOrigin);
      for (const [name, value] of Object.entries(corsHeaders)) response.setHeader(name, value);
    }
    if (request.method === "OPTIONS") {
      response.writeHead(204).end();
      return;
    }
    const url = new URL(request.url ?? "/", "http://scripted");
    const body = await readBody(request);
    const asked = {
      method: request.method ?? "GET",
      path: url.pathname,
      query: url.searchParams,
      body,
      headers: request.headers,
    };
    this.asked.push(asked);
    await this.#send(this.#judge(asked), response);
  }

  #judge(asked: Asked): Scripted {
    if (!publicPaths.has(asked.path) && asked.headers.authorization !== `Basic ${this.accepted}`) {
      const refused = refusal(401, "unauthorized", "The user or the password is not right.");
      return { ...refused, headers: { "WWW-Authenticate": 'Basic realm="signalbox"' } };
    }
    const handle = this.#routes.get(`${asked.method} ${asked.path}`);
    return handle ? handle(asked) : refusal(404, "not_found", `There is nothing at ${asked.method} ${asked.path}.`);
  }

  async #send({ status = 200, body = null, headers = {}, after }: Scripted, response: ServerResponse): Promise<void> {
    await after;
    response.writeHead(status, { "Content-Type": "application/json", ...headers }).end(JSON.stringify(body));
  }
}
