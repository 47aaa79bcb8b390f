import { connect } from "node:net";
import { asService, serveRoutes } from "@signalbox/testing/http-service.ts";
import { bodyOf, sendAround, sendRaw } from "@signalbox/testing/raw-http.ts";
import { Type } from "typebox";
import { expect, test } from "vitest";
import { defineRoute } from "./route.ts";

const echo = defineRoute({
  method: "POST",
  path: "/echo",
  auth: "public",
  summary: "echo",
  body: Type.Unknown(),
  replies: { 200: Type.Unknown() },
  async handle({ body }) {
    return { status: 200, body };
  },
});

const quick = { listen: { timeouts: { headersMs: 300, requestMs: 600 } } };

test("a header of 17 kB is 431", async () => {
  await using service = await serveRoutes([echo]);
  const { port } = service.listening;
  const answer = await sendRaw(port, `GET /health HTTP/1.1\r\nhost: x\r\nx-long: ${"a".repeat(17_000)}\r\n\r\n`);
  expect(answer).toMatch(/^HTTP\/1\.1 431 /);
  expect(bodyOf(answer).error.code).toBe("headers_too_large");
});

test("2,000 headers are 431", async () => {
  await using service = await serveRoutes([echo]);
  const headers = Array.from({ length: 2_000 }, (_, index) => `${index.toString(36)}:1\r\n`).join("");
  const head = `GET /health HTTP/1.1\r\nhost: x\r\nconnection: close\r\n${headers}\r\n`;
  const answer = await sendRaw(service.listening.port, head);
  expect(answer).toMatch(/^HTTP\/1\.1 431 /);
  expect(bodyOf(answer).error.code).toBe("headers_too_large");
});

test.each([
  ["no HTTP", "hello\r\n\r\n"],
  ["no host", "GET /health HTTP/1.1\r\nconnection: close\r\n\r\n"],
  ["two lengths", "POST /echo HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n{}"],
  [
    "a length and chunks",
    "POST /echo HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
  ],
  [
    "a bad chunk",
    "POST /echo HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
  ],
])("%s is 400 with the shape of every error", async (_what, bytes) => {
  await using service = await serveRoutes([echo]);
  const answer = await sendRaw(service.listening.port, bytes);
  expect(answer).toMatch(/^HTTP\/1\.1 400 /);
  expect(bodyOf(answer).error.code).toBe("invalid_request");
});

test.each([1, 5, 20])("an answer that is ready is not lost to %i requests of rubbish behind its own", async (times) => {
  await using service = await serveRoutes([{ ...echo, auth: "internal" }]);
  const head = "POST /echo HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 5\r\n\r\n{}";
  const answer = await sendRaw(service.listening.port, head + "garbage\r\n\r\n".repeat(times));
  expect(answer).toMatch(/^HTTP\/1\.1 401 /);
  expect(bodyOf(answer).error.code).toBe("unauthorized");
});

test("a head that never ends is 408", async () => {
  await using service = await serveRoutes([echo], quick);
  const answer = await sendRaw(service.listening.port, "GET /health HTTP/1.1\r\nhost: x\r\n", "x-slow: 1\r\n");
  expect(answer).toMatch(/^HTTP\/1\.1 408 /);
  expect(bodyOf(answer).error.code).toBe("request_timeout");
});

test("a body shorter than its length is 408, and nothing was done", async () => {
  await using service = await serveRoutes([echo], quick);
  const head = "POST /echo HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n";
  const answer = await sendRaw(service.listening.port, head, '{"a":');
  expect(answer).toMatch(/^HTTP\/1\.1 408 /);
});

test("an expectation that nobody knows is ignored", async () => {
  await using service = await serveRoutes([echo]);
  const answer = await sendRaw(
    service.listening.port,
    "GET /health HTTP/1.1\r\nhost: x\r\nexpect: the-impossible\r\nconnection: close\r\n\r\n",
  );
  expect(answer).toMatch(/^HTTP\/1\.1 200 /);
});

test("a parser error is not written into the middle of a stream", async () => {
  const started = Promise.withResolvers<void>();
  const gone = Promise.withResolvers<void>();
  const stream = defineRoute({
    method: "GET",
    path: "/stream",
    auth: "public",
    summary: "stream",
    replies: { 200: Type.Unknown() },
    async handle({ signal }) {
      return {
        status: 200,
        headers: { "content-type": "text/event-stream" },
        async stream(response) {
          response.write("data: 1\n\n");
          started.resolve();
          await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve()));
          gone.resolve();
        },
      };
    },
  });
  await using service = await serveRoutes([stream]);
  const socket = connect(service.listening.port, "127.0.0.1");
  const chunks: Buffer[] = [];
  socket.on("data", (chunk) => chunks.push(chunk));
  const closed = new Promise((resolve) => socket.on("close", resolve));
  socket.on("error", () => undefined);
  socket.write("GET /stream HTTP/1.1\r\nhost: x\r\n\r\n");
  await started.promise;
  socket.write("this is no request\r\n\r\n");
  await Promise.all([gone.promise, closed]);
  expect(Buffer.concat(chunks).toString()).not.toContain("invalid_request");
});

test("closing waits for the answer under way, ends streams, and refuses new connections", async () => {
  const gate = Promise.withResolvers<void>();
  const started = Promise.withResolvers<void>();
  const slow = defineRoute({
    method: "GET",
    path: "/slow",
    auth: "any",
    summary: "slow",
    replies: { 200: Type.Unknown() },
    async handle() {
      started.resolve();
      await gate.promise;
      return { status: 200, body: "done" };
    },
  });
  const streaming = Promise.withResolvers<void>();
  const stream = defineRoute({
    method: "GET",
    path: "/stream",
    auth: "any",
    summary: "stream",
    replies: { 200: Type.Unknown() },
    async handle({ signal }) {
      return {
        status: 200,
        stream: () =>
          new Promise<void>((resolve) => {
            signal.addEventListener("abort", () => resolve());
            streaming.resolve();
          }),
      };
    },
  });
  await using service = await serveRoutes([slow, stream]);
  const answer = service.fetch("/slow", { headers: asService });
  const following = service.fetch("/stream", { headers: asService });
  await Promise.all([started.promise, streaming.promise]);
  // Much longer than the test may take: kept connections must be looked for and ended.
  const closed = service.listening.close(60_000);
  expect(await (await following).text()).toBe("");
  await expect(service.fetch("/health")).rejects.toThrow();
  gate.resolve();
  expect(await (await answer).json()).toBe("done");
  await closed;
});

test("a stream that is asked for while closing ends at once", async () => {
  const stream = defineRoute({
    method: "GET",
    path: "/stream",
    auth: "public",
    summary: "stream",
    replies: { 200: Type.Unknown() },
    async handle({ signal }) {
      return {
        status: 200,
        async stream() {
          if (!signal.aborted) await new Promise((resolve) => signal.addEventListener("abort", resolve));
        },
      };
    },
  });
  await using service = await serveRoutes([stream]);
  const { server } = service.listening;
  expect(await sendAround(server, "/stream", () => void service.listening.close(60_000))).toMatch(/^HTTP\/1\.1 200 /);
});

test("an open stream takes no place from short calls", async () => {
  const opened = Promise.withResolvers<void>();
  const stream = defineRoute({
    method: "GET",
    path: "/stream",
    auth: "any",
    summary: "stream",
    replies: { 200: Type.Unknown() },
    async handle({ signal }) {
      return {
        status: 200,
        stream: () =>
          new Promise<void>((resolve) => {
            signal.addEventListener("abort", () => resolve());
            opened.resolve();
          }),
      };
    },
  });
  await using service = await serveRoutes([stream, echo], { maxInFlight: 1 });
  const following = service.fetch("/stream", { headers: asService });
  await opened.promise;
  expect((await service.post("/echo", {})).status).toBe(200);
  await service.listening.close();
  await (await following).text();
});

test("closing cuts what does not end in time", async () => {
  const started = Promise.withResolvers<void>();
  const stuck = defineRoute({
    method: "GET",
    path: "/stuck",
    auth: "any",
    summary: "stuck",
    replies: { 200: Type.Unknown() },
    handle() {
      started.resolve();
      return new Promise(() => undefined);
    },
  });
  await using service = await serveRoutes([stuck]);
  const answer = service.fetch("/stuck", { headers: asService });
  const refused = expect(answer).rejects.toThrow();
  await started.promise;
  await service.listening.close(50);
  await refused;
});
