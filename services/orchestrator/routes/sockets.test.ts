import { request } from "node:http";
import { connect } from "node:net";
import { bodyOf, sendRaw } from "@signalbox/testing/raw-http.ts";
import { afterAll, beforeAll, expect, test } from "vitest";
import { basic, type Orchestrator, startOrchestrator } from "../orchestrator.fixture.ts";

let box: Orchestrator;

beforeAll(async () => {
  box = await startOrchestrator();
});

afterAll(() => box[Symbol.asyncDispose]());

const key = "sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==";
const handshake = ["connection: Upgrade", "upgrade: websocket"];

function toRequest(line: string, headers: readonly string[]): string {
  return [`${line} HTTP/1.1`, "host: here", `authorization: ${basic}`, ...headers, "", ""].join("\r\n");
}

test.concurrent.each<[string, string, string[]]>([
  ["without a key", "GET /ws", [...handshake, "sec-websocket-version: 13"]],
  ["with a key that is none", "GET /ws", [...handshake, "sec-websocket-version: 13", "sec-websocket-key: short"]],
  ["of another version", "GET /ws", [...handshake, "sec-websocket-version: 12", key]],
  ["by POST", "POST /ws", [...handshake, "sec-websocket-version: 13", key, "content-length: 0"]],
])("a handshake %s is refused as every bad request is", async (_what, line, headers) => {
  const answer = await sendRaw(box.app.port(), toRequest(line, headers));
  expect(answer).toMatch(/^HTTP\/1.1 400 .*\r\nsec-websocket-version: 13\r\n/s);
  expect(bodyOf(answer).error.code).toBe("invalid_request");
});

/** As Java and curl do, which offer to go on in another protocol and are content without. */
function offer(upgrade: string, path: string, method: string, body = ""): Promise<number | undefined> {
  const headers = { authorization: basic, connection: "Upgrade", upgrade, "content-type": "application/json" };
  return new Promise((resolve, reject) => {
    const sent = request(box.url + path, { method, headers, agent: false }, (response) => {
      resolve(response.statusCode);
      response.destroy();
    });
    sent.on("error", reject).end(body);
  });
}

test.concurrent.each(["h2c", "TLS/1.0"])(
  "a request that offers to go on in %s is answered as it is",
  async (upgrade) => {
    expect(await offer(upgrade, "/health", "GET")).toBe(200);
    expect(await offer(upgrade, "/ws", "GET")).toBe(426);
    // The body is read too: it is the one thing that is wrong.
    expect(await offer(upgrade, "/task", "POST", JSON.stringify({ type: "nobody.knows" }))).toBe(422);
  },
);

test.concurrent("who is refused keeps no connection open, though it never closes its own side", async () => {
  const socket = connect({ port: box.app.port(), host: "127.0.0.1", allowHalfOpen: true });
  const { promise: cut, resolve } = Promise.withResolvers<void>();
  // What is written to a connection that the other side has let go of is answered by a reset.
  socket.on("error", () => resolve());
  let insisting: NodeJS.Timeout | undefined;
  socket.on("end", () => {
    insisting = setInterval(() => socket.write("still here"), 20);
  });
  socket.on("close", () => resolve());
  socket.resume();
  socket.write(`GET /nowhere HTTP/1.1\r\nhost: here\r\n${handshake.join("\r\n")}\r\n\r\n`);
  await cut;
  clearInterval(insisting);
  socket.destroy();
});
