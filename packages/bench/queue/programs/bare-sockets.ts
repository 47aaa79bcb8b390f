/** The least that a fan-out could be: one prepared frame, written to every socket by a loop. */
import { createServer, type Server, type Socket } from "node:net";
import { setImmediate as turn } from "node:timers/promises";
import { answerCalls } from "@signalbox/testing/calls.ts";

const sockets = new Set<Socket>();
/** More than this waits for a client that reads slowly, as in the product's own loop. */
const maxPendingBytes = 262_144;

const server: Server = createServer((socket) => {
  socket.setNoDelay(true);
  socket.on("error", () => socket.destroy());
  socket.on("close", () => sockets.delete(socket));
  socket.once("data", () => {
    socket.write("HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n");
    sockets.add(socket);
  });
});
await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));

/** A text frame of this many bytes that begins like a task frame. */
function toFrame(bytes: number): Buffer {
  const payload = `{"type":"task","cursor":"`.padEnd(bytes - 2, "x").concat(`"}`);
  const head = Buffer.from([0x81, 126, bytes >> 8, bytes & 0xff]);
  return Buffer.concat([head, Buffer.from(payload)]);
}

let frame: Buffer = Buffer.alloc(0);
let events = 0;

const isBehind = () => [...sockets].some((socket) => socket.writableLength > maxPendingBytes);

answerCalls(
  {
    port: () => (server.address() as { port: number }).port,
    prepare(count: number, bytes: number) {
      [frame, events] = [toFrame(bytes), count];
    },
    /** Frame by frame: one to every socket in each turn of the event loop. */
    async publish() {
      for (let event = 0; event < events; event++) {
        for (const socket of sockets) socket.write(frame);
        do await turn();
        while (isBehind());
      }
    },
  },
  async () => {
    for (const socket of sockets) socket.destroy();
    server.close();
  },
);
