/** The same two routes on a bare `node:http` server with Ajv and a look at the credentials, and nothing else. */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { answerCalls } from "@signalbox/testing/calls.ts";
import { Ajv2020 } from "ajv/dist/2020.js";
import { asPerson } from "../arena.ts";
import { openItems } from "./items.ts";

const items = await openItems();
const isItem = new Ajv2020({ strict: true }).compile<{ type: string; payload: Record<string, unknown> }>({
  type: "object",
  required: ["type", "payload"],
  properties: { type: { type: "string", minLength: 1 }, payload: { type: "object" } },
});

async function answer(request: IncomingMessage, response: ServerResponse, bytes: Buffer): Promise<void> {
  const body: unknown = JSON.parse(bytes.toString());
  if (request.headers.authorization !== asPerson.authorization || !isItem(body)) {
    response.writeHead(400).end();
    return;
  }
  const id = request.url === "/stored" ? await items.store(body.type, body.payload) : "1";
  const text = JSON.stringify({ id, type: body.type });
  response.writeHead(201, { "content-type": "application/json", "content-length": Buffer.byteLength(text) });
  response.end(text);
}

const server = createServer((request, response) => {
  const chunks: Buffer[] = [];
  request.on("data", (chunk: Buffer) => chunks.push(chunk));
  request.on("end", () => {
    answer(request, response, Buffer.concat(chunks)).catch(() => response.destroy());
  });
});
await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));

answerCalls({ port: () => (server.address() as AddressInfo).port }, async () => {
  server.closeAllConnections();
  server.close();
  await items.close();
});
