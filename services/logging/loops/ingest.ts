/**
 * Stores records of many requests with few statements: what came in while a statement ran goes into the next one. At once when
 * idle, at most two statements under way, at most 2,000 rows each. A request is answered when all its records are committed.
 * What waits is bounded by rows and bytes; beyond, requests are refused at once.
 */
import { rateLimited } from "@signalbox/common/errors.ts";
import type { NewLog } from "../record.ts";
import { type Outcome, type RecordStore, storeRecords } from "./store-records.ts";

export type Ingest = {
  /**
   * Resolves when all are committed; an outcome for each, in their order.
   *
   * @throws ApiError 429 when too much is waiting, 503 when the database is away
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

type Request = { outcomes: Outcome[]; open: number; resolve(outcomes: Outcome[]): void; reject(error: unknown): void };
type Entry = { record: NewLog; index: number; request: Request };

const statementRows = 2_000;
const statementBytes = 8_388_608;
const statementsAtOnce = 2;
/** A row's fixed columns and the objects around it. */
const rowOverhead = 500;

export function buildIngest({ store, onStored, bounds = { rows: 50_000, bytes: 50_331_648 } }: IngestOptions): Ingest {
  let queue: Entry[] = [];
  let bytes = 0;
  let running = 0;
  let isScheduled = false;

  function schedule(): void {
    if (isScheduled) return;
    isScheduled = true;
    // What arrives in the same turn of the event loop goes out together.
    setImmediate(() => {
      isScheduled = false;
      pump();
    });
  }

  function pump(): void {
    while (running < statementsAtOnce && queue.length > 0) {
      running++;
      void write(takeBatch()).finally(() => {
        running--;
        pump();
      });
    }
  }

  function takeBatch(): Entry[] {
    let size = 0;
    let end = 0;
    for (; end < queue.length && end < statementRows; end++) {
      const next = sizeOf(queue[end]);
      if (end > 0 && size + next > statementBytes) break;
      size += next;
    }
    const batch = queue.slice(0, end);
    queue = queue.slice(end);
    bytes -= size;
    return batch;
  }

  /** Never rejects: a failure goes to the requests that it concerns. */
  async function write(batch: readonly Entry[]): Promise<void> {
    const records = batch.map(({ record }) => record);
    const stored = await storeRecords(store, records, onStored).catch((error: unknown) => {
      for (const { request } of batch) request.reject(error);
      return null;
    });
    for (const [at, outcome] of stored?.entries() ?? []) settle(batch[at], outcome);
  }

  return {
    waiting: () => ({ rows: queue.length, bytes }),
    submit(records) {
      if (records.length === 0) return Promise.resolve([]);
      const size = records.reduce((sum, record) => sum + sizeOf({ record }), 0);
      const isCrowded = queue.length + records.length > bounds.rows || bytes + size > bounds.bytes;
      // A request that is larger than the bounds is taken when nothing else waits: else it never would be.
      if (isCrowded && queue.length > 0)
        throw rateLimited("Too many records wait to be stored; send them again in a moment.", 1);
      return new Promise((resolve, reject) => {
        const request: Request = {
          outcomes: Array.from({ length: records.length }, () => null),
          open: records.length,
          resolve,
          reject,
        };
        for (const [index, record] of records.entries()) queue.push({ record, index, request });
        bytes += size;
        schedule();
      });
    },
  };
}

function settle(entry: Entry | undefined, outcome: Outcome): void {
  if (!entry) return;
  const { request, index } = entry;
  request.outcomes[index] = outcome;
  request.open--;
  if (request.open === 0) request.resolve(request.outcomes);
}

function sizeOf(entry: { record: NewLog } | undefined): number {
  return entry ? rowOverhead + entry.record.message.length + entry.record.data.length : 0;
}
