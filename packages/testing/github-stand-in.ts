/*
 * GitHub, as far as webhooks and issues are concerned: hooks, signed deliveries, their list and their redelivery. It is strict where
 * GitHub is (token, User-Agent, API version, parameters), so that a client that passes here has said everything, and it can be
 * told to fail. Its ids are as long as GitHub's own, which a JavaScript number cannot hold.
 *
 * Besides the API, under `/__control`:
 *   POST   /hooks       {"owner","secret","url"}                                 owner is `org` or `org/repo`; 201 {"id"}
 *   GET    /hooks                                                                every hook
 *   POST   /deliveries  {"hookId","event","payload","ageSeconds"?}               sends it; 201 with the delivery
 *   GET    /deliveries                                                           every attempt, newest first
 *   GET    /issues                                                               every issue
 *   POST   /faults      {"on":"delivery"|"api"|"redelivery","kind":"lose"|"status"|"slow","times","status"?,"delayMs"?}
 *   DELETE /faults
 */
import { createHmac, randomUUID } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { type GithubIssue, serveIssues } from "./github-issues.ts";
import { readBytes } from "./read-bytes.ts";

export type GithubHook = { id: number; owner: string; url: string; secret: string };

/** One attempt; a redelivery is one more, with the guid of the first. */
export type GithubDelivery = {
  id: string;
  guid: string;
  delivered_at: string;
  redelivery: boolean;
  duration: number;
  status: string;
  status_code: number;
  event: string;
  action: string | null;
};

export type GithubFault = {
  /** redelivery: the call of the API that asks for one */
  on: "delivery" | "api" | "redelivery";
  /** lose: the connection ends without an answer */
  kind: "lose" | "status" | "slow";
  times: number;
  status?: number;
  delayMs?: number;
};

type Attempt = GithubDelivery & { hookId: number; payload: unknown };
type State = {
  token: string;
  hooks: GithubHook[];
  attempts: Attempt[];
  faults: GithubFault[];
  issues: GithubIssue[];
  calls: string[];
  lastId: bigint;
};
type Wanted = { hookId: number; event: string; payload: unknown; ageSeconds?: number };

export type GithubStandIn = AsyncDisposable & {
  url: string;
  token: string;
  /** `method path` of every call of the API so far */
  calls: readonly string[];
  issues: readonly GithubIssue[];
  addHook(hook: Omit<GithubHook, "id">): GithubHook;
  /** Signs and sends; resolves with what GitHub would show of it. */
  deliver(wanted: Wanted): Promise<GithubDelivery>;
  fail(fault: GithubFault): void;
  deliveries(): GithubDelivery[];
};

const replyTimeoutMs = 10_000;
const redeliverableMs = 3 * 86_400_000;

export async function startGithubStandIn({ token = "github-token" } = {}): Promise<GithubStandIn> {
  const lists = { hooks: [], attempts: [], faults: [], issues: [], calls: [] };
  const state: State = { token, ...lists, lastId: 203_056_573_402_054_656n };
  const server = createServer((request, response) => {
    answer(state, request, response).catch(() => response.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    token,
    calls: state.calls,
    issues: state.issues,
    addHook: (hook) => addHook(state, hook),
    deliver: async (wanted) => toShown(await send(state, wanted, randomUUID())),
    fail: (fault) => void state.faults.push({ ...fault }),
    deliveries: () => state.attempts.map(toShown),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function addHook(state: State, hook: Omit<GithubHook, "id">): GithubHook {
  const made = { ...hook, id: 1_000 + state.hooks.length };
  state.hooks.push(made);
  return made;
}

function toShown({ hookId: _hook, payload: _payload, ...shown }: Attempt): GithubDelivery {
  return shown;
}

/** The next fault of a kind, used up by one. */
function takeFault(state: State, on: GithubFault["on"]): GithubFault | null {
  const fault = state.faults.find((candidate) => candidate.on === on && candidate.times > 0);
  if (!fault) return null;
  fault.times--;
  return fault;
}

async function send(state: State, wanted: Wanted, guid: string): Promise<Attempt> {
  const hook = state.hooks.find(({ id }) => id === wanted.hookId);
  if (!hook) throw new Error(`there is no hook ${wanted.hookId}`);
  const startedAt = performance.now();
  const isAgain = state.attempts.some((known) => known.guid === guid);
  const outcome = await post(hook, { wanted, guid, fault: takeFault(state, "delivery") });
  state.lastId += 12_345_678_901n;
  const action = (wanted.payload as { action?: unknown } | null)?.action;
  const attempt: Attempt = {
    id: String(state.lastId),
    guid,
    delivered_at: new Date(Date.now() - (wanted.ageSeconds ?? 0) * 1_000).toISOString(),
    redelivery: isAgain,
    duration: Math.round(performance.now() - startedAt) / 1_000,
    ...outcome,
    event: wanted.event,
    action: typeof action === "string" ? action : null,
    hookId: hook.id,
    payload: wanted.payload,
  };
  state.attempts.unshift(attempt);
  return attempt;
}

type Posting = { wanted: Wanted; guid: string; fault: GithubFault | null };

async function post(
  hook: GithubHook,
  { wanted, guid, fault }: Posting,
): Promise<{ status: string; status_code: number }> {
  const lost = { status: "failed to connect to host", status_code: 0 };
  if (fault?.kind === "lose") return lost;
  if (fault?.kind === "status") return { status: "Invalid HTTP Response", status_code: fault.status ?? 500 };
  if (fault?.kind === "slow") await delay(fault.delayMs ?? 0);
  const body = JSON.stringify(wanted.payload);
  const headers = {
    "content-type": "application/json",
    "user-agent": "GitHub-Hookshot/044aadd",
    "x-github-event": wanted.event,
    "x-github-delivery": guid,
    "x-github-hook-id": String(hook.id),
    "x-github-hook-installation-target-type": hook.owner.includes("/") ? "repository" : "organization",
    "x-hub-signature-256": `sha256=${createHmac("sha256", hook.secret).update(body).digest("hex")}`,
  };
  try {
    const signal = AbortSignal.timeout(replyTimeoutMs);
    const response = await fetch(hook.url, { method: "POST", body, headers, signal, redirect: "manual" });
    await response.arrayBuffer();
    return { status: response.ok ? "OK" : "Invalid HTTP Response", status_code: response.status };
  } catch {
    return lost;
  }
}

type Answer = { status: number; body?: unknown; headers?: Record<string, string> };

async function answer(state: State, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const url = new URL(request.url ?? "/", "http://github");
  const call = { url, body: (await readBytes(request)).toString("utf8"), method: request.method ?? "" };
  const isManagement = url.pathname.startsWith("/__control/");
  const fault = isManagement ? null : takeFaultOf(state, call);
  if (!isManagement) state.calls.push(`${call.method} ${url.pathname}${url.search}`);
  if (fault?.kind === "lose") {
    response.destroy();
    return;
  }
  if (fault?.kind === "slow") await delay(fault.delayMs ?? 0);
  if (isManagement) reply(response, await manage(state, call));
  else if (fault?.kind === "status") reply(response, refusal(fault.status ?? 500, "Server Error"));
  else reply(response, judgeCall(state, request) ?? serve(state, call));
}

function takeFaultOf(state: State, { method, url }: Call): GithubFault | null {
  const isRedelivery = method === "POST" && url.pathname.endsWith("/attempts");
  return (isRedelivery ? takeFault(state, "redelivery") : null) ?? takeFault(state, "api");
}

/** GitHub's ids are numbers in JSON, too long for `JSON.stringify` to write them from one. */
function reply(response: ServerResponse, { status, body, headers }: Answer): void {
  const text = body === undefined ? "" : JSON.stringify(body).replaceAll(/"id":"(\d+)"/g, '"id":$1');
  response.writeHead(status, { "content-type": "application/json; charset=utf-8", ...headers }).end(text);
}

function refusal(status: number, message: string): Answer {
  return { status, body: { message, documentation_url: "https://docs.github.com/rest" } };
}

function judgeCall(state: State, { headers }: IncomingMessage): Answer | null {
  if (!headers["user-agent"]) return refusal(403, "Request forbidden by administrative rules.");
  if (headers.authorization !== `Bearer ${state.token}`) return refusal(401, "Bad credentials");
  if (headers.accept !== "application/vnd.github+json") return refusal(415, "Unsupported 'Accept' header");
  if (headers["x-github-api-version"] !== "2022-11-28") return refusal(400, "Unsupported API version");
  return null;
}

type Call = { url: URL; body: string; method: string };

const deliveriesPath = /^\/(repos\/[^/]+\/[^/]+|orgs\/[^/]+)\/hooks\/(\d+)\/deliveries(?:\/(\d+))?(\/attempts)?$/;

function serve(state: State, call: Call): Answer {
  const { pathname: path, searchParams: query } = call.url;
  const ofIssues = serveIssues(state.issues, { method: call.method, path, query, body: call.body });
  if (ofIssues !== null) return ofIssues;
  const [, owner = "", hookId = "", deliveryId, attempts] = deliveriesPath.exec(call.url.pathname) ?? [];
  const name = owner.replace(/^(?:repos|orgs)\//, "");
  const hook = state.hooks.find(({ id, owner: whose }) => id === Number(hookId) && whose === name);
  if (!hook) return refusal(404, "Not Found");
  if (deliveryId === undefined && call.method === "GET") return list(state, hook, call.url);
  const attempt = state.attempts.find(({ id, hookId: whose }) => id === deliveryId && whose === hook.id);
  if (attempt && attempts === undefined && call.method === "GET") {
    return {
      status: 200,
      body: { ...toShown(attempt), url: hook.url, request: { payload: attempt.payload }, response: {} },
    };
  }
  if (attempt && attempts !== undefined && call.method === "POST") return redeliver(state, attempt, call.body);
  return refusal(404, "Not Found");
}

/** Newest first; a cursor is the id of the first attempt of the next page. */
function list(state: State, hook: GithubHook, url: URL): Answer {
  const unknown = [...url.searchParams.keys()].filter((key) => !["per_page", "cursor"].includes(key));
  const perPage = Number(url.searchParams.get("per_page") ?? 30);
  if (unknown.length > 0 || !Number.isInteger(perPage) || perPage < 1 || perPage > 100) {
    return refusal(422, `Invalid request: ${unknown.join(", ") || "per_page"}`);
  }
  const all = state.attempts.filter(({ hookId }) => hookId === hook.id);
  const cursor = url.searchParams.get("cursor");
  const from = cursor === null ? 0 : all.findIndex(({ id }) => `v1_${id}` === cursor);
  if (from === -1) return refusal(422, "Invalid cursor");
  const next = all[from + perPage];
  const nextUrl = `http://github${url.pathname}?per_page=${perPage}&cursor=v1_${next?.id}`;
  const headers: Record<string, string> = next ? { link: `<${nextUrl}>; rel="next"` } : {};
  return { status: 200, body: all.slice(from, from + perPage).map(toShown), headers };
}

/** Accepted at once, sent a moment later, as GitHub does. */
function redeliver(state: State, { hookId, event, payload, guid, delivered_at }: Attempt, body: string): Answer {
  if (body !== "") return refusal(400, "Problems parsing JSON");
  if (Date.now() - Date.parse(delivered_at) > redeliverableMs) return refusal(422, "Delivery is too old");
  send(state, { hookId, event, payload }, guid).catch(() => undefined);
  return { status: 202, body: {} };
}

async function manage(state: State, { url, body, method }: Call): Promise<Answer> {
  const given: unknown = body === "" ? null : JSON.parse(body);
  switch (`${method} ${url.pathname.slice("/__control".length)}`) {
    case "POST /hooks":
      return { status: 201, body: { id: addHook(state, given as Omit<GithubHook, "id">).id } };
    case "GET /hooks":
      return { status: 200, body: state.hooks.map(({ id, owner, url }) => ({ id, owner, url })) };
    case "POST /deliveries":
      return { status: 201, body: toShown(await send(state, given as Wanted, randomUUID())) };
    case "GET /deliveries":
      return { status: 200, body: state.attempts.map(toShown) };
    case "GET /issues":
      return { status: 200, body: state.issues };
    case "POST /faults":
      state.faults.push(given as GithubFault);
      return { status: 204 };
    case "DELETE /faults":
      state.faults.length = 0;
      return { status: 204 };
    default:
      return refusal(404, "Not Found");
  }
}
