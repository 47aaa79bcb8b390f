import type { Pool } from "@signalbox/common/sql.ts";

/** What node-pg hands to a query that speaks for itself. */
type Connection = {
  stream: { cork(): void; uncork(): void };
  query(text: string): void;
  sendCopyFromChunk(chunk: Buffer): void;
  endCopyFrom(): void;
};

type Callback = (error: unknown, result?: { rowCount: number }) => void;

const signature = Buffer.from("PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0", "latin1");
const endMark = Buffer.from([0xff, 0xff]);

/**
 * COPY of rows in binary: one statement that stores all of them or none. How many it stored.
 *
 * @param text `copy … from stdin (format binary)`
 */
export async function copyIn(pool: Pool, text: string, rows: readonly Buffer[]): Promise<number> {
  const copy = new CopyIn(text, rows);
  const { rowCount } = (await pool.query(copy as never)) as unknown as { rowCount: number };
  return rowCount;
}

/** node-pg calls its methods, and has put its own `callback` there. */
class CopyIn {
  callback: Callback | undefined;
  readonly #text: string;
  readonly #rows: readonly Buffer[];
  #rowCount = 0;

  constructor(text: string, rows: readonly Buffer[]) {
    this.#text = text;
    this.#rows = rows;
  }

  submit(connection: Connection): void {
    connection.query(this.#text);
  }

  handleCopyInResponse(connection: Connection): void {
    connection.stream.cork();
    connection.sendCopyFromChunk(signature);
    for (const piece of joinNeighbours(this.#rows)) connection.sendCopyFromChunk(piece);
    connection.sendCopyFromChunk(endMark);
    connection.endCopyFrom();
    connection.stream.uncork();
  }

  handleCommandComplete({ text }: { text: string }): void {
    this.#rowCount = Number(text.split(" ")[1]);
  }

  handleError(error: unknown): void {
    this.callback?.(error);
  }

  handleReadyForQuery(): void {
    this.callback?.(null, { rowCount: this.#rowCount });
  }
}

/** Rows that lie one behind the other in memory, as one piece. */
export function joinNeighbours(rows: readonly Buffer[]): Buffer[] {
  const pieces: Buffer[] = [];
  for (const row of rows) {
    const last = pieces.at(-1);
    if (last && last.buffer === row.buffer && last.byteOffset + last.length === row.byteOffset) {
      pieces[pieces.length - 1] = Buffer.from(row.buffer, last.byteOffset, last.length + row.length);
    } else pieces.push(row);
  }
  return pieces;
}
