/** Clients that post prepared requests over kept connections: asking costs little beside answering. A program of its own. */
import { connect, type Socket } from "node:net";
import { answerCalls } from "@signalbox/testing/calls.ts";

export type Wanted = {
  port: number;
  path: string;
  headers: Record<string, string>;
  /** one for each request, or one for all of them */
  bodies: readonly string[];
  count: number;
  atOnce: number;
  /** any other answer ends all */
  status: number;
};

const headEnd = Buffer.from("\r\n\r\n");

function toRequest({ path, headers }: Wanted, body: string): Buffer {
  const named = { host: "127.0.0.1", ...headers, "content-length": String(Buffer.byteLength(body)) };
  const lines = Object.entries(named).map(([name, value]) => `${name}: ${value}`);
  return Buffer.from([`POST ${path} HTTP/1.1`, ...lines, "", body].join("\r\n"));
}

/** Seconds until all are answered as wanted. */
async function post(wanted: Wanted): Promise<number> {
  const { port, count, atOnce, status } = wanted;
  const requests = wanted.bodies.map((body) => toRequest(wanted, body));
  let next = 0;
  const takeNext = () => (next < count ? requests[next++ % requests.length] : undefined);
  const startedAt = performance.now();
  await Promise.all(Array.from({ length: atOnce }, () => keepAsking(connect(port, "127.0.0.1"), takeNext, status)));
  return (performance.now() - startedAt) / 1_000;
}

/** One request after the other, as long as there is another one. */
function keepAsking(socket: Socket, takeNext: () => Buffer | undefined, status: number): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  let rest: Buffer | null = null;
  const ask = () => {
    const request = takeNext();
    if (request) return void socket.write(request);
    socket.destroy();
    resolve();
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
    if (bytes.toString("latin1", 9, 12) === String(status)) return ask();
    socket.destroy();
    reject(new Error(`not answered with ${status}: ${bytes.toString("latin1", 0, 300)}`));
  });
  return promise;
}

answerCalls({ post }, async () => undefined);
