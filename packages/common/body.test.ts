import { gzipSync } from "node:zlib";
import { asService, serveRoutes } from "@signalbox/testing/http-service.ts";
import { sendRaw } from "@signalbox/testing/raw-http.ts";
import { Type } from "typebox";
import { expect, test } from "vitest";
import { defineRoute, type Route } from "./route.ts";

const megabyte = 1_048_576;

function echo(more: Partial<Route> = {}): Route {
  const route = defineRoute({
    method: "POST",
    path: "/echo",
    auth: "any",
    summary: "echo",
    body: Type.Object({ text: Type.Optional(Type.String()) }, { additionalProperties: false }),
    replies: { 200: Type.Unknown() },
    async handle({ body, rawBody, contentType }) {
      return { status: 200, body: { body: body ?? null, bytes: rawBody.length, contentType } };
    },
  });
  return { ...route, ...more };
}

/** `{"text":"xx…"}` of exactly that many bytes. */
function textOf(bytes: number): string {
  return `{"text":"${"x".repeat(bytes - 11)}"}`;
}

test("a body of 1 MiB is taken, one byte more is 413", async () => {
  await using service = await serveRoutes([echo()]);
  expect((await service.post("/echo", textOf(megabyte))).status).toBe(200);
  const refused = await service.post("/echo", textOf(megabyte + 1));
  expect(refused.status).toBe(413);
  expect(await refused.json()).toMatchObject({ error: { code: "payload_too_large" } });
});

test("the limit holds when no length is announced", async () => {
  await using service = await serveRoutes([echo({ bodyLimitBytes: 1_000 })]);
  const chunks = new ReadableStream({
    start(controller) {
      for (let index = 0; index < 100; index++) controller.enqueue(new Uint8Array(100).fill(0x20));
      controller.close();
    },
  });
  const response = await service.fetch("/echo", {
    method: "POST",
    headers: { ...asService, "content-type": "application/json" },
    body: chunks,
    duplex: "half",
  } as RequestInit);
  expect(response.status).toBe(413);
});

test("a length beyond the limit is refused without waiting for a byte of it", async () => {
  await using service = await serveRoutes([echo({ auth: "public" })]);
  const answer = await sendRaw(
    service.listening.port,
    "POST /echo HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 9999999\r\nconnection: close\r\n\r\n",
  );
  expect(answer).toMatch(/^HTTP\/1\.1 413 /);
});

test("a gzip bomb is 413, an honest gzip is read, a broken one is 400", async () => {
  await using service = await serveRoutes([echo()]);
  const send = (body: Uint8Array<ArrayBuffer>) =>
    service.fetch("/echo", {
      method: "POST",
      headers: { ...asService, "content-type": "application/json", "content-encoding": "gzip" },
      body,
    });
  const bomb = new Uint8Array(gzipSync(Buffer.alloc(200 * megabyte, 0x20)));
  expect(bomb.length).toBeLessThan(megabyte);
  expect((await send(bomb)).status).toBe(413);
  const honest = await send(new Uint8Array(gzipSync('{"text":"hi"}')));
  expect(await honest.json()).toMatchObject({ body: { text: "hi" }, bytes: 13 });
  expect((await send(new Uint8Array(Buffer.from("not gzip")))).status).toBe(400);
});

test.each([
  ["text/plain", 415],
  ["application/x-www-form-urlencoded", 415],
  ["application/json; charset=latin1", 415],
  ["application/jsonx", 415],
  ["application/json", 200],
  ["Application/JSON; charset=UTF-8", 200],
  ['application/json;charset="utf-8"', 200],
  ["application/merge-patch+json", 200],
])("a body as %s is %i", async (type, status) => {
  await using service = await serveRoutes([echo()]);
  const response = await service.post("/echo", "{}", { ...asService, "content-type": type });
  expect(response.status).toBe(status);
});

test("what curl -d sends is JSON if it is JSON, and no page may send it", async () => {
  await using service = await serveRoutes([echo()]);
  const form = { ...asService, "content-type": "application/x-www-form-urlencoded", "user-agent": "curl/8.0" };
  expect((await service.post("/echo", '{"text":"hi"}', form)).status).toBe(200);
  expect((await service.post("/echo", "text=hi", form)).status).toBe(415);
  expect((await service.post("/echo", "{}", { ...form, origin: "https://evil.example" })).status).toBe(415);
  expect((await service.post("/echo", "{}", { ...form, "sec-fetch-site": "cross-site" })).status).toBe(415);
});

test("a body without a content type is 415, an unknown encoding too", async () => {
  await using service = await serveRoutes([echo()]);
  const bare = await service.fetch("/echo", {
    method: "POST",
    headers: asService,
    body: new Uint8Array(Buffer.from("{}")),
  });
  expect(bare.status).toBe(415);
  expect((await service.post("/echo", "{}", { ...asService, "content-encoding": "br" })).status).toBe(415);
});

test("no body at all reads as {} where every member is optional", async () => {
  await using service = await serveRoutes([echo()]);
  const response = await service.fetch("/echo", { method: "POST", headers: asService });
  expect(await response.json()).toEqual({ body: {}, bytes: 0, contentType: null });
});

test("no body is 400 where a member is required, and says which", async () => {
  await using service = await serveRoutes([echo({ body: Type.Object({ text: Type.String() }) })]);
  const response = await service.fetch("/echo", { method: "POST", headers: asService });
  expect(response.status).toBe(400);
  expect(await response.json()).toMatchObject({ error: { details: [{ path: "/text", message: "is required" }] } });
});

test("an unknown member is 400 and named", async () => {
  await using service = await serveRoutes([echo()]);
  const response = await service.post("/echo", { text: "x", txet: "y" });
  expect(response.status).toBe(400);
  expect(await response.json()).toMatchObject({
    error: { code: "invalid_request", details: [{ path: "/txet", message: "is not a known member" }] },
  });
});

test("defaults of a schema are not written into what was sent", async () => {
  await using service = await serveRoutes([
    echo({ body: Type.Object({ text: Type.Optional(Type.String({ default: "d" })) }) }),
  ]);
  expect(await (await service.post("/echo", {})).json()).toMatchObject({ body: {} });
});

test("a type that is not JSON reaches the handler as bytes", async () => {
  await using service = await serveRoutes([echo({ bodyTypes: ["application/json", "application/x-ndjson"] })]);
  const headers = { ...asService, "content-type": "application/x-ndjson" };
  const response = await service.post("/echo", "{}\n{}\n", headers);
  expect(await response.json()).toEqual({ body: null, bytes: 6, contentType: "application/x-ndjson" });
});

test("a signed route gets the very bytes that were sent, unparsed and of any type", async () => {
  await using service = await serveRoutes([echo({ auth: "signed", body: undefined })]);
  const response = await service.post("/echo", '{ "a" : 1, ', { "content-type": "text/plain" });
  expect(await response.json()).toEqual({ body: null, bytes: 11, contentType: "text/plain" });
});

test("whoever may not call is told so before the body is read", async () => {
  await using service = await serveRoutes([echo()]);
  const answer = await sendRaw(
    service.listening.port,
    "POST /echo HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 1000000\r\nconnection: close\r\n\r\n",
  );
  expect(answer).toMatch(/^HTTP\/1\.1 401 /);
});

test("a client that goes away in the middle of its body costs a debug or info line, not an error", async () => {
  await using service = await serveRoutes([echo()]);
  const abort = new AbortController();
  const body = new ReadableStream({
    start: (controller) => controller.enqueue(new Uint8Array(10).fill(0x20)),
    pull: () => abort.abort(),
  });
  const request = service.fetch("/echo", {
    method: "POST",
    headers: { ...asService, "content-type": "application/json" },
    body,
    duplex: "half",
    signal: abort.signal,
  } as RequestInit);
  await expect(request).rejects.toThrow();
  expect((await service.post("/echo", {})).status).toBe(200);
  expect(service.lines.filter(({ level }) => level === "error" || level === "warn")).toEqual([]);
});

test.each([
  ["65 levels", "[".repeat(65) + "]".repeat(65)],
  ["NUL", '{"text":"\\u0000"}'],
  ["half a surrogate pair", '{"text":"\\ud800"}'],
  ["__proto__", '{"__proto__":{"x":1}}'],
  ["no JSON", "{"],
])("%s is 400 and the service lives on", async (_what, body) => {
  await using service = await serveRoutes([echo({ body: Type.Unknown() })]);
  expect((await service.post("/echo", body)).status).toBe(400);
  expect((await service.post("/echo", {})).status).toBe(200);
});
