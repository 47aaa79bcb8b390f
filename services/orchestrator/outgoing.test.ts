import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, test } from "vitest";
import { WebSocket, WebSocketServer } from "ws";
import type { Part } from "./frame.ts";
import { buildJoiner, toOutgoing, toServerSentEvent, toWebSocketMessage } from "./outgoing.ts";

test("a client reads each message as it was, at every length of its head, with what ws itself says in between", async () => {
  const texts = ["", "é".repeat(60), "x".repeat(125), "x".repeat(126), "x".repeat(65_535), `${"x".repeat(65_535)}é`];
  const server = createServer();
  const sockets = new WebSocketServer({ server });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  sockets.on("connection", (socket, request) => {
    for (const text of texts) {
      request.socket.write(toWebSocketMessage({ text, cursor: "" }));
      socket.ping();
    }
    socket.close(1000);
  });
  const client = new WebSocket(`ws://127.0.0.1:${(server.address() as AddressInfo).port}`);
  const heard: string[] = [];
  client.on("message", (data, isBinary) => heard.push(isBinary ? "binary" : String(data)));
  const code = await new Promise<number>((resolve) => client.on("close", resolve));
  expect([code, heard]).toEqual([1000, texts]);
  server.close();
});

test("a frame is put into each form once", () => {
  const frame = { text: '{"type":"task"}', cursor: "c1" };
  expect(toServerSentEvent(frame).toString()).toBe('id: c1\ndata: {"type":"task"}\n\n');
  expect(toServerSentEvent(frame)).toBe(toServerSentEvent(frame));
  expect(toWebSocketMessage(frame)).toBe(toWebSocketMessage(frame));
});

test("clients that send the same share the bytes, and no others", () => {
  const join = buildJoiner();
  const [a, b, c] = ["a", "b", "c"].map((text) => Buffer.from(text)) as [Buffer, Buffer, Buffer];
  const first = join([a, b]);
  expect(first.toString()).toBe("ab");
  expect(join([a, b])).toBe(first);
  expect(join([a, c]).toString()).toBe("ac");
  expect(join([b, a, c]).toString()).toBe("bac");
});

test("clients that stand at one cursor are sent one frame, and who stands elsewhere another", () => {
  const part = { source: "log", seq: 1, log: {}, body: ',"log":{}}' } as Part;
  const first = toOutgoing(part, "here");
  expect(toOutgoing(part, "here")).toBe(first);
  expect(JSON.parse(toOutgoing(part, "there").text)).toEqual({ type: "log", cursor: "there", log: {} });
});
