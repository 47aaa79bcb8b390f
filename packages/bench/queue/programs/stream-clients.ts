/** Many clients of a live stream in one process: raw sockets, so that receiving costs little beside what is measured. */
import { randomBytes } from "node:crypto";
import { connect, type Socket } from "node:net";
import { answerCalls } from "@signalbox/testing/calls.ts";
import { FrameCounter } from "./frame-counter.ts";

export type Address = { port: number; path: string; authorization: string };
export type Received = { least: number; most: number; gaps: number };

type Client = { socket: Socket; counter: FrameCounter };

let clients: Client[] = [];
let latencies: number[] = [];
let awaited: { total: number; resolve(at: number): void; arrived: Promise<number> } | null = null;
let total = 0;

/** A masked pong without content. */
const pong = Buffer.from([0x8a, 0x80, 0, 0, 0, 0]);

function open(address: Address, isMeasuring: boolean): Promise<Client> {
  const { promise, resolve, reject } = Promise.withResolvers<Client>();
  const socket = connect(address.port, "127.0.0.1").setNoDelay(true);
  const counter = new FrameCounter(() => void socket.write(pong), isMeasuring ? noteLatency : null);
  let head: Buffer | null = Buffer.alloc(0);
  socket.once("error", reject);
  socket.on("data", (chunk: Buffer) => {
    if (head === null) return take(counter, chunk);
    head = Buffer.concat([head, chunk]);
    const end = head.indexOf("\r\n\r\n");
    if (end < 0) return;
    if (!head.subarray(0, 12).toString().endsWith("101")) return reject(new Error(head.toString().slice(0, 200)));
    const first = head.subarray(end + 4);
    head = null;
    take(counter, first);
    resolve({ socket, counter });
  });
  socket.write(toHandshake(address));
  return promise;
}

function toHandshake({ port, path, authorization }: Address): string {
  const key = randomBytes(16).toString("base64");
  const lines = [`GET ${path} HTTP/1.1`, `host: 127.0.0.1:${port}`, "connection: upgrade", "upgrade: websocket"];
  const rest = ["sec-websocket-version: 13", `sec-websocket-key: ${key}`, `authorization: ${authorization}`, "", ""];
  return [...lines, ...rest].join("\r\n");
}

function take(counter: FrameCounter, chunk: Buffer): void {
  const before = counter.tasks;
  counter.take(chunk);
  total += counter.tasks - before;
  if (awaited !== null && total >= awaited.total) awaited.resolve(performance.timeOrigin + performance.now());
}

/** From the event's own time, in whole milliseconds, to here. */
function noteLatency(payload: Buffer): void {
  const { event } = JSON.parse(payload.toString()) as { event: { at: string } };
  latencies.push(performance.timeOrigin + performance.now() - Date.parse(event.at));
}

async function openSome(address: Address, count: number, isMeasuring: boolean): Promise<Client[]> {
  const opened: Client[] = [];
  for (let at = 0; at < count; at++) opened.push(await open(address, isMeasuring));
  return opened;
}

answerCalls(
  {
    async open(address: Address, count: number) {
      clients.push(...(await openSome(address, count, false)));
    },
    async follow(address: Address) {
      clients.push(...(await openSome(address, 1, true)));
    },
    /** Clients that are there and never read again. */
    async stall(address: Address, count: number) {
      const opened = await openSome(address, count, false);
      for (const { socket } of opened) socket.pause();
      clients.push(...opened);
    },
    /** From now on so many task frames count, of all clients together; to be answered before the first of them is caused. */
    expectFrames(count: number): void {
      const { promise: arrived, resolve } = Promise.withResolvers<number>();
      awaited = { total: total + count, resolve, arrived };
    },
    /** The time at which the last of them was here. */
    framesArrived(): Promise<number> {
      if (awaited === null) throw new Error("no frames are expected");
      return awaited.arrived;
    },
    received(): Received {
      const counts = clients.map(({ counter }) => counter.tasks);
      const gaps = clients.reduce((sum, { counter }) => sum + counter.gaps, 0);
      return { least: Math.min(...counts), most: Math.max(...counts), gaps };
    },
    takeLatencies(): number[] {
      const taken = latencies;
      latencies = [];
      return taken;
    },
    closeAll() {
      for (const { socket } of clients) socket.destroy();
      clients = [];
      awaited = null;
    },
  },
  async () => {
    for (const { socket } of clients) socket.destroy();
  },
);
