/** Clients that post one prepared request again and again over kept connections: asking costs little beside answering. */
import { connect, type Socket } from "node:net";
import { answerCalls } from "@signalbox/testing/calls.ts";
import { asPerson, json } from "../arena.ts";

export type Wanted = { port: number; path: string; count: number; atOnce: number };

const body = JSON.stringify({ type: "echo", payload: { hello: "world", number: 1 } });
const headEnd = Buffer.from("\r\n\r\n");

function toRequest(path: string): Buffer {
  const headers = { host: "127.0.0.1", ...json, ...asPerson, "content-length": String(body.length) };
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}`);
  return Buffer.from([`POST ${path} HTTP/1.1`, ...lines, "", body].join("\r\n"));
}

/** Seconds until all are answered with 201. */
async function post({ port, path, count, atOnce }: Wanted): Promise<number> {
  const request = toRequest(path);
  let left = count;
  const startedAt = performance.now();
  const clients = Array.from({ length: atOnce }, () =>
    keepAsking(connect(port, "127.0.0.1"), request, () => left-- > 0),
  );
  await Promise.all(clients);
  return (performance.now() - startedAt) / 1_000;
}

/** One request after the other, as long as there is another one. */
function keepAsking(socket: Socket, request: Buffer, takeNext: () => boolean): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  let rest: Buffer | null = null;
  const ask = () => {
    if (takeNext()) socket.write(request);
    else {
      socket.destroy();
      resolve();
    }
  };
  socket.setNoDelay(true).once("connect", ask).once("error", reject);
  socket.on("data", (chunk: Buffer) => {
    const bytes = rest === null ? chunk : Buffer.concat([rest, chunk]);
    const end = bytes.indexOf(headEnd);
    const length = end < 0 ? Number.NaN : Number(/content-length: (\d+)/i.exec(bytes.toString("latin1", 0, end))?.[1]);
    if (end < 0 || bytes.length < end + headEnd.length + length) {
      rest = bytes;
      return;
    }
    rest = null;
    if (bytes.toString("latin1", 9, 12) !== "201") return reject(new Error(bytes.toString("latin1", 0, 200)));
    ask();
  });
  return promise;
}

answerCalls({ post }, async () => undefined);
