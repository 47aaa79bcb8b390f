/**
 * Stores records of many requests with few statements: what came in while a statement ran goes into the next one. At once when
 * idle, at most two statements under way, at most 2,000 rows each. A request is answered when all its records are committed.
 * It is never spread over two statements at once, so the records of a sender keep their order. While what waits is beyond its
 * bounds new requests are refused; what a request that was let in has left to store is not, or its sender would have to send
 * what is stored already again.
 */
import { buildBatches } from "@signalbox/common/batches.ts";
import { rateLimited } from "@signalbox/common/errors.ts";
import type { NewLog } from "../record.ts";
import { type Outcome, type RecordStore, storeRecords } from "./store-records.ts";

export type Ingest = {
  /** @throws ApiError 429 when too much is waiting for one more request */
  admit(): void;
  /**
   * Resolves when all are committed; an outcome for each, in their order.
   *
   * @throws ApiError 503 when the database is away
   */
  submit(records: readonly NewLog[]): Promise<Outcome[]>;
  waiting(): { rows: number; bytes: number };
};

export type IngestOptions = {
  store: RecordStore;
  /** After each statement: how many rows it was given and how many were new. */
  onStored(given: number, stored: number): void;
  bounds?: { rows: number; bytes: number };
};

type Request = {
  records: readonly NewLog[];
  bytes: number;
  resolve(outcomes: Outcome[]): void;
  reject(error: unknown): void;
};

const statement = { rows: 2_000, bytes: 2_097_152 };
const statementsAtOnce = 2;
/** The objects around a row, in bytes. */
const rowOverhead = 300;

export function buildIngest({ store, onStored, bounds = { rows: 12_000, bytes: 6_291_456 } }: IngestOptions): Ingest {
  const queue: Request[] = [];
  const waiting = { rows: 0, bytes: 0 };
  const take = () => takeBatch(queue);
  const { schedule } = buildBatches({ writesAtOnce: statementsAtOnce, take, write });

  function count(request: Request, sign: 1 | -1): void {
    waiting.rows += sign * request.records.length;
    waiting.bytes += sign * request.bytes;
  }

  /** Never rejects: a failure goes to the requests that it concerns. */
  async function write(batch: readonly Request[]): Promise<void> {
    for (const request of batch) count(request, -1);
    try {
      const outcomes: Outcome[] = [];
      for (const part of toParts(batch.flatMap(({ records }) => records))) {
        outcomes.push(...(await storeRecords(store, part, onStored)));
      }
      let from = 0;
      for (const { records, resolve } of batch) {
        resolve(outcomes.slice(from, from + records.length));
        from += records.length;
      }
    } catch (error) {
      for (const { reject } of batch) reject(error);
    }
  }

  return {
    waiting: () => ({ ...waiting }),
    admit() {
      if (waiting.rows < bounds.rows && waiting.bytes < bounds.bytes) return;
      throw rateLimited("Too many records wait to be stored; send them again in a moment.", 1);
    },
    submit(records) {
      if (records.length === 0) return Promise.resolve([]);
      const bytes = records.reduce((sum, record) => sum + sizeOf(record), 0);
      return new Promise((resolve, reject) => {
        const request = { records, bytes, resolve, reject };
        queue.push(request);
        count(request, 1);
        schedule();
      });
    },
  };
}

/** As many whole requests as fit into one statement; at least one. */
function takeBatch(queue: Request[]): Request[] {
  let rows = 0;
  let bytes = 0;
  let end = 0;
  for (const request of queue) {
    rows += request.records.length;
    bytes += request.bytes;
    if (end > 0 && (rows > statement.rows || bytes > statement.bytes)) break;
    end++;
  }
  return queue.splice(0, end);
}

/** A large request takes several statements, one after the other. */
function toParts(records: readonly NewLog[]): NewLog[][] {
  const parts: NewLog[][] = [];
  let part: NewLog[] = [];
  let bytes = 0;
  for (const record of records) {
    bytes += sizeOf(record);
    if (part.length === statement.rows || (part.length > 0 && bytes > statement.bytes)) {
      parts.push(part);
      part = [];
      bytes = sizeOf(record);
    }
    part.push(record);
  }
  return [...parts, part];
}

function sizeOf({ row }: NewLog): number {
  return rowOverhead + row.length;
}
