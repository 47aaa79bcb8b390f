import { encodeCursor } from "@signalbox/common/cursor.ts";
import { freshDatabase } from "@signalbox/testing/database.ts";
import { eventually } from "@signalbox/testing/eventually.ts";
import { type ServiceProcess, startService } from "@signalbox/testing/service-process.ts";
import { expect, test } from "vitest";

const key = "the-internal-key";
const env = { BASIC_AUTH_USER: "operator", BASIC_AUTH_PASS: "a-test-password", INTERNAL_KEY: key, LOG_LEVEL: "fatal" };

async function write({ url }: ServiceProcess, from: number, count: number): Promise<void> {
  const lines = Array.from({ length: count }, (_, at) => ({
    level: "info",
    service: "writer",
    message: `${from + at}`,
  }));
  const response = await fetch(`${url}/log`, {
    method: "POST",
    headers: { "x-internal-key": key, "content-type": "application/json" },
    body: JSON.stringify(lines),
  });
  expect(response.status).toBe(202);
}

type Visit = { cursor: string | null; numbers: number[]; leave(): Promise<void> };

async function readBlocks(response: Response, onData: (data: string) => void): Promise<void> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const chunk of response.body ?? []) {
    const blocks = (rest + decoder.decode(chunk as Uint8Array, { stream: true })).split("\n\n");
    rest = blocks.pop() ?? "";
    for (const block of blocks) {
      const data = /^data: (.*)$/m.exec(block)?.[1];
      if (data !== undefined) onData(data);
    }
  }
}

function note(seen: Visit, data: string): void {
  const frame = JSON.parse(data) as { type: string; cursor: string; log?: { message: string } };
  expect(frame.type).not.toBe("gap");
  seen.cursor = frame.cursor;
  if (frame.log) seen.numbers.push(Number(frame.log.message));
}

/** A client that notes each frame as its type, or as the message of the record that it shows; it leaves at the end of its scope. */
async function watch({ url }: ServiceProcess, since = "") {
  const end = new AbortController();
  const headers = { "x-internal-key": key };
  const response = await fetch(`${url}/stream?types=log${since}`, { headers, signal: end.signal });
  const shown: string[] = [];
  const reading = readBlocks(response, (data) => {
    const frame = JSON.parse(data) as { type: string; log?: { message: string } };
    shown.push(frame.log?.message ?? frame.type);
  }).catch((error: unknown) => {
    if (!end.signal.aborted) throw error;
  });
  return {
    shown,
    until: (last: string) => eventually(() => shown.at(-1) === last, { what: last }),
    async [Symbol.asyncDispose]() {
      end.abort();
      await reading;
    },
  };
}

async function startBoth(databaseUrl: string) {
  const logging = await startService({ main: "services/logging/main.ts", env: { ...env, DATABASE_URL: databaseUrl } });
  const orchestrator = await startService({
    main: "services/orchestrator/main.ts",
    env: { ...env, DATABASE_URL: databaseUrl, LOGGING_URL: logging.url },
  });
  return {
    logging,
    orchestrator,
    async [Symbol.asyncDispose]() {
      await Promise.all([orchestrator[Symbol.asyncDispose](), logging[Symbol.asyncDispose]()]);
    },
  };
}

/** A client of the orchestrator's stream that notes the records it is shown, and the cursor it could come back with. */
async function visit({ url }: ServiceProcess, since: string | null): Promise<Visit> {
  const end = new AbortController();
  const query = since === null ? "" : `&since=${since}`;
  const headers = { "x-internal-key": key };
  const response = await fetch(`${url}/stream?types=log${query}`, { headers, signal: end.signal });
  const seen: Visit = { cursor: since, numbers: [], leave };
  const reading = readBlocks(response, (data) => note(seen, data)).catch((error: unknown) => {
    if (!end.signal.aborted) throw error;
  });
  async function leave(): Promise<void> {
    end.abort();
    await reading;
  }
  await eventually(() => seen.cursor !== null);
  return seen;
}

test("whoever comes and goes sees each record once and in order, although nobody reads them meanwhile", async () => {
  await using database = await freshDatabase();
  await using both = await startBoth(database.url);
  const { logging, orchestrator } = both;

  const seen: number[] = [];
  let written = 0;
  const writeMore = async (count: number) => {
    await write(logging, written, count);
    written += count;
  };
  let cursor = await visit(orchestrator, null).then(async (first) => {
    await first.leave();
    return first.cursor;
  });
  for (let round = 0; round < 12; round++) {
    // Nobody watches; then somebody comes in the middle of a write, and leaves in the middle of the next.
    await writeMore(30);
    const writing = writeMore(30);
    const client = await visit(orchestrator, cursor);
    await writing;
    if (round % 3 === 0) await eventually(() => client.numbers.length >= 60);
    const next = writeMore(30);
    await client.leave();
    await next;
    seen.push(...client.numbers);
    cursor = client.cursor;
  }
  const last = await visit(orchestrator, cursor);
  await eventually(() => seen.length + last.numbers.length >= written, { timeoutMs: 20_000 });
  await last.leave();
  expect([...seen, ...last.numbers]).toEqual(Array.from({ length: written }, (_, n) => n));

  // While nobody watches the orchestrator is still told where the log stands, and begins a new client there.
  await writeMore(50);
  const fresh = await visit(orchestrator, null);
  await writeMore(10);
  await eventually(() => fresh.numbers.includes(written - 1));
  await fresh.leave();
  expect(fresh.numbers.slice(-10)).toEqual(Array.from({ length: 10 }, (_, n) => written - 10 + n));
});

test("a log that was restored is told as a gap, to who is there and to who comes back, and goes on from there", async () => {
  await using database = await freshDatabase();
  await using both = await startBoth(database.url);
  const { logging, orchestrator } = both;
  await using there = await watch(orchestrator);
  await there.until("hello");
  await write(logging, 0, 4);
  await there.until("3");
  await database.pool.query(
    "delete from logs where message in ('2', '3'); select setval('logs_seq', (select max(seq) from logs))",
  );
  await there.until("gap");
  await using back = await watch(orchestrator, `&since=${encodeCursor([0, 9_000_001])}`);
  await back.until("gap");
  await write(logging, 4, 2);
  await Promise.all([there.until("5"), back.until("5")]);
  expect(there.shown).toEqual(["hello", "0", "1", "2", "3", "gap", "4", "5"]);
  expect(back.shown).toEqual(["hello", "gap", "4", "5"]);
});
