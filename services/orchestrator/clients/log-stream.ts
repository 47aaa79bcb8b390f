/** Reads the logging service's resumable stream: server-sent events whose ids are the records' decimal numbers. */
import type { Log } from "@signalbox/common/contracts/log.ts";
import { Connections, request } from "@signalbox/common/http-client.ts";

export type LogItem =
  | { kind: "log"; seq: number; log: Log; text: string }
  /** Everything up to this number has been seen. */
  | { kind: "position"; seq: number }
  /** Records between the asked and the next number are gone: retention has dropped them. */
  | { kind: "gap" };

export type LogFilter = { level?: string; service?: string; traceId?: string; correlationId?: string; taskId?: string };

export type FollowOptions = {
  after: number | null;
  filter?: LogFilter;
  positionsOnly?: boolean;
  signal: AbortSignal;
};

export type LogStreamClient = {
  /**
   * Follows the stream until the signal or the connection ends.
   *
   * @param after number of the last record that is known; null starts from now
   * @param positionsOnly only where the log stands: reading, sending and parsing records that nobody sees costs three services
   * @throws Error when the service cannot be reached, refuses, or goes silent
   */
  follow(options: FollowOptions): AsyncGenerator<LogItem>;
  close(): Promise<void>;
};

/** The service sends a heartbeat every 15 s; twice that is silence. */
const silenceMs = 30_000;
const maxLineBytes = 4_194_304;

export function buildLogStreamClient(options: { url: string; internalKey: string }): LogStreamClient {
  const connections = new Connections({ connect: { timeout: 3_000 }, headersTimeout: 5_000, bodyTimeout: silenceMs });
  return {
    async *follow({ after, filter, positionsOnly = false, signal }) {
      const url = new URL("/logs/stream", options.url);
      if (positionsOnly) url.searchParams.set("positions", "true");
      for (const [key, value] of Object.entries(filter ?? {}))
        if (value !== undefined) url.searchParams.set(key, value);
      const response = await request(url, {
        dispatcher: connections,
        signal,
        headers: {
          accept: "text/event-stream",
          "x-internal-key": options.internalKey,
          ...(after === null ? {} : { "last-event-id": String(after) }),
        },
      });
      if (response.statusCode !== 200) {
        await response.body.dump();
        throw new Error(`the logging service answered ${response.statusCode} to its stream`);
      }
      yield* parseEvents(response.body as AsyncIterable<Buffer>);
    },
    close: () => connections.destroy(),
  };
}

async function* parseEvents(chunks: AsyncIterable<Buffer>): AsyncGenerator<LogItem> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const chunk of chunks) {
    rest += decoder.decode(chunk, { stream: true });
    const blocks = rest.split("\n\n");
    rest = blocks.pop() ?? "";
    if (rest.length > maxLineBytes) throw new Error("the logging service sent an endless event");
    for (const block of blocks) {
      const item = parseBlock(block);
      if (item) yield item;
    }
  }
}

function parseBlock(block: string): LogItem | null {
  const fields: Record<string, string> = {};
  for (const line of block.split("\n")) {
    const colon = line.indexOf(":");
    if (colon > 0) fields[line.slice(0, colon)] = line.slice(colon + 1).replace(/^ /, "");
  }
  if (fields.event === "gap") return { kind: "gap" };
  if (fields.id === undefined) return null;
  const seq = Number(fields.id);
  if (!Number.isSafeInteger(seq)) throw new Error("the logging service sent an id that is no number");
  if (fields.data === undefined) return { kind: "position", seq };
  return { kind: "log", seq, log: JSON.parse(fields.data) as Log, text: fields.data };
}
