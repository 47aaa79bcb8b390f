/** The live stream's clients. One tail a process reads each new record once, and its text is made once for all of them. */
import type { Log, LogFilter } from "@signalbox/common/contracts/log.ts";
import { rest, type Tail } from "@signalbox/common/tail.ts";
import type { StoredLog } from "../store/read-logs.ts";
import type { Store } from "../store.ts";
import { toRecordBlock } from "../stream-text.ts";
import { type Sink, StreamClient } from "./stream-client.ts";

/** What the tail reads; `log` is null when nobody listened, and only the number was asked for. */
export type TailRow = { seq: number; log: Log | null };

/** New records between two positions. */
export type Page = {
  after: number;
  upTo: number;
  /** null: not read */
  rows: readonly StoredLog[] | null;
  /** All of them as one text, made once. */
  shared(): Buffer;
};

export type OpenStream = {
  filter: LogFilter;
  /** Wants to know where the log stands, and none of its records. */
  isSilent: boolean;
  /** The last position that the client knows; null starts from now. */
  after: number | null;
  hasGap: boolean;
  sink: Sink;
  signal: AbortSignal;
};

const heartbeatMs = 15_000;
const maxClients = 2_000;

export type LogStreams = ReturnType<typeof buildStreams>;

export function buildStreams({
  store,
  tail,
}: {
  store: Pick<Store, "readAfter" | "readTail" | "latestSeq">;
  tail: () => Tail;
}) {
  const clients = new Set<StreamClient>();
  let published = 0;
  let readers = 0;

  return {
    count: () => clients.size,
    isFull: () => clients.size >= maxClients,
    /** What all clients together have not read yet. */
    pendingBytes: () => [...clients].reduce((sum, client) => sum + client.pendingBytes, 0),
    position: () => tail().position(),
    /** Resolves when the tail knows where it is. */
    started: () => tail().started,

    async readTail(after: number, upTo: number, limit: number): Promise<TailRow[]> {
      if (readers > 0) {
        const rows = await store.readTail({ after, upTo, limit });
        // Large records make a page shorter than the tail would know; there may be more at once.
        if (rows.length > 0 && rows.length < limit && (rows.at(-1)?.seq ?? upTo) < upTo) tail().ring();
        return rows;
      }
      const seq = await store.latestSeq(upTo);
      return seq > after ? [{ seq, log: null }] : [];
    },

    /** Called by the tail with each page, in order of `seq`. */
    publish(rows: readonly TailRow[]): void {
      const page = toPage(published, rows);
      published = page.upTo;
      for (const client of clients) client.offer(page);
    },

    /** The log has lost what came after this number. */
    rewind(position: number): void {
      published = position;
      for (const client of clients) client.rewind(position);
    },

    /** Serves one client until it is gone or the signal comes. */
    async open({ after, hasGap, ...wanted }: OpenStream): Promise<void> {
      const position = () => tail().position();
      const client = new StreamClient({ ...wanted, position, readAfter: store.readAfter }, after);
      clients.add(client);
      readers += wanted.isSilent ? 0 : 1;
      try {
        await client.run({ hasGap });
      } finally {
        clients.delete(client);
        readers -= wanted.isSilent ? 0 : 1;
      }
    },

    async beat(signal: AbortSignal): Promise<void> {
      while (!signal.aborted) {
        await rest(heartbeatMs, signal);
        if (!signal.aborted) for (const client of clients) client.heartbeat();
      }
    },
  };
}

function toPage(after: number, rows: readonly TailRow[]): Page {
  const isRead = rows.every((row): row is StoredLog => row.log !== null);
  let text: Buffer | null = null;
  return {
    after,
    upTo: rows.at(-1)?.seq ?? after,
    rows: isRead ? rows : null,
    shared() {
      text ??= Buffer.from(isRead ? rows.map(({ seq, log }) => toRecordBlock(seq, log)).join("") : "");
      return text;
    },
  };
}
