import { once } from "node:events";
import type { Server } from "node:http";
import { connect, type Socket } from "node:net";
import { eventually } from "./eventually.ts";

/**
 * Sends bytes as they are and answers everything that comes back until the connection ends: for requests that no
 * proper client would make.
 *
 * @param trickle sends the parts apart, so that the server sees them as separate reads
 */
export function sendRaw(port: number, ...trickle: string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, "127.0.0.1");
    const chunks: Buffer[] = [];
    socket.setTimeout(15_000, () => socket.destroy(new Error("the server neither answered nor closed in 15 s")));
    socket.on("data", (chunk) => chunks.push(chunk));
    socket.on("error", (error) => (chunks.length > 0 ? resolve(Buffer.concat(chunks).toString()) : reject(error)));
    socket.on("close", () => resolve(Buffer.concat(chunks).toString()));
    socket.on("connect", () => {
      for (const [index, part] of trickle.entries()) setTimeout(() => socket.write(part), index * 50);
    });
  });
}

/** The JSON body of a raw answer. */
export function bodyOf(answer: string): { error: { code: string; message: string } } {
  return JSON.parse(answer.slice(answer.indexOf("\r\n\r\n") + 4));
}

/**
 * Begins a GET and ends it only after `meanwhile`: for what happens to a request that had begun before.
 *
 * @returns everything that comes back
 */
export async function sendAround(server: Server, path: string, meanwhile: () => void): Promise<string> {
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("the server does not listen on a port");
  const arrived = once(server, "connection");
  const socket = connect(address.port, "127.0.0.1");
  const chunks: Buffer[] = [];
  socket.on("data", (chunk) => chunks.push(chunk));
  socket.write(`GET ${path} HTTP/1.1\r\nhost: x\r\n`);
  const [accepted] = (await arrived) as [Socket];
  await eventually(() => accepted.bytesRead > 0, { what: "the first bytes" });
  meanwhile();
  socket.write("\r\n");
  await once(socket, "close");
  return Buffer.concat(chunks).toString();
}
