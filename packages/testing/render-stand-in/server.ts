/*
 * Render, as far as a fleet uses it: its REST API with state behind it. It is strict where Render is and where its document
 * is (token, paths, parameters, bodies, details that fit the type of service), keeps the limits that were seen on the wire,
 * lets deploys and databases take their time, builds from a described repository, and can be told to misbehave. What it
 * answers is held against the same document. Steered by control.ts.
 *
 * The API is at `<url>/v1`, and without the prefix too.
 */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { readBytes } from "../read-bytes.ts";
import { answerControl, buildControl, type Control } from "./control.ts";
import { storeHandlers } from "./data-stores.ts";
import { deployHandlers, settleDeploys } from "./deploys.ts";
import { envHandlers } from "./env.ts";
import { groupHandlers } from "./env-groups.ts";
import { type Fault, takeFault } from "./faults.ts";
import type { Handler, Reply } from "./handler.ts";
import { spend, unlimited } from "./limits.ts";
import { logHandlers } from "./logs.ts";
import { placeHandlers } from "./places.ts";
import { serviceHandlers } from "./services.ts";
import { newId, newState, nowMs, type Options, Refusal, type SeenRequest, type State } from "./state.ts";
import { ensureDetailsFit, ensureGood, judgeOwnReply, renderApi } from "./strictness.ts";

export type RenderStandIn = AsyncDisposable & {
  url: string;
  /** for RENDER_API_BASE_URL */
  apiUrl: string;
  token: string;
  state: State;
  control: Control;
};

export const handlers: Record<string, Handler> = {
  ...serviceHandlers,
  ...envHandlers,
  ...deployHandlers,
  ...logHandlers,
  ...storeHandlers,
  ...groupHandlers,
  ...placeHandlers,
};

const maxBodyBytes = 4_194_304;

/** @param options.stageMs default 0: deploys and databases are ready at once */
export async function startRenderStandIn(
  options: Partial<Options> & { port?: number; host?: string } = {},
): Promise<RenderStandIn> {
  const { port = 0, host = "127.0.0.1", token = "rnd_standInToken0123456789", stageMs = 0, hasLimits = true } = options;
  const state = newState({ token, stageMs, hasLimits });
  const control = buildControl(state);
  const server = createServer((request, response) => {
    answer(state, control, request, response).catch(() => response.destroy());
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, host, resolve);
  });
  const url = `http://${host}:${(server.address() as AddressInfo).port}`;
  return {
    url,
    apiUrl: `${url}/v1`,
    token,
    state,
    control,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
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
    path: pathname.replace(/^\/v1(?=\/)/, ""),
    query: searchParams,
    text: (await readBytes(request, maxBodyBytes)).toString("utf8"),
    authorization: request.headers.authorization,
  };
  if (pathname.startsWith("/__control/")) return answerSteering(state, control, call, response);
  await answerApi(state, call, response);
}

function answerSteering(state: State, control: Control, call: Call, response: ServerResponse): void {
  const reply = orRefusal(() => {
    const path = call.path.slice("/__control".length);
    return { status: 200, body: answerControl(state, control, { method: call.method, path, body: parse(call.text) }) };
  });
  send(response, reply, {});
}

async function answerApi(state: State, call: Call, response: ServerResponse): Promise<void> {
  settleDeploys(state);
  const found = renderApi.find(call.method, call.path);
  const seen = remember(state, call, found?.id ?? null);
  const fault = takeFault(state.faults, { ...call, operation: found?.id ?? null });
  if (fault?.kind === "slow") await (fault.until ?? delay(fault.delayMs ?? 1_000));
  if (fault?.kind === "lose") return void response.destroy();
  if (fault?.kind === "status" || fault?.kind === "rubbish") return misbehave(response, seen, fault);
  const headers: Record<string, string> = {};
  const reply = orRefusal(() => carryOut(state, call, found, headers));
  seen.status = reply.status;
  seen.isWrite = call.method !== "GET" && reply.status < 300;
  if (fault?.kind === "lose_after") return void response.destroy();
  if (fault?.kind === "status_after") return misbehave(response, seen, fault);
  send(response, reply, headers);
}

function misbehave(response: ServerResponse, seen: SeenRequest, fault: Fault): void {
  seen.status = fault.status ?? (fault.kind === "rubbish" ? 200 : 500);
  if (fault.kind === "rubbish") {
    response.writeHead(seen.status, { "content-type": "text/html" }).end("<html>Bad gateway</html>");
    return;
  }
  send(response, { status: seen.status, body: toError(fault.message ?? "internal error") }, fault.headers ?? {});
}

function carryOut(
  state: State,
  call: Call,
  found: ReturnType<typeof renderApi.find>,
  headers: Record<string, string>,
): Reply {
  if (call.authorization !== `Bearer ${state.token}`) throw new Refusal(401, "Unauthorized");
  const handler = found ? handlers[found.id] : undefined;
  if (!found || !handler) throw new Refusal(404, "not found");
  const { id, params } = found;
  const spent = state.hasLimits
    ? spend(state.spending, { operation: id, method: call.method, serviceId: params.serviceId }, nowMs(state))
    : unlimited;
  Object.assign(headers, spent.headers);
  if (spent.isOver) throw new Refusal(429, "rate limit exceeded");
  const body = parse(call.text);
  ensureGood(id, call.query, body);
  ensureDetailsFit(state, id, params, body);
  const reply = handler({ state, params, query: call.query, body });
  const [wrong] = judgeOwnReply(id, reply.status, reply.body);
  if (wrong) throw new Refusal(500, `the stand-in answers ${id} wrongly: ${wrong.path} ${wrong.message}`);
  return reply;
}

function remember(state: State, { method, path, query, text }: Call, operation: string | null): SeenRequest {
  const body = orRefusal(() => ({ status: 0, body: parse(text) })).body;
  const seen = { method, path, operation, query: Object.fromEntries(query), body, status: null, isWrite: false };
  state.requests.push(seen);
  return seen;
}

/** @throws Refusal 400 */
function parse(text: string): unknown {
  if (text === "") return undefined;
  try {
    return JSON.parse(text);
  } catch {
    throw new Refusal(400, "invalid JSON");
  }
}

function orRefusal(act: () => Reply): Reply {
  try {
    return act();
  } catch (error) {
    if (error instanceof Refusal) return { status: error.status, body: toError(error.message) };
    return { status: 500, body: toError(`the stand-in failed: ${String(error)}`) };
  }
}

/** The shape of Render's errors. */
function toError(message: string) {
  return { id: newId("err"), message };
}

function send(response: ServerResponse, { status, body }: Reply, headers: Record<string, string>): void {
  if (body === null && (status === 202 || status === 204)) {
    response.writeHead(status, headers).end();
    return;
  }
  response.writeHead(status, { "content-type": "application/json", ...headers }).end(JSON.stringify(body));
}
