import { buildHttp, type HttpOptions, type Listening, type ListenOptions, listen } from "@signalbox/common/http.ts";
import { buildLog } from "@signalbox/common/log.ts";
import { buildMetrics } from "@signalbox/common/metrics.ts";
import type { Route } from "@signalbox/common/route.ts";
import type { ReadyCheck } from "@signalbox/common/standard-routes.ts";

export type LogLine = { level: string; message: string; data?: Record<string, unknown>; [member: string]: unknown };

/** The credentials of every service that `serveRoutes` starts; the password has all that Basic finds hard. */
export const credentials = { user: "person", pass: "pass:wörd", internalKeys: ["key-of-now", "key-of-before"] };
export const asPerson = {
  authorization: `Basic ${Buffer.from(`${credentials.user}:${credentials.pass}`).toString("base64")}`,
};
export const asService = { "x-internal-key": "key-of-now" };
export const allowedOrigin = "https://dashboard.example";

export type TestService = AsyncDisposable & {
  url: string;
  listening: Listening;
  /** what the service has logged so far */
  lines: LogLine[];
  fetch(path: string, init?: RequestInit): Promise<Response>;
  /** POST with a JSON body, as a service unless the headers say otherwise */
  post(path: string, body: unknown, headers?: Record<string, string>): Promise<Response>;
};

type Options = Partial<Pick<HttpOptions, "maxInFlight" | "isHealthy" | "spans">> & {
  checks?: () => Promise<ReadyCheck[]>;
  listen?: Partial<ListenOptions>;
};

/** The routes behind the real HTTP side on a real port, ended with `await using`. */
export async function serveRoutes(routes: Route[], options: Options = {}): Promise<TestService> {
  const lines: LogLine[] = [];
  const { listen: listenOptions, ...httpOptions } = options;
  const { log } = buildLog({
    service: "test",
    level: "debug",
    format: "json",
    print: (text) => void lines.push(JSON.parse(text)),
  });
  const { app } = buildHttp({
    service: "test",
    version: "1.2.3",
    routes,
    credentials,
    allowedOrigins: [allowedOrigin],
    log,
    report: () => ({ service: "test", ok: true, schemaHash: "", settings: [] }),
    metrics: buildMetrics("test"),
    ...httpOptions,
  });
  const listening = await listen(app, { port: 0, host: "127.0.0.1", ...listenOptions });
  const url = `http://127.0.0.1:${listening.port}`;
  return {
    url,
    listening,
    lines,
    fetch: (path, init) => fetch(`${url}${path}`, init),
    post: (path, body, headers = asService) =>
      fetch(`${url}${path}`, {
        method: "POST",
        headers: { "content-type": "application/json", ...headers },
        body: typeof body === "string" ? body : JSON.stringify(body),
      }),
    [Symbol.asyncDispose]: () => listening.close(1_000),
  };
}
