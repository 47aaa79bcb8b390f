import { once } from "node:events";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { eventually } from "@signalbox/testing/eventually.ts";
import { expect, test } from "vitest";
import { buildLog } from "./log.ts";
import type { DeliveryPace } from "./log-delivery.ts";

type Received = { n: number; message: string; count?: number };
type Answer = (lines: string[], request: IncomingMessage, response: ServerResponse) => void;

const quick: Partial<DeliveryPace> = {
  intervalMs: 5,
  timeoutMs: 300,
  patienceMs: 50,
  retryMinMs: 5,
  retryMaxMs: 20,
  reportMs: 10,
};

const take: Answer = (lines, _request, response) =>
  void response.writeHead(202).end(JSON.stringify({ accepted: lines.length, rejected: [] }));
const refuse =
  (status: number, headers = {}): Answer =>
  (_lines, _request, response) =>
    void response.writeHead(status, headers).end("{}");

/** A strict stand-in of the logging service: what it took is in `stored`, by the contract's rules. */
async function standIn() {
  const state = { answer: take as Answer, posts: 0, stored: [] as Received[], sizes: [] as number[] };
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    const lines = Buffer.concat(chunks).toString("utf8").trimEnd().split("\n");
    state.posts++;
    state.sizes.push(lines.length);
    if (request.url !== "/log" || request.headers["x-internal-key"] !== "key")
      return refuse(401)(lines, request, response);
    response.once("finish", () => {
      if (response.statusCode !== 202) return;
      for (const { message, data } of lines.map((line) => JSON.parse(line))) state.stored.push({ message, ...data });
    });
    state.answer(lines, request, response);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const close = async () => {
    server.closeAllConnections();
    if (server.listening) await new Promise((resolve) => server.close(resolve));
  };
  return {
    state,
    url: `http://127.0.0.1:${port}`,
    close,
    reopen: async () => {
      server.listen(port, "127.0.0.1");
      await once(server, "listening");
    },
    [Symbol.asyncDispose]: close,
  };
}

async function rig(options: { spool?: boolean; pace?: Partial<DeliveryPace>; key?: string } = {}) {
  const logging = await standIn();
  const dir = await mkdtemp(join(tmpdir(), "signalbox-delivery-"));
  const printed: string[] = [];
  const build = () =>
    buildLog({
      service: "test",
      level: "info",
      format: "json",
      print: (text) => void printed.push(text),
      delivery: { url: logging.url, internalKey: options.key ?? "key", spoolDir: options.spool === false ? null : dir },
      pace: { ...quick, ...options.pace },
    });
  const handle = build();
  let n = 0;
  return {
    ...handle,
    build,
    logging,
    dir,
    printed,
    write: (count: number, log = handle.log) => {
      for (let at = 0; at < count; at++) log.info({ n: n++ }, "x");
    },
    numbers: () => logging.state.stored.filter(({ message }) => message === "x").map((line) => line.n),
    async [Symbol.asyncDispose]() {
      await handle.close(100);
      await logging.close();
      await rm(dir, { recursive: true, force: true });
    },
  };
}

const upTo = (count: number) => Array.from({ length: count }, (_, at) => at);

test.concurrent("lines arrive in order, in batches of at most 500", async () => {
  await using test = await rig();
  test.write(2_345);
  await test.flush();
  expect(test.numbers()).toEqual(upTo(2_345));
  expect(Math.max(...test.logging.state.sizes)).toBe(500);
  expect(test.logging.state.posts).toBeLessThanOrEqual(7);
});

test.concurrent("a lone line is sent at once", async () => {
  await using test = await rig({ pace: { intervalMs: 60_000 } });
  test.write(1);
  await eventually(() => test.numbers().length === 1);
});

test.concurrent("while nobody is there lines go to disk, and come in order when somebody is back", async () => {
  await using test = await rig();
  await test.logging.close();
  test.write(700);
  await eventually(() => test.spooled() === 700);
  test.write(300);
  await eventually(() => test.spooled() === 1_000);
  await test.logging.reopen();
  test.write(500);
  await eventually(() => test.numbers().length === 1_500);
  expect(test.numbers()).toEqual(upTo(1_500));
  await eventually(() => test.spooled() === 0);
  await eventually(async () => (await readdir(test.dir)).length === 0);
  expect(test.dropped()).toBe(0);
});

test.concurrent("a service that takes the request and never answers costs one timeout, and nothing is lost", async () => {
  await using test = await rig();
  test.logging.state.answer = () => undefined;
  test.write(10);
  await eventually(() => test.spooled() === 10);
  test.logging.state.answer = take;
  await eventually(() => test.numbers().length === 10);
  expect(test.numbers()).toEqual(upTo(10));
});

test.concurrent("a batch whose answer was lost is sent again with the same lines", async () => {
  await using test = await rig();
  const bodies: string[][] = [];
  test.logging.state.answer = (lines, request, response) => {
    bodies.push(lines);
    if (bodies.length === 1) request.socket.destroy();
    else take(lines, request, response);
  };
  test.write(5);
  await eventually(() => test.numbers().length === 5);
  expect(bodies[1]).toEqual(bodies[0]);
});

test.concurrent("what one process leaves on disk the next one delivers first", async () => {
  await using test = await rig();
  await test.logging.close();
  test.write(50);
  await test.close();
  expect(test.dropped()).toBe(0);
  await test.logging.reopen();
  const next = test.build();
  test.write(5, next.log);
  await eventually(() => test.numbers().length === 55);
  expect(test.numbers()).toEqual(upTo(55));
  await next.close();
});

test.concurrent("close delivers what is waiting, and a second close is the same one", async () => {
  await using test = await rig({ pace: { intervalMs: 60_000 } });
  test.write(1);
  await eventually(() => test.numbers().length === 1);
  test.write(1_200);
  await Promise.all([test.close(), test.close()]);
  expect(test.numbers()).toEqual(upTo(1_201));
  test.write(1);
  expect(test.dropped()).toBe(1);
  expect(test.printed).toHaveLength(1_202);
});

test.concurrent("close does not wait for a service that hangs, what it holds goes to disk", async () => {
  await using test = await rig({ pace: { timeoutMs: 60_000 } });
  test.logging.state.answer = () => undefined;
  test.write(20);
  await eventually(() => test.logging.state.posts === 1);
  const from = performance.now();
  await test.close(200);
  expect(performance.now() - from).toBeLessThan(20_000);
  expect(test.spooled()).toBe(20);
});

test.concurrent("without a spool memory is bounded, drops are counted, and the count is logged", async () => {
  await using test = await rig({ spool: false, pace: { queueRows: 100 } });
  await test.logging.close();
  test.write(250);
  expect(test.dropped()).toBe(150);
  await test.logging.reopen();
  await eventually(() => test.logging.state.stored.some(({ message }) => message === "log records dropped"));
  expect(test.numbers()).toEqual(upTo(100));
  const told = test.logging.state.stored.filter(({ message }) => message === "log records dropped");
  expect(told.reduce((sum, { count = 0 }) => sum + count, 0)).toBe(150);
  expect(test.dropped()).toBe(150);
});

test.concurrent("rejected records are counted and never sent again", async () => {
  await using test = await rig();
  test.logging.state.answer = (lines, _request, response) => {
    const isReport = lines.some((line) => line.includes("log records dropped"));
    const rejected = isReport
      ? []
      : [
          { index: 0, message: "bad" },
          { index: 2, message: "bad" },
        ];
    response.writeHead(202).end(JSON.stringify({ accepted: lines.length - rejected.length, rejected }));
  };
  test.write(5);
  await test.flush();
  expect(test.dropped()).toBe(2);
  await eventually(() => test.logging.state.stored.some(({ count }) => count === 2));
  expect(test.numbers()).toEqual(upTo(5));
});

test.concurrent("a batch that is too large is halved until it fits, in order; a line that never fits is dropped", async () => {
  await using test = await rig();
  test.logging.state.answer = (lines, request, response) => {
    const isTooLarge = lines.length > 60 || lines.some((line) => line.includes('"n":77}'));
    (isTooLarge ? refuse(413) : take)(lines, request, response);
  };
  test.write(100);
  await test.flush();
  expect(test.numbers()).toEqual(upTo(100).filter((n) => n !== 77));
  expect(test.dropped()).toBe(1);
});

test.concurrent.each([400, 401, 403, 404])(
  "a %d is not repeated: the lines are dropped and counted",
  async (status) => {
    await using test = await rig();
    test.logging.state.answer = refuse(status);
    test.write(10);
    await test.flush();
    expect(test.dropped()).toBe(10);
    test.logging.state.answer = take;
    test.write(1);
    await eventually(() => test.numbers().length === 1);
  },
);

test.concurrent("a busy service is asked again when it said, and not before", async () => {
  await using test = await rig({ spool: false });
  const times: number[] = [];
  test.logging.state.answer = (lines, request, response) => {
    times.push(performance.now());
    (times.length === 1 ? refuse(429, { "retry-after": "1" }) : take)(lines, request, response);
  };
  test.write(3);
  await eventually(() => test.numbers().length === 3);
  expect((times[1] ?? 0) - (times[0] ?? 0)).toBeGreaterThan(950);
});

test.concurrent("a flood that logging takes too slowly goes through the disk, in order, within bounded memory", async () => {
  await using test = await rig({ pace: { queueRows: 2_000, timeoutMs: 60_000 } });
  let mostSpooled = 0;
  const held: (() => void)[] = [];
  test.logging.state.answer = (...asked) => void held.push(() => take(...asked));
  // At most 500 lines are taken for every 1,200 that are written.
  for (let written = 1_200; written <= 12_000; written += 1_200) {
    test.write(1_200);
    const answer = await eventually(() => held.shift(), { everyMs: 1, what: "a batch" });
    answer();
    // Lines whose answer is on its way count twice here, so up to a batch more may be in memory.
    const inMemory = () => written - test.spooled() - test.numbers().length;
    await eventually(() => inMemory() <= 500, { everyMs: 1, what: "lines to leave memory" });
    mostSpooled = Math.max(mostSpooled, test.spooled());
  }
  test.logging.state.answer = take;
  for (const answer of held) answer();
  await eventually(() => test.numbers().length === 12_000);
  expect(test.numbers()).toEqual(upTo(12_000));
  expect(mostSpooled).toBeGreaterThan(1_000);
  expect(test.dropped()).toBe(0);
});
