import { once } from "node:events";
import { connect } from "node:net";
import { freshDatabase, ownCluster } from "@signalbox/testing/database.ts";
import { eventually } from "@signalbox/testing/eventually.ts";
import pg from "pg";
import { expect, test } from "vitest";
import { internalKey, type Logging, startLogging } from "./logging.fixture.ts";

const record = (message: string, more: object = {}) => ({ level: "info", service: "test", message, ...more });
const names = (prefix: string, count: number) => Array.from({ length: count }, (_, n) => `${prefix}${n}`);
const postAll = (logging: Logging, messages: string[]) => logging.postLines(messages.map((message) => record(message)));

test.concurrent("a client hears where it starts, then each new record once, with growing decimal ids", async () => {
  await using logging = await startLogging();
  await using follower = await logging.follow();
  expect(follower.headers["content-type"]).toBe("text/event-stream; charset=utf-8");
  await follower.until(() => follower.blocks.length > 0);
  expect(follower.blocks[0]).toEqual({ id: expect.any(Number), event: null, log: null, comment: false });

  await postAll(logging, names("m", 1_200));
  await follower.until(() => follower.messages().length === 1_200);
  expect(follower.messages()).toEqual(names("m", 1_200));
  const ids = follower.blocks.map(({ id }) => id ?? 0);
  expect(ids).toEqual([...ids].sort((a, b) => a - b));
  expect(follower.logs()[0]).toEqual((await logging.get(`/logs/${follower.logs()[0]?.id}`)).body);
});

test.concurrent("a client that comes back hears exactly what it missed, then that it is level, then live", async () => {
  await using logging = await startLogging();
  await using first = await logging.follow();
  await postAll(logging, names("a", 3));
  await first.until(() => first.messages().length === 3);
  const known = first.position();
  await postAll(logging, names("b", 1_300));
  await first.until(() => first.messages().length === 1_303);

  await using second = await logging.follow("", known);
  await second.until(() => second.messages().length === 1_300);
  await second.until(() => second.blocks.at(-1)?.log === null);
  await postAll(logging, ["c"]);
  await second.until(() => second.messages().length === 1_301);
  expect(second.messages()).toEqual([...names("b", 1_300), "c"]);

  await using bySince = await logging.follow(`since=${known}`);
  await bySince.until(() => bySince.messages().length === 1_301);
});

test.concurrent("from zero everything that is kept is replayed", async () => {
  await using logging = await startLogging();
  await postAll(logging, names("m", 50));
  await using follower = await logging.follow("", 0);
  await follower.until(() => follower.messages().length === 50);
  expect(follower.blocks.filter(({ event }) => event === "gap")).toEqual([]);
});

test.concurrent("filters hold for what is replayed and for what is live, and the position moves on without a match", async () => {
  await using logging = await startLogging();
  const lines = (n: number) => [
    record(`no${n}`),
    record(`yes${n}`, { level: "error", data: { where: "Zürich" } }),
    record(`no${n}`, { level: "fatal" }),
  ];
  await logging.postLines(lines(1));
  await using follower = await logging.follow("level=error&q=z%C3%BCrich", 0);
  await follower.until(() => follower.messages().length === 1);
  await logging.postLines(lines(2));
  await follower.until(() => follower.messages().length === 2);
  expect(follower.messages()).toEqual(["yes1", "yes2"]);

  await using none = await logging.follow("service=nobody", 0);
  await none.until(() => none.position() === 6);
  expect(none.messages()).toEqual([]);
});

test.concurrent.each(["x", "-1", "1.5", "007", "99999999999999999999"])("Last-Event-ID %s is a 400", async (id) => {
  await using logging = await startLogging();
  await using follower = await logging.follow(`since=${id}`);
  expect(follower.status).toBe(400);
});

test.concurrent("a position that this log never had is told as a gap, and the client goes on from now", async () => {
  await using logging = await startLogging();
  await using follower = await logging.follow("", 1_000_000);
  await follower.until(() => follower.blocks.length >= 2);
  expect(follower.blocks.map(({ event, id }) => event ?? id)).toEqual(["gap", 0]);
  await postAll(logging, ["new"]);
  await follower.until(() => follower.messages().length === 1);
  expect(follower.messages()).toEqual(["new"]);
});

test.concurrent("who asks for positions alone is told each of them, and no record", async () => {
  await using logging = await startLogging();
  await using silent = await logging.follow("positions=true");
  await silent.until(() => silent.position() !== null);
  await logging.post({ level: "info", service: "test", message: "one" });
  await using loud = await logging.follow("", 0);
  await loud.until(() => loud.messages().length === 1);
  await silent.until(() => silent.position() === loud.position());
  expect(silent.logs()).toEqual([]);
  expect((await logging.get("/logs/stream?positions=maybe")).status).toBe(400);
});

test.concurrent("without a key or a password there is no stream", async () => {
  await using logging = await startLogging();
  expect((await fetch(`${logging.url}/logs/stream`)).status).toBe(401);
  const auth = Buffer.from("operator:a-test-password").toString("base64");
  const allowed = await fetch(`${logging.url}/logs/stream?auth=${encodeURIComponent(auth)}`);
  expect(allowed.status).toBe(200);
  await allowed.body?.cancel();
});

test.concurrent("a service that stops ends its streams", async () => {
  await using database = await freshDatabase();
  const logging = await startLogging({ database });
  await using follower = await logging.follow();
  await logging.app.stop();
  await follower.ended;
});

test("two services and slow writers: every client, over reconnects, hears each record once and in order", async () => {
  // Its own cluster: the open transactions would hold back the streams of all other tests.
  await using cluster = await ownCluster();
  await using database = await freshDatabase(cluster.url);
  await using one = await startLogging({ database });
  await using other = await startLogging({ database });
  const writer = new pg.Pool({ connectionString: database.url, max: 4 });
  writer.on("error", () => undefined);
  await using steady = await one.follow();
  await steady.until(() => steady.blocks.length > 0);

  const heard: string[] = [];
  let after = steady.position();
  for (let round = 0; round < 12; round++) {
    const logging = round % 2 === 0 ? one : other;
    await using visitor = await logging.follow("", after);
    // A writer that has drawn its numbers and commits late, while others pass it.
    const client = await writer.connect();
    await client.query("begin");
    await client.query(
      "insert into logs (id, at, level, service, message) values (gen_random_uuid(), now(), 2, 'slow', $1)",
      [`slow${round}`],
    );
    await Promise.all([postAll(one, names(`r${round}a`, 40)), postAll(other, names(`r${round}b`, 40))]);
    await client.query(round % 4 === 3 ? "rollback" : "commit");
    client.release();
    // Leaves somewhere in the middle.
    await visitor.until(() => visitor.messages().length >= (round % 3) * 20);
    // It may have left before it heard anything.
    after = visitor.position() ?? after;
    heard.push(...visitor.messages());
  }
  const expected = 12 * 80 + 9;
  await using last = await other.follow("", after);
  await last.until(() => heard.length + last.messages().length >= expected);
  await steady.until(() => steady.messages().length >= expected);
  heard.push(...last.messages());
  await writer.end();

  const { rows } = await database.pool.query("select message from logs order by seq");
  const stored = rows.map(({ message }) => message);
  expect(stored).toHaveLength(expected);
  expect(steady.messages()).toEqual(stored);
  expect(heard).toEqual(stored);
});

test("a client that does not read costs bounded memory, hears everything once it reads, and holds up nobody", async () => {
  await using logging = await startLogging();
  await using quick = await logging.follow();
  const slow = connect(Number(new URL(logging.url).port), "127.0.0.1");
  slow.write(`GET /logs/stream HTTP/1.1\r\nhost: x\r\nx-internal-key: ${internalKey}\r\nlast-event-id: 0\r\n\r\n`);
  await once(slow, "data");
  slow.pause();

  const batch = Array.from({ length: 400 }, (_, n) => record(`${n} ${"x".repeat(10_000)}`));
  for (let round = 0; round < 10; round++)
    expect((await logging.postLines(batch)).body).toMatchObject({ accepted: 400 });
  await quick.until(() => quick.messages().length === 4_000);
  const pending = Number(/^signalbox_stream_pending_bytes\S* (\S+)$/m.exec(await logging.metrics())?.[1]);
  expect(pending).toBeGreaterThan(100_000);
  expect(pending).toBeLessThan(2 * 1_048_576 + 20_000);

  const seen: number[] = [];
  let rest = "";
  slow.setEncoding("utf8").on("data", (chunk: string) => {
    const lines = (rest + chunk).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) {
      const number = /"message":"(\d+) /.exec(line)?.[1];
      if (number !== undefined) seen.push(Number(number));
    }
  });
  slow.resume();
  await eventually(() => seen.length >= 4_000, { what: "all records at the slow client" });
  expect(seen).toEqual(Array.from({ length: 4_000 }, (_, n) => n % 400));
  slow.destroy();
});
