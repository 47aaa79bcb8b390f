/** A whole logging service on a database of its own, and clients of it; for tests only. */
import type { ErrorReply } from "@signalbox/common/contracts/errors.ts";
import type { Log, LogList, LogReceipt } from "@signalbox/common/contracts/log.ts";
import { buildConfigReport, ensureConfig } from "@signalbox/common/settings.ts";
import { freshDatabase, type TestDatabase } from "@signalbox/testing/database.ts";
import { eventually } from "@signalbox/testing/eventually.ts";
import { request } from "undici";
import { buildApp } from "./app.ts";
import { settings } from "./settings.ts";

export const basic = `Basic ${Buffer.from("operator:a-test-password").toString("base64")}`;
export const internalKey = "test-internal-key";

export const fixtureEnv = {
  BASIC_AUTH_USER: "operator",
  BASIC_AUTH_PASS: "a-test-password",
  INTERNAL_KEY: internalKey,
  LOG_LEVEL: "fatal",
};

/** The body has what the test says, or the error; which of them it is, is what the test expects of it. */
export type Reply<T> = {
  status: number;
  body: T & ErrorReply;
  headers: Record<string, string | string[] | undefined>;
};

type StartOptions = { env?: Record<string, string>; database?: TestDatabase };

export async function startLogging({ env: extra = {}, database: given }: StartOptions = {}) {
  const database = given ?? (await freshDatabase());
  const env = { PORT: "0", DATABASE_URL: database.url, ...fixtureEnv, ...extra };
  const app = buildApp(ensureConfig(settings, env), () => buildConfigReport(settings, env));
  await app.start();
  const url = `http://127.0.0.1:${app.port()}`;
  return {
    app,
    url,
    database,
    post: (body: unknown, type = "application/json") => post(url, body, type),
    postLines: (lines: readonly unknown[]) =>
      post(
        url,
        lines.map((line) => (typeof line === "string" ? line : JSON.stringify(line))).join("\n"),
        "application/x-ndjson",
      ),
    get: <T = LogList>(path: string) => get<T>(url, path),
    metrics: async () => (await request(`${url}/metrics`, { headers: { authorization: basic } })).body.text(),
    async list(query = ""): Promise<Log[]> {
      return (await get<LogList>(url, `/logs?limit=1000&${query}`)).body.items;
    },
    follow: (query = "", after: number | null = null) => follow(url, query, after),
    async [Symbol.asyncDispose]() {
      await app.stop();
      if (!given) await database[Symbol.asyncDispose]();
    },
  };
}

export type Logging = Awaited<ReturnType<typeof startLogging>>;

export async function get<T = LogList>(url: string, path: string): Promise<Reply<T>> {
  return toReply(await request(url + path, { headers: { authorization: basic } }));
}

async function post(url: string, body: unknown, type = "application/json"): Promise<Reply<LogReceipt>> {
  const bytes = typeof body === "string" || body instanceof Uint8Array ? body : JSON.stringify(body);
  const headers = { "x-internal-key": internalKey, "content-type": type };
  return toReply(await request(`${url}/log`, { method: "POST", headers, body: bytes }));
}

async function toReply<T>(response: Awaited<ReturnType<typeof request>>): Promise<Reply<T>> {
  const text = await response.body.text();
  return { status: response.statusCode, body: text === "" ? null : JSON.parse(text), headers: response.headers };
}

/** One block of the stream; `log` only on records. */
export type Block = { id: number | null; event: string | null; log: Log | null; comment: boolean };

/** A client of the stream that notes every block. */
async function follow(url: string, query = "", after: number | null = null) {
  const end = new AbortController();
  const response = await request(`${url}/logs/stream?${query}`, {
    headers: { "x-internal-key": internalKey, ...(after === null ? {} : { "last-event-id": String(after) }) },
    signal: end.signal,
  });
  const blocks: Block[] = [];
  const read = (async () => {
    if (response.statusCode !== 200) return void (await response.body.dump());
    const decoder = new TextDecoder();
    let rest = "";
    for await (const chunk of response.body) {
      const parts = (rest + decoder.decode(chunk as Buffer, { stream: true })).split("\n\n");
      rest = parts.pop() ?? "";
      blocks.push(...parts.map(parseBlock));
    }
  })().catch(() => undefined);
  const logs = () => blocks.flatMap(({ log }) => (log ? [log] : []));
  return {
    status: response.statusCode,
    headers: response.headers,
    blocks,
    logs,
    messages: () => logs().map(({ message }) => message),
    /** The last id that was seen, as an EventSource would send it back. */
    position: () => blocks.findLast(({ id }) => id !== null)?.id ?? null,
    until: (isSo: () => boolean, what = "the stream's records") => eventually(isSo, { what, everyMs: 5 }),
    ended: read,
    async [Symbol.asyncDispose]() {
      end.abort();
      await read;
    },
  };
}

function parseBlock(text: string): Block {
  const block: Block = { id: null, event: null, log: null, comment: text.startsWith(":") };
  for (const line of text.split("\n")) {
    if (line.startsWith("id: ")) block.id = Number(line.slice(4));
    if (line.startsWith("event: ")) block.event = line.slice(7);
    if (line.startsWith("data: ") && block.event === null) block.log = JSON.parse(line.slice(6));
  }
  return block;
}
