import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, test } from "vitest";
import { buildFleetCaller } from "./fleet-call.ts";

async function open(listener: RequestListener, timeoutMs = 10_000) {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const options = { internalKey: "a-key", timeoutMs, maxAnswerBytes: 1_000, connections: 1 };
  return {
    ...buildFleetCaller(options),
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/x`,
    async [Symbol.asyncDispose]() {
      await this.close();
      server.closeAllConnections();
      server.close();
    },
  };
}

test.concurrent("a call carries the key and JSON, and its answer is read", async () => {
  await using box = await open(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const { method, headers } = request;
    const seen = { method, key: headers["x-internal-key"], type: headers["content-type"], more: headers.more };
    response.end(JSON.stringify({ ...seen, body: JSON.parse(Buffer.concat(chunks).toString()) }));
  });
  const call = { method: "POST", body: { a: 1 }, headers: { more: "m" } } as const;
  const seen = { method: "POST", key: "a-key", type: "application/json", more: "m", body: { a: 1 } };
  expect(await box.ask(box.url, call)).toEqual(seen);
  expect(await box.tell(box.url, call)).toBeUndefined();
});

test.concurrent("a refusal is told as it was said, and whether to come again", async () => {
  await using box = await open((request, response) => {
    const status = Number(request.headers.status);
    const error = { code: "some_code", message: "Do this instead.", details: [{ taskId: "t" }] };
    response.writeHead(status, { "retry-after": "7" }).end(status === 502 ? "<html>" : JSON.stringify({ error }));
  });
  const failure = (status: number) => box.ask(box.url, { headers: { status: String(status) } }).catch((error) => error);
  const said = { code: "some_code", message: "Do this instead.", details: [{ taskId: "t" }] };
  expect(await failure(409)).toMatchObject({ ...said, status: 409, isPassing: false });
  expect(await failure(429)).toMatchObject({ ...said, status: 429, isPassing: true, retryAfterMs: 7_000 });
  const bare = { code: "unknown", message: "The orchestrator answered 502.", details: [] };
  expect(await failure(502)).toMatchObject({ ...bare, status: 502, isPassing: true });
});

test.concurrent("no answer, one without an end and one that is no JSON are passing failures of the service that was named", async () => {
  await using box = await open((request, response) => {
    const how = request.headers.how;
    if (how === "silent") return;
    response.end(how === "long" ? JSON.stringify("x".repeat(2_000)) : "no json");
  }, 500);
  const failure = (how: string, url = box.url) =>
    box.ask(url, { headers: { how }, service: "renderctl" }).catch((error) => error);
  const away = { status: null, isPassing: true, message: "renderctl cannot be reached." };
  expect(await failure("silent")).toMatchObject(away);
  expect(await failure("long")).toMatchObject(away);
  expect(await failure("", "http://127.0.0.1:9/")).toMatchObject(away);
  expect(await failure("odd")).toMatchObject({ ...away, message: "renderctl answered something that is not JSON." });
});

test.concurrent("a kept connection that was closed meanwhile costs nothing where the call may be repeated", async () => {
  let calls = 0;
  await using box = await open((request, response) => {
    request.resume();
    if (++calls % 2 === 1) request.socket.destroy();
    else response.end("{}");
  });
  expect(await box.ask(box.url)).toEqual({});
  const post = { method: "POST", body: {} } as const;
  expect(await box.ask(box.url, { ...post, headers: { "idempotency-key": "k" } })).toEqual({});
  await expect(box.ask(box.url, post)).rejects.toMatchObject({ code: "unreachable" });
  expect(calls).toBe(5);
});

test.concurrent("a call that is given up ends with the reason for that", async () => {
  const reached = Promise.withResolvers<void>();
  await using box = await open(() => reached.resolve());
  const giveUp = new AbortController();
  const call = box.ask(box.url, { signal: giveUp.signal });
  await reached.promise;
  giveUp.abort(new Error("as asked"));
  await expect(call).rejects.toThrow("as asked");
});
