import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { Agent } from "undici";
import { expect, test } from "vitest";
import { type PostCall, post } from "./post.ts";

/** A server, and calls to it over one connection. */
async function open(listener: RequestListener) {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/run?x=1`;
  const agent = new Agent({ connections: 1, pipelining: 1, headersTimeout: 0, bodyTimeout: 0 });
  const signal = new AbortController().signal;
  return {
    url,
    post: (call: Partial<PostCall> = {}) =>
      post(agent, { url, headers: { a: "b" }, body: "{}", timeoutMs: 20_000, maxBytes: 100, signal, ...call }),
    async [Symbol.asyncDispose]() {
      await agent.destroy();
      server.closeAllConnections();
      server.close();
    },
  };
}

test.concurrent("an answer comes whole, whatever was said before it", async () => {
  await using box = await open((request, response) => {
    response.writeEarlyHints({ link: "</a>; rel=preload" });
    response.writeHead(503, { "retry-after": "7", seen: `${request.method} ${request.url} ${request.headers.a}` });
    response.write("in ");
    response.end("parts");
  });
  const posted = await box.post();
  expect(posted).toMatchObject({
    kind: "answered",
    status: 503,
    headers: { "retry-after": "7", seen: "POST /run?x=1 b" },
  });
  expect(posted.kind === "answered" && posted.bytes.toString()).toBe("in parts");
});

test.concurrent("an answer that is too large is cut off, and the next call has a connection", async () => {
  await using box = await open((request, response) => {
    response.end(request.headers.a === "much" ? "x".repeat(1_000_000) : "ok");
  });
  expect(await box.post({ headers: { a: "much" } })).toEqual({ kind: "too large" });
  expect(await box.post()).toMatchObject({ kind: "answered", status: 200 });
});

test.concurrent("a silent server costs the time that was given, and so does the wait for a connection", async () => {
  await using box = await open((_request, response) => void response.writeHead(200).flushHeaders());
  const [first, second] = await Promise.all([box.post({ timeoutMs: 300 }), box.post({ timeoutMs: 100 })]);
  expect([first, second]).toEqual([{ kind: "timeout" }, { kind: "timeout" }]);
});

test.concurrent("a call that is given up ends at once, under way or not begun", async () => {
  const reached = Promise.withResolvers<void>();
  await using box = await open(() => reached.resolve());
  const giveUp = new AbortController();
  const calls = [box.post({ signal: giveUp.signal }), box.post({ signal: giveUp.signal })];
  await reached.promise;
  giveUp.abort();
  const kinds = (await Promise.all([...calls, box.post({ signal: giveUp.signal })])).map(({ kind }) => kind);
  expect(kinds).toEqual(["failed", "failed", "failed"]);
});

test.concurrent("whoever is not there, hangs up or has no address is an answer too", async () => {
  await using box = await open((_request, response) => {
    response.writeHead(200, { "content-length": "50" });
    response.write("half");
    response.socket?.destroySoon();
  });
  expect(await box.post()).toMatchObject({ kind: "failed" });
  expect(await box.post({ url: "http://127.0.0.1:9/" })).toMatchObject({ kind: "failed" });
  expect(await box.post({ url: "nonsense" })).toMatchObject({ kind: "failed" });
  expect(await box.post({ headers: { "a b": "c" } })).toMatchObject({ kind: "failed" });
});
