/** The agent of the drains over HTTP: answers every run at once with what it was given. Signalbox and all others call this one. */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { answerCalls } from "@signalbox/testing/calls.ts";

const server = createServer((request, response) => {
  const chunks: Buffer[] = [];
  request.on("data", (chunk: Buffer) => chunks.push(chunk));
  request.on("end", () => {
    const { payload } = JSON.parse(Buffer.concat(chunks).toString()) as { payload: unknown };
    response.writeHead(200, { "content-type": "application/json" });
    response.end(JSON.stringify({ result: { echo: payload, readAt: performance.timeOrigin + performance.now() } }));
  });
});
server.keepAliveTimeout = 60_000;
await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));

answerCalls({ port: () => (server.address() as AddressInfo).port }, async () => {
  server.closeAllConnections();
  server.close();
});
