import type { QueueBounds } from "./log-queue.ts";
import type { Spool, SpooledLines } from "./spool.ts";

/** The spool read in batches: remembers how far the oldest segment has been delivered. */
export class Backlog {
  readonly #spool: Spool;
  #segment: SpooledLines | null = null;
  #next = 0;
  #lost = 0;

  constructor(spool: Spool) {
    this.#spool = spool;
  }

  /** Not delivered yet. */
  get rows(): number {
    return Math.max(0, this.#spool.rows - this.#next);
  }

  get bytes(): number {
    return this.#spool.bytes;
  }

  adopt(): Promise<void> {
    return this.#spool.adopt();
  }

  append(lines: readonly string[]): Promise<number> {
    return this.#spool.append(lines);
  }

  appendNow(lines: readonly string[]): number {
    return this.#spool.appendNow(lines);
  }

  /** The oldest lines within the bounds; none when the oldest segment cannot be read, which is then gone. */
  async peek(most: QueueBounds): Promise<string[]> {
    this.#segment ??= await this.#spool.oldest();
    if (!this.#segment) return [];
    const { lines, lost } = this.#segment;
    this.#lost += lost;
    this.#segment = { ...this.#segment, lost: 0 };
    const batch = firstWithin(lines, this.#next, most);
    if (batch.length === 0) await this.#finishSegment();
    return batch;
  }

  async drop(count: number): Promise<void> {
    this.#next += count;
    if (this.#segment && this.#next >= this.#segment.lines.length) await this.#finishSegment();
  }

  /** Rows that were on disk and could not be read back, since the last call. */
  takeLost(): number {
    const lost = this.#lost;
    this.#lost = 0;
    return lost;
  }

  close(): Promise<void> {
    return this.#spool.close();
  }

  /** Forgets it before it waits for the disk: the rows of other segments would read as delivered meanwhile. */
  async #finishSegment(): Promise<void> {
    const finished = this.#segment;
    this.#segment = null;
    this.#next = 0;
    await finished?.remove();
  }
}

function firstWithin(lines: readonly string[], from: number, most: QueueBounds): string[] {
  let bytes = 0;
  let end = from;
  while (end < lines.length && end - from < most.rows) {
    bytes += Buffer.byteLength(lines[end] ?? "") + 1;
    if (bytes > most.bytes && end > from) break;
    end++;
  }
  return lines.slice(from, end);
}
