/*
 * PostHog, as far as a watcher uses it: the query API over a small store of real events, saved insights, feature flags,
 * annotations and issues of error tracking. It is strict where PostHog is and stricter where PostHog is lenient (unknown
 * parameters, queries without a time range), keeps its limits, and can be told to misbehave. Steered by control.ts.
 */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { readBytes } from "../read-bytes.ts";
import { answerControl, buildControl, type Control } from "./control.ts";
import { EventStore } from "./event-store.ts";
import { type Fault, takeFault } from "./faults.ts";
import { cancelQuery, pollQuery, postQuery } from "./queries.ts";
import { answerResource, ensureScope } from "./resources.ts";
import { allScopes, type Options, Refusal, type Reply, type SeenRequest, type State } from "./state.ts";

export type PosthogStandIn = AsyncDisposable & {
  /** for POSTHOG_HOST */
  url: string;
  projectId: number;
  apiKey: string;
  state: State;
  control: Control;
};

/** @param given.now its clock; what lies after it cannot be seen by a query */
export async function startPosthogStandIn(
  given: Partial<Options> & { port?: number; host?: string } = {},
): Promise<PosthogStandIn> {
  const { port = 0, host = "127.0.0.1", ...options } = given;
  const clock = { aheadMs: 0 };
  const state = newState({ ...options, now: given.now ?? (() => Date.now() + clock.aheadMs) });
  const control = buildControl(state, clock);
  const server = createServer((request, response) => {
    answer(state, control, request, response).catch(() => response.destroy());
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, host, resolve);
  });
  const { projectId, apiKey } = state;
  return {
    url: `http://${host}:${(server.address() as AddressInfo).port}`,
    ...{ projectId, apiKey, state, control },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function newState(options: Partial<Options> & Pick<Options, "now">): State {
  return {
    ...{
      projectId: 12_345,
      apiKey: "phx_standInKey0123456789",
      scopes: [...allScopes],
      hasLimits: true,
      asyncPolls: 1,
    },
    ...options,
    events: new EventStore(),
    ...{ flags: [], insights: [], annotations: [], issues: [], requests: [], faults: [] },
    pending: new Map(),
    spending: new Map(),
    running: 0,
    nextId: 1,
  };
}

type Call = { method: string; path: string; query: URLSearchParams; text: string; authorization: string | undefined };

async function answer(
  state: State,
  control: Control,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const { pathname, searchParams } = new URL(request.url ?? "/", "http://stand-in");
  const call: Call = {
    method: request.method ?? "GET",
    path: pathname,
    query: searchParams,
    text: (await readBytes(request)).toString("utf8"),
    authorization: request.headers.authorization,
  };
  if (!pathname.startsWith("/__control/")) return answerApi(state, call, response);
  const path = pathname.slice("/__control".length);
  send(
    response,
    orRefusal(() => ({ status: 200, body: answerControl(state, control, { ...call, path, body: parse(call.text) }) })),
  );
}

async function answerApi(state: State, call: Call, response: ServerResponse): Promise<void> {
  const seen = remember(state, call);
  const fault = takeFault(state.faults, call.path);
  if (fault?.kind === "lose") return void response.destroy();
  if (fault?.kind === "status" || fault?.kind === "rubbish") return misbehave(response, seen, fault);
  state.running += 1;
  try {
    if (fault?.kind === "slow") await delay(fault.delayMs ?? 1_000);
  } finally {
    state.running -= 1;
  }
  const reply = orRefusal(() => carryOut(state, call, fault));
  seen.status = reply.status;
  seen.isWrite = ["POST", "PATCH", "PUT"].includes(call.method) && !call.path.includes("/query/") && reply.status < 300;
  if (fault?.kind === "truncated") return truncate(response, reply);
  send(response, reply);
}

function misbehave(response: ServerResponse, seen: SeenRequest, fault: Fault): void {
  seen.status = fault.status ?? (fault.kind === "rubbish" ? 200 : 500);
  if (fault.kind === "rubbish") {
    response.writeHead(seen.status, { "content-type": "text/html" }).end("<html>Bad gateway</html>");
    return;
  }
  const refusal = new Refusal(seen.status, fault.message ?? "A server error occurred.", { code: "error" });
  send(response, { status: seen.status, body: refusal.toBody(), headers: fault.headers ?? {} });
}

/** Half of the answer, with the length of the whole, and then the connection ends. */
function truncate(response: ServerResponse, { status, body }: Reply): void {
  const bytes = Buffer.from(JSON.stringify(body));
  response.writeHead(status, { "content-type": "application/json", "content-length": bytes.length });
  response.write(bytes.subarray(0, bytes.length >> 1), () => response.destroy());
}

function carryOut(state: State, call: Call, fault: Fault | null): Reply {
  if (call.authorization !== `Bearer ${state.apiKey}`) {
    throw new Refusal(401, "Invalid personal API key.", { code: "authentication_failed" });
  }
  const [, project, rest] = /^\/api\/(?:projects|environments)\/([^/]+)\/(.+)$/.exec(call.path) ?? [];
  if (rest === undefined) throw new Refusal(404, "Endpoint not found.", { code: "not_found" });
  if (project !== String(state.projectId))
    throw new Refusal(403, "You don't have access to the project.", { code: "permission_denied" });
  if (!rest.endsWith("/"))
    throw new Refusal(404, "Endpoint not found; PostHog's paths end in a slash.", { code: "not_found" });
  const body = parse(call.text);
  const [, resource = "", id = null] = /^(error_tracking\/issues|[a-z_]+)\/(?:([^/]+)\/)?$/.exec(rest) ?? [];
  if (resource !== "query") return answerResource(state, { ...call, resource, id, body });
  ensureScope(state, "query:read");
  if (call.method === "POST" && id === null) return postQuery(state, body, fault);
  if (id === null) throw new Refusal(405, `Method "${call.method}" not allowed.`, { code: "method_not_allowed" });
  return call.method === "DELETE" ? cancelQuery(state, id) : pollQuery(state, id);
}

function remember(state: State, { method, path, query, text }: Call): SeenRequest {
  const { body } = orRefusal(() => ({ status: 0, body: parse(text) }));
  const seen = {
    method,
    path,
    query: Object.fromEntries(query),
    body,
    status: null,
    isWrite: false,
    atMs: state.now(),
  };
  state.requests.push(seen);
  return seen;
}

/** @throws Refusal 400 */
function parse(text: string): unknown {
  if (text === "") return undefined;
  try {
    return JSON.parse(text);
  } catch {
    throw new Refusal(400, "JSON parse error", { code: "parse_error" });
  }
}

function orRefusal(act: () => Reply): Reply {
  try {
    return act();
  } catch (error) {
    if (error instanceof Refusal) return { status: error.status, body: error.toBody(), headers: error.headers };
    return {
      status: 500,
      body: { type: "server_error", code: "error", detail: `the stand-in failed: ${String(error)}`, attr: null },
    };
  }
}

function send(response: ServerResponse, { status, body, headers = {} }: Reply): void {
  if (body === null) return void response.writeHead(status, headers).end();
  response.writeHead(status, { "content-type": "application/json", ...headers }).end(JSON.stringify(body));
}
