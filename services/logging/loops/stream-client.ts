/**
 * One client of the live stream. It is either live, and gets each page of new records as the tail delivers it, or behind, and
 * reads what it has missed from the table. It falls behind when it begins with a position of its own and when it does not read:
 * then nothing is kept for it but its position, so it costs a megabyte at most. It is live again as soon as its position is the
 * tail's; both are looked at and joined without waiting in between, so nothing falls into a crack.
 */
import type { LogFilter } from "@signalbox/common/contracts/log.ts";
import { rest } from "@signalbox/common/tail.ts";
import { buildMatch } from "../log-match.ts";
import type { SeqRange, StoredLog } from "../store/read-logs.ts";
import { gapBlock, heartbeatBlock, toPositionBlock, toRecordBlock } from "../stream-text.ts";
import type { Page } from "./streams.ts";

/** Where the blocks go. */
export type Sink = {
  write(text: string | Buffer): void;
  /** Bytes that were written and have not left this process. */
  pendingBytes(): number;
  /** Waits until the client has read nearly all; false when it did not in time, or is gone. */
  drained(timeoutMs: number, signal: AbortSignal): Promise<boolean>;
};

export type StreamClientOptions = {
  filter: LogFilter;
  /** Is told where the log stands, page by page, and sent no records. */
  isSilent: boolean;
  sink: Sink;
  /** The tail's position: everything up to it has been delivered. */
  position(): number;
  readAfter(range: SeqRange, filter: LogFilter): Promise<StoredLog[]>;
  signal: AbortSignal;
};

const maxPendingBytes = 1_048_576;
const slowLimitMs = 30_000;
const pageRows = 500;
const quietBytes = 4_096;
/** Numbers that one read goes through: what lets nothing through would else read the whole log in one statement. */
const spanRows = 50_000;
/** A client whose filter lets nothing through is told its position at most this often. */
const quietMs = 1_000;

export class StreamClient {
  readonly #options: StreamClientOptions;
  readonly #match: ReturnType<typeof buildMatch>;
  #position: number;
  #isLive = false;
  #toldAt = 0;
  #wakeUp: () => void = () => undefined;

  constructor(options: StreamClientOptions, after: number | null) {
    this.#options = options;
    this.#match = buildMatch(options.filter);
    this.#position = after ?? options.position();
  }

  get pendingBytes(): number {
    return this.#options.sink.pendingBytes();
  }

  /** Follows until the signal, or until the client has not read for too long. */
  async run({ hasGap }: { hasGap: boolean }): Promise<void> {
    if (hasGap) this.#options.sink.write(gapBlock);
    while (!this.#options.signal.aborted && (await this.#catchUp())) await this.#stayLive();
  }

  /** Called by the tail with each page, in order. */
  offer(page: Page): void {
    if (!this.#isLive) return;
    if (this.#options.isSilent) this.#tellPosition(page.upTo);
    // A page that was not read because nobody listened when it came, or a client that does not read.
    else if (page.rows === null || this.#options.sink.pendingBytes() > maxPendingBytes) this.#fallBehind();
    else {
      this.#send(
        this.#match === null && this.#position <= page.after ? page.shared() : this.#select(page.rows),
        page.upTo,
      );
    }
  }

  /** The log ends here, and what was sent of later numbers is no longer in it. */
  rewind(position: number): void {
    if (this.#position <= position) return;
    this.#position = position;
    this.#options.sink.write(gapBlock + toPositionBlock(position));
  }

  #tellPosition(upTo: number): void {
    this.#position = Math.max(this.#position, upTo);
    // One that does not read needs only the last of them, which the heartbeat repeats.
    if (this.#options.sink.pendingBytes() < quietBytes) this.#options.sink.write(toPositionBlock(this.#position));
  }

  heartbeat(): void {
    if (this.#options.sink.pendingBytes() > maxPendingBytes) return;
    this.#options.sink.write(heartbeatBlock + toPositionBlock(this.#position));
  }

  /** Resolves when it has fallen behind, or the signal comes. */
  #stayLive(): Promise<void> {
    const { signal } = this.#options;
    const { promise, resolve } = Promise.withResolvers<void>();
    if (signal.aborted || !this.#isLive) resolve();
    const end = () => resolve();
    signal.addEventListener("abort", end, { once: true });
    this.#wakeUp = end;
    return promise.finally(() => signal.removeEventListener("abort", end));
  }

  #fallBehind(): void {
    this.#isLive = false;
    this.#wakeUp();
  }

  /** Reads page by page up to the tail's position and goes live there; false when the client does not read, or is gone. */
  async #catchUp(): Promise<boolean> {
    const { sink, signal, position, readAfter, filter } = this.#options;
    while (await sink.drained(slowLimitMs, signal)) {
      const end = position();
      if (this.#options.isSilent) this.#position = Math.max(this.#position, end);
      if (this.#position >= end) {
        sink.write(toPositionBlock(this.#position));
        this.#isLive = true;
        return true;
      }
      const upTo = Math.min(end, this.#position + spanRows);
      const range = { after: this.#position, upTo, limit: pageRows };
      // The database is away or busy: the client keeps its place and waits with us.
      const rows = await readAfter(range, filter).catch(() => null);
      if (rows === null) await rest(500, signal);
      // A page is bounded by bytes too, so only an empty one says that nothing is left below.
      else this.#send(this.#toBlocks(rows), rows.at(-1)?.seq ?? upTo);
    }
    return false;
  }

  #select(rows: readonly StoredLog[]): string {
    const match = this.#match;
    return this.#toBlocks(rows.filter(({ seq, log }) => seq > this.#position && (match === null || match(log))));
  }

  #toBlocks(rows: readonly StoredLog[]): string {
    return rows.map(({ seq, log }) => toRecordBlock(seq, log)).join("");
  }

  #send(blocks: string | Buffer, upTo: number): void {
    this.#position = Math.max(this.#position, upTo);
    const now = performance.now();
    if (blocks.length > 0) this.#options.sink.write(blocks);
    else if (now - this.#toldAt >= quietMs) this.#options.sink.write(toPositionBlock(this.#position));
    else return;
    this.#toldAt = now;
  }
}
