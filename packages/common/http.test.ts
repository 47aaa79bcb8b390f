import { allowedOrigin, asPerson, asService, credentials, serveRoutes } from "@signalbox/testing/http-service.ts";
import { Type } from "typebox";
import { expect, test } from "vitest";
import { ApiError } from "./errors.ts";
import { type AuthRule, defineRoute, type Reply, type Route } from "./route.ts";

const Anything = Type.Unknown();

function route(path: string, handle: () => Promise<Reply>, more: Partial<Route> = {}): Route {
  return {
    ...defineRoute({ method: "GET", path, auth: "any", summary: path, replies: { 200: Anything }, handle }),
    ...more,
  };
}

const ok = async () => ({ status: 200, body: { ok: true } });

test("an unknown path is 404, with the shape of every error and the trace id", async () => {
  await using service = await serveRoutes([]);
  const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
  const response = await service.fetch("/nothing", { headers: { traceparent } });
  expect(response.status).toBe(404);
  expect(response.headers.get("content-type")).toBe("application/json; charset=utf-8");
  expect(await response.json()).toEqual({
    error: {
      code: "not_found",
      message: expect.any(String),
      traceId: "0af7651916cd43dd8448eb211c80319c",
    },
  });
});

test("a wrong method is 405 and names the right ones", async () => {
  await using service = await serveRoutes([route("/a", ok), route("/a", ok, { method: "PATCH" })]);
  const response = await service.fetch("/a", { method: "DELETE" });
  expect(response.status).toBe(405);
  expect(response.headers.get("allow")).toBe("GET, HEAD, OPTIONS, PATCH");
  expect(await response.json()).toMatchObject({ error: { code: "method_not_allowed" } });
});

test("HEAD answers as GET does, without the body", async () => {
  await using service = await serveRoutes([route("/a", ok)]);
  const get = await service.fetch("/a", { headers: asPerson });
  const head = await service.fetch("/a", { method: "HEAD", headers: asPerson });
  expect(head.status).toBe(200);
  expect(head.headers.get("content-length")).toBe(get.headers.get("content-length"));
  expect(await head.text()).toBe("");
});

test("an alias is the same route", async () => {
  await using service = await serveRoutes([route("/task/:id", ok, { aliases: ["/tasks/:id"] })]);
  expect((await service.fetch("/tasks/7", { headers: asService })).status).toBe(200);
});

test("a literal path wins over a parameter, whatever the order of the routes", async () => {
  const answer = (name: string) => async () => ({ status: 200, body: name });
  await using service = await serveRoutes([
    route("/hooks/:source", answer("parameter")),
    route("/hooks/:source/last", answer("deeper")),
    route("/hooks/deliveries", answer("literal")),
  ]);
  const read = async (path: string) => (await service.fetch(path, { headers: asService })).json();
  expect(await read("/hooks/deliveries")).toBe("literal");
  expect(await read("/hooks/other")).toBe("parameter");
  expect(await read("/hooks/deliveries/last")).toBe("deeper");
});

test("two routes for one method and path are a mistake that is found at once", async () => {
  await expect(serveRoutes([route("/a", ok), route("/a", ok)])).rejects.toThrow("two routes are defined for GET /a");
});

test.each(["/task/%zz", "/%zz", "/task/%ff", "/a?x=%zz"])("bad %-encoding in %s is 400", async (path) => {
  await using service = await serveRoutes([route("/task/:id", ok), route("/a", ok)]);
  const response = await service.fetch(path, { headers: asService });
  expect(response.status).toBe(400);
  expect(await response.json()).toMatchObject({ error: { code: "invalid_request" } });
});

const wrong = { authorization: `Basic ${Buffer.from("person:wrong").toString("base64")}` };
const both = { ...asPerson, ...asService };
const inUrl = `?auth=${encodeURIComponent(Buffer.from(`person:${credentials.pass}`).toString("base64"))}`;

/** Every rule with every credential: the whole matrix, so that a cell cannot be forgotten. */
const matrix: Record<AuthRule, Record<string, number>> = {
  public: { none: 200, wrong: 200, person: 200, service: 200, wrongKey: 200, both: 200, url: 400 },
  signed: { none: 200, wrong: 200, person: 200, service: 200, wrongKey: 200, both: 200, url: 400 },
  any: { none: 401, wrong: 401, person: 200, service: 200, wrongKey: 401, both: 200, url: 401 },
  internal: { none: 401, wrong: 401, person: 403, service: 200, wrongKey: 401, both: 200, url: 401 },
};
const headersOf: Record<string, Record<string, string>> = {
  none: {},
  wrong,
  person: asPerson,
  service: asService,
  wrongKey: { "x-internal-key": "no-such-key" },
  both,
  url: {},
};

test.each(Object.entries(matrix))("a route with the rule %s opens to whom it should", async (rule, expected) => {
  await using service = await serveRoutes([route("/a", ok, { auth: rule as AuthRule })]);
  const found: Record<string, number> = {};
  for (const who of Object.keys(expected)) {
    const response = await service.fetch(who === "url" ? `/a${inUrl}` : "/a", { headers: headersOf[who] ?? {} });
    found[who] = response.status;
    const isChallenge = response.headers.get("www-authenticate") === 'Basic realm="signalbox"';
    expect(isChallenge, who).toBe(response.status === 401);
  }
  expect(found).toEqual(expected);
});

test("?auth= opens a stream that names it, and no log line holds it", async () => {
  const query = Type.Object({ auth: Type.Optional(Type.String()) }, { additionalProperties: false });
  await using service = await serveRoutes([route("/stream", ok, { query })]);
  expect((await service.fetch(`/stream${inUrl}`)).status).toBe(200);
  expect(JSON.stringify(service.lines)).not.toContain("auth=");
});

test("a request is one log line: debug for reading, info for writing, warn for 5xx, by route and not by path", async () => {
  const fail = async () => {
    throw new Error("hunter2");
  };
  await using service = await serveRoutes([
    route("/task/:id", ok),
    route("/task/:id", ok, { method: "POST" }),
    route("/beat", ok, { method: "POST", quiet: true }),
    route("/broken", fail),
  ]);
  const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
  await service.fetch("/task/secret-id", { headers: { ...asService, traceparent } });
  await service.fetch("/task/secret-id", { method: "POST", headers: asService });
  await service.fetch("/beat", { method: "POST", headers: asService });
  await service.fetch("/broken", { headers: asService });
  const requests = service.lines.filter(({ data }) => data?.route !== undefined);
  expect(requests.map(({ level, message }) => [level, message])).toEqual([
    ["debug", "GET /task/:id 200"],
    ["info", "POST /task/:id 200"],
    ["debug", "POST /beat 200"],
    ["warn", "GET /broken 500"],
  ]);
  expect(requests[0]).toMatchObject({
    traceId: "0af7651916cd43dd8448eb211c80319c",
    data: { method: "GET", route: "/task/:id", status: 200, durationMs: expect.any(Number) },
  });
});

test("a bug is 500: the caller gets a code and a trace id, the log gets the cause", async () => {
  await using service = await serveRoutes([
    route("/broken", async () => {
      throw new Error("secret of the house");
    }),
  ]);
  const response = await service.fetch("/broken", { headers: asService });
  expect(response.status).toBe(500);
  const text = await response.text();
  expect(JSON.parse(text).error).toMatchObject({ code: "internal", traceId: expect.any(String) });
  expect(text).not.toContain("secret of the house");
  expect(service.lines.find(({ level }) => level === "error")).toMatchObject({
    data: { err: { message: "secret of the house" } },
  });
});

test("an answer that cannot be written as JSON is 500, not half an answer", async () => {
  await using service = await serveRoutes([route("/big", async () => ({ status: 200, body: { big: 1n } }))]);
  expect((await service.fetch("/big", { headers: asService })).status).toBe(500);
});

test("a version becomes an ETag, and headers of an error are sent", async () => {
  await using service = await serveRoutes([
    route("/a", async () => ({ status: 201, body: {}, etag: 7, location: "/task/x" })),
    route("/busy", async () => {
      throw new ApiError("rate_limited", "Slowly.", { headers: { "retry-after": "3" } });
    }),
  ]);
  const made = await service.fetch("/a", { headers: asService });
  expect([made.headers.get("etag"), made.headers.get("location")]).toEqual(['"7"', "/task/x"]);
  const busy = await service.fetch("/busy", { headers: asService });
  expect([busy.status, busy.headers.get("retry-after")]).toEqual([429, "3"]);
});

test("an answer without a body says so", async () => {
  await using service = await serveRoutes([route("/a", async () => ({ status: 202 }))]);
  const response = await service.fetch("/a", { headers: asService });
  expect([response.status, response.headers.get("content-length"), await response.text()]).toEqual([202, "0", ""]);
});

test("the caller's trace and correlation id reach the handler", async () => {
  let seen: unknown;
  const see = defineRoute({
    method: "GET",
    path: "/a",
    auth: "any",
    summary: "a",
    replies: { 200: Anything },
    async handle({ trace, actor }) {
      seen = { ...trace, actor };
      return { status: 204 };
    },
  });
  await using service = await serveRoutes([see]);
  const headers = {
    ...asPerson,
    traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    "x-correlation-id": "order 7",
  };
  expect((await service.fetch("/a", { headers })).status).toBe(204);
  expect(seen).toMatchObject({
    traceId: "0af7651916cd43dd8448eb211c80319c",
    correlationId: "order 7",
    actor: "person:person",
  });
  expect((seen as { spanId: string }).spanId).not.toBe("b7ad6b7169203331");
});

test("a correlation id of 200 characters is taken, one of 201 is 400", async () => {
  await using service = await serveRoutes([route("/a", ok)]);
  const statusOf = async (length: number) =>
    (await service.fetch("/a", { headers: { ...asService, "x-correlation-id": "c".repeat(length) } })).status;
  expect([await statusOf(200), await statusOf(201)]).toEqual([200, 400]);
});

test("a broken traceparent begins a new trace and refuses nothing", async () => {
  await using service = await serveRoutes([route("/a", ok)]);
  expect((await service.fetch("/a", { headers: { ...asService, traceparent: "rubbish" } })).status).toBe(200);
});

test("every answer carries the security headers and nothing that names the software", async () => {
  await using service = await serveRoutes([route("/a", ok)]);
  for (const [path, headers] of [
    ["/a", asService],
    ["/a", {}],
    ["/nothing", {}],
    ["/health", {}],
  ] as const) {
    const response = await service.fetch(path, { headers });
    expect(response.headers.get("x-content-type-options")).toBe("nosniff");
    expect(response.headers.get("cache-control")).toBe("no-store");
    expect(response.headers.get("referrer-policy")).toBe("no-referrer");
    expect(response.headers.get("content-security-policy")).toContain("frame-ancestors 'none'");
    expect(response.headers.get("vary")).toBe("Origin");
    expect(response.headers.get("x-powered-by")).toBeNull();
  }
});

test("beyond the cap of the service 503, beyond the cap of a route 429, and health still answers", async () => {
  const gate = Promise.withResolvers<void>();
  const started = Promise.withResolvers<void>();
  const wait = async () => {
    started.resolve();
    await gate.promise;
    return { status: 204 };
  };
  await using service = await serveRoutes(
    [route("/slow", wait, { maxInFlight: 1 }), route("/a", ok), route("/beat", ok, { maxInFlight: null })],
    { maxInFlight: 2 },
  );
  const first = service.fetch("/slow", { headers: asService });
  await started.promise;
  const second = await service.fetch("/slow", { headers: asService });
  expect([second.status, second.headers.get("retry-after")]).toEqual([429, "1"]);
  await using full = await serveRoutes([route("/slow", wait)], { maxInFlight: 0 });
  expect((await full.fetch("/slow", { headers: asService })).status).toBe(503);
  expect((await full.fetch("/health")).status).toBe(200);
  gate.resolve();
  expect((await first).status).toBe(204);
});

test("a page's request is answered with its allowed origin on errors too", async () => {
  await using service = await serveRoutes([route("/a", ok)]);
  const response = await service.fetch("/a", { headers: { origin: allowedOrigin } });
  expect(response.status).toBe(401);
  expect(response.headers.get("access-control-allow-origin")).toBe(allowedOrigin);
});

test("express has nothing to change about a request or its answer, whose prototypes are its own from the beginning", async () => {
  await using service = await serveRoutes([route("/a", ok)]);
  const before: unknown[] = [];
  const after: unknown[] = [];
  service.listening.server.prependListener("request", (...both) => before.push(...both.map(Object.getPrototypeOf)));
  service.listening.server.on("request", (...both) => after.push(...both.map(Object.getPrototypeOf)));
  expect((await service.fetch("/a", { headers: asService })).status).toBe(200);
  expect(before).toHaveLength(2);
  expect(before.every((prototype, at) => prototype === after[at])).toBe(true);
});
