import { type AddressInfo, createServer, type Socket } from "node:net";
import { createClient } from "@redis/client";
import { eventually } from "@signalbox/testing/eventually.ts";
import { findFreePort } from "@signalbox/testing/free-port.ts";
import { type RedisServer, redisProgram, redisTitle, startRedis } from "@signalbox/testing/redis-server.ts";
import { expect, test } from "vitest";
import { describeDoorbell, type Exchange, openBell } from "./doorbell.fixture.ts";
import { buildRedisDoorbell } from "./redis-doorbell.ts";

const isThere = redisProgram !== null;
const fact = test.runIf(isThere);

/** What an operator asks of the server. */
async function ask(server: RedisServer, ...command: string[]): Promise<unknown> {
  const client = createClient({ url: server.url });
  await client.connect();
  try {
    return await client.sendCommand(command);
  } finally {
    client.destroy();
  }
}

function build(url: string, self: string) {
  const errors: unknown[] = [];
  const returns: string[] = [];
  const bell = buildRedisDoorbell({
    url,
    self,
    onAway: (error) => errors.push(error),
    onBack: () => returns.push(self),
  });
  return { bell, errors, returns, end: async () => undefined };
}

async function openServer(): Promise<Exchange & { server: RedisServer }> {
  const server = await startRedis();
  return {
    server,
    build: (self) => build(server.url, self),
    async cut() {
      await ask(server, "CLIENT", "KILL", "SKIPME", "yes", "TYPE", "pubsub");
    },
    async listening() {
      const counts = (await ask(server, "PUBSUB", "NUMSUB", "news")) as [string, number];
      return Number(counts[1]);
    },
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

describeDoorbell(redisTitle, isThere, openServer);

fact(
  `${redisTitle}: while the server is away a ring is heard here, one warning is enough, and it comes back by itself`,
  async () => {
    await using exchange = await openServer();
    await using one = await openBell(exchange, "one");
    await using two = await openBell(exchange, "two");
    await exchange.server.stop();
    await eventually(() => one.errors.length === 1, { what: "the warning" });
    for (let at = 0; at < 50; at++) one.bell.ring("news");
    expect(one.heard.news).toBe(50);
    // Several tries to come back fail meanwhile.
    const port = exchange.server.port;
    const tries: number[] = [];
    const door = createServer((socket) => {
      tries.push(performance.now());
      socket.destroy();
    });
    await new Promise<void>((resolve) => door.listen(port, "127.0.0.1", resolve));
    await eventually(() => tries.length >= 6, { what: "more tries" });
    expect([one.errors.length, two.errors.length]).toEqual([1, 1]);
    await new Promise((resolve) => door.close(resolve));
    await exchange.server.start();
    const before = two.heard.news;
    await eventually(() => one.heard.news > 50 && two.heard.news > before, {
      timeoutMs: 20_000,
      what: "the call for what was missed",
    });
    const heard = two.heard.news;
    one.bell.ring("news");
    await eventually(() => two.heard.news > heard, { what: "a ring" });
    // The next outage is told again.
    await exchange.server.stop();
    await eventually(() => one.errors.length === 2, { what: "the next warning" });
  },
);

test("a Redis that is not there at the start keeps nobody from starting, and is told of once", async () => {
  const { bell, errors, returns } = build(`redis://127.0.0.1:${await findFreePort()}`, "one");
  let heard = 0;
  bell.on("news", () => heard++);
  await bell.start();
  bell.ring("news");
  expect([heard, errors.length, returns.length]).toEqual([1, 1, 0]);
  await bell.stop();
});

/** Takes connections and never says a word. */
async function startSilent() {
  const open: Socket[] = [];
  const server = createServer((socket) => {
    open.push(socket.resume().on("error", () => undefined));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `redis://127.0.0.1:${(server.address() as AddressInfo).port}`,
    open,
    async [Symbol.asyncDispose]() {
      for (const socket of open) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

test("a server that takes the connection and says nothing keeps nobody from starting or stopping, and is told of", async () => {
  await using silent = await startSilent();
  const patient = build(silent.url, "one");
  patient.bell.on("news", () => undefined);
  await patient.bell.start();
  expect(patient.errors).toEqual([new Error("Redis does not answer")]);
  await patient.bell.stop();
  const hasty = build(silent.url, "two");
  hasty.bell.on("news", () => undefined);
  const started = hasty.bell.start();
  await eventually(() => silent.open.length === 2, { what: "a connection" });
  await hasty.bell.stop();
  await started;
  await eventually(() => silent.open.every((socket) => socket.closed), { what: "no connection" });
  expect(hasty.errors).toEqual([]);
});

fact(`${redisTitle}: a wrong password is told without it`, async () => {
  await using server = await startRedis({ password: "the-right-word" });
  const { bell, errors } = build(`redis://:a-wrong-word@127.0.0.1:${server.port}`, "one");
  bell.on("news", () => undefined);
  await bell.start();
  expect(String(errors[0])).toContain("WRONGPASS");
  expect(String(errors[0])).not.toContain("word@");
  await bell.stop();
  const right = build(`redis://:the-right-word@127.0.0.1:${server.port}/3`, "two");
  right.bell.on("news", () => undefined);
  await right.bell.start();
  expect(right.errors).toEqual([]);
  await right.bell.stop();
});
