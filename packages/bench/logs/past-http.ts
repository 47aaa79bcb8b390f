import pg from "pg";
import { runAtOnce } from "../run-at-once.ts";
import { type BenchRecord, columns, inBatches, toRow, types } from "./records.ts";

/*
 * The same rows into the same table from the same client, without a service in between: nothing is checked, nothing is hidden,
 * nobody is told.
 */

export type PastHttp = {
  /** One statement for each batch, so many connections at once. Seconds. */
  unnest(records: readonly BenchRecord[], batchRows: number, atOnce: number): Promise<number>;
  /** One COPY for each batch; one batch with everything is a stream. Seconds. */
  copy(records: readonly BenchRecord[], batchRows: number, atOnce: number): Promise<number>;
  query(text: string, values?: unknown[]): Promise<pg.QueryResult>;
  close(): Promise<void>;
};

const insert = `insert into logs (${columns}) select * from unnest(${types.map((type, n) => `$${n + 1}::${type}[]`).join(", ")})`;

export function openPastHttp(url: string): PastHttp {
  const pool = new pg.Pool({ connectionString: url, max: 8 });
  pool.on("error", () => undefined);
  const inTurns = async (all: BenchRecord[][], atOnce: number, work: (batch: BenchRecord[]) => Promise<unknown>) => {
    const from = performance.now();
    await runAtOnce(all.length, atOnce, async (n) => void (await work(all[n] ?? [])));
    return (performance.now() - from) / 1_000;
  };
  return {
    unnest: (records, batchRows, atOnce) =>
      inTurns(inBatches(records, batchRows), atOnce, (batch) => {
        const rows = batch.map(toRow);
        const values = types.map((_, column) => rows.map((row) => row[column]));
        return pool.query({ name: "bench_unnest", text: insert, values });
      }),
    copy: (records, batchRows, atOnce) =>
      inTurns(inBatches(records, batchRows), atOnce, (batch) => copyIn(pool, batch)),
    query: (text, values) => pool.query(text, values),
    close: () => pool.end(),
  };
}

/** What node-pg hands to a query that speaks for itself. */
type Connection = { query(text: string): void; sendCopyFromChunk(chunk: Buffer): void; endCopyFrom(): void };

/** COPY in node-pg: the server says that it listens, gets everything, and says that it has it. */
class CopyIn {
  readonly done: Promise<void>;
  readonly #rows: readonly BenchRecord[];
  #resolve: () => void = () => undefined;
  #reject: (error: unknown) => void = () => undefined;

  constructor(rows: readonly BenchRecord[]) {
    this.#rows = rows;
    this.done = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
  }

  submit(connection: Connection): void {
    connection.query(`copy logs (${columns}) from stdin`);
  }

  handleCopyInResponse(connection: Connection): void {
    for (const part of inBatches(this.#rows, 500)) connection.sendCopyFromChunk(Buffer.from(part.map(toText).join("")));
    connection.endCopyFrom();
  }

  handleCommandComplete(): void {
    this.#resolve();
  }

  handleError(error: unknown): void {
    this.#reject(error);
  }

  handleReadyForQuery(): void {
    this.#resolve();
  }
}

function toText(record: BenchRecord): string {
  return `${toRow(record).map(escapeText).join("\t")}\n`;
}

function escapeText(value: string | number | null): string {
  if (value === null) return "\\N";
  return String(value).replaceAll("\\", "\\\\").replaceAll("\t", "\\t").replaceAll("\n", "\\n").replaceAll("\r", "\\r");
}

async function copyIn(pool: pg.Pool, batch: readonly BenchRecord[]): Promise<void> {
  const client = await pool.connect();
  try {
    const copy = new CopyIn(batch);
    client.query(copy as unknown as pg.Submittable);
    await copy.done;
  } finally {
    client.release();
  }
}
