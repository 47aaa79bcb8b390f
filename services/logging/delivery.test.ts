import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buildLog, type LogHandle } from "@signalbox/common/log.ts";
import { freshDatabase, type TestDatabase } from "@signalbox/testing/database.ts";
import { eventually } from "@signalbox/testing/eventually.ts";
import { findFreePort } from "@signalbox/testing/free-port.ts";
import { startProcess } from "@signalbox/testing/service-process.ts";
import { expect, test } from "vitest";
import { fixtureEnv, get, internalKey, startLogging } from "./logging.fixture.ts";

async function tempDir() {
  const dir = await mkdtemp(join(tmpdir(), "signalbox-delivery-"));
  return { dir, [Symbol.asyncDispose]: () => rm(dir, { recursive: true, force: true }) };
}

/** The real service as a process on a port of its own, that can be killed and started again. */
async function loggingProcess(database: TestDatabase) {
  const port = await findFreePort();
  const url = `http://127.0.0.1:${port}`;
  const env = { ...fixtureEnv, HOST: "127.0.0.1", PORT: String(port), DATABASE_URL: database.url };
  let running: ReturnType<typeof startProcess> | null = null;
  return {
    url,
    async start() {
      running = startProcess({ main: "services/logging/main.ts", env });
      await eventually(async () => (await get(url, "/health")).status === 200, { timeoutMs: 20_000, what: "logging" });
    },
    stop: (signal: NodeJS.Signals) => running?.stop(signal),
    async [Symbol.asyncDispose]() {
      await running?.stop("SIGKILL");
    },
  };
}

type Sender = { service: string; url: string; spoolDir: string | null };

function sender({ service, url, spoolDir }: Sender): LogHandle {
  const pace = { patienceMs: 200, retryMaxMs: 300 };
  return buildLog({
    service,
    level: "info",
    format: "json",
    print: () => undefined,
    delivery: { url, internalKey, spoolDir },
    pace,
  });
}

async function stored(database: TestDatabase, service: string): Promise<number[]> {
  const { rows } = await database.pool.query(
    "select (data->>'n')::int as n from logs where service = $1 and data ? 'n' order by seq",
    [service],
  );
  return rows.map(({ n }) => n);
}

const upTo = (count: number) => Array.from({ length: count }, (_, n) => n);

test("logging is killed again and again under three senders: every record is there once, in its sender's order", async () => {
  await using database = await freshDatabase();
  await using temp = await tempDir();
  await using logging = await loggingProcess(database);
  const services = ["a", "b", "c"];
  const senders = services.map((service) => sender({ service, url: logging.url, spoolDir: temp.dir }));
  let n = 0;
  const write = (count: number) => {
    for (let at = 0; at < count; at++, n++) for (const { log } of senders) log.info({ n }, "record");
  };
  // The first lines wait for a service that is not there yet.
  write(50);
  await logging.start();
  for (let round = 0; round < 3; round++) {
    for (let burst = 0; burst < 10; burst++) {
      write(200);
      await new Promise((resolve) => setImmediate(resolve));
      if (burst === 4 + round) await logging.stop("SIGKILL");
    }
    await eventually(() => senders.every(({ spooled }) => spooled() > 0));
    write(100);
    await logging.start();
  }
  await eventually(() => senders.every(({ spooled }) => spooled() === 0), { timeoutMs: 20_000 });
  await Promise.all(senders.map(({ flush }) => flush()));
  for (const service of services) expect(await stored(database, service)).toEqual(upTo(n));
  expect(senders.map(({ dropped }) => dropped())).toEqual([0, 0, 0]);
  await Promise.all(senders.map(({ close }) => close()));
  expect(await readdir(temp.dir)).toEqual([]);
});

test("a sender that ends while logging is away loses nothing: its next life delivers the spool", async () => {
  await using database = await freshDatabase();
  await using temp = await tempDir();
  await using logging = await loggingProcess(database);
  const options = { service: "a", url: logging.url, spoolDir: temp.dir };
  const first = sender(options);
  for (let n = 0; n < 300; n++) first.log.info({ n }, "record");
  await first.close();
  expect(first.dropped()).toBe(0);
  await logging.start();
  const second = sender(options);
  for (let n = 300; n < 400; n++) second.log.info({ n }, "record");
  await eventually(async () => (await stored(database, "a")).length === 400);
  expect(await stored(database, "a")).toEqual(upTo(400));
  await second.close();
});

test("SIGTERM to logging answers what it has taken: nothing is sent twice into the void", async () => {
  await using database = await freshDatabase();
  await using temp = await tempDir();
  await using logging = await loggingProcess(database);
  await logging.start();
  const one = sender({ service: "a", url: logging.url, spoolDir: temp.dir });
  for (let n = 0; n < 2_000; n++) one.log.info({ n }, "record");
  expect(await logging.stop("SIGTERM")).toEqual({ code: 0, signal: null });
  await logging.start();
  await eventually(async () => (await stored(database, "a")).length === 2_000, { timeoutMs: 20_000 });
  expect(await stored(database, "a")).toEqual(upTo(2_000));
  await one.close();
});

test.concurrent("a record is stored as it was written, secrets and trace included", async () => {
  await using logging = await startLogging();
  const one = sender({ service: "a", url: logging.url, spoolDir: null });
  const traceId = "4bf92f3577b34da6a3ce929d0e0e4736";
  one.log.child({ traceId, taskType: "echo" }).warn({ n: 1, apiKey: "hunter2" }, "with a \u0000 and half a \ud800");
  await one.flush();
  const [log] = await logging.list();
  expect(log).toMatchObject({
    level: "warn",
    service: "a",
    message: "with a \ufffd and half a \ufffd",
    traceId,
    data: { n: 1, apiKey: "[redacted]", taskType: "echo" },
  });
  await one.close();
});
