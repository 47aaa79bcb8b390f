/**
 * Lines on disk, for as long as nobody takes them: append-only segments of about a megabyte, read whole and in order, removed
 * once delivered. What one process leaves behind the next one of the same service takes over.
 *
 * A segment belongs to the live process whose pid its name carries. Taking over is one rename, so of two that try one wins;
 * the new number stands before the taker's own numbers, which keeps the order. A crash at each step:
 *   - in an append: the last line is torn, has no newline, and is not counted as a line;
 *   - after delivery, before removal: the segment is delivered again, and the receiver knows the ids;
 *   - in a take-over: the segment has the old name or the new one, and either belongs to a dead process.
 * Nothing is fsynced: the promise is to survive the process, not the machine. The folder is this machine's own.
 */
import { appendFileSync, mkdirSync } from "node:fs";
import { type FileHandle, mkdir, open, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { claimStart, findLeftovers, fitLines, readLines, releaseStart, toFileName } from "./spool-files.ts";

export type SpoolOptions = {
  dir: string;
  service: string;
  /** of all segments held by this spool; beyond it nothing more is kept */
  maxBytes?: number;
  segmentBytes?: number;
  /** Unix ms, part of the segments' names; default now */
  startedAt?: number;
};

/** The oldest segment's lines, and how many of its rows could not be read back. */
export type SpooledLines = { lines: string[]; lost: number; remove(): Promise<void> };

type Segment = { path: string; rows: number; bytes: number };
type OpenSegment = { handle: FileHandle; segment: Segment };

const firstOwnNumber = 100_000;

/** Nothing here throws: a full or broken disk keeps nothing, and the counts say so. Calls must not overlap. */
export class Spool {
  readonly #options: Required<SpoolOptions>;
  readonly #numbers = { adopted: 0, own: firstOwnNumber };
  #adopted: Segment[] = [];
  #own: Segment[] = [];
  #current: OpenSegment | null = null;

  constructor(options: SpoolOptions) {
    const startedAt = claimStart(options.startedAt ?? Date.now());
    this.#options = { maxBytes: 67_108_864, segmentBytes: 1_048_576, ...options, startedAt };
  }

  get rows(): number {
    return this.#sum("rows");
  }

  get bytes(): number {
    return this.#sum("bytes");
  }

  /** Takes over what dead processes of this service left. */
  async adopt(): Promise<void> {
    const files = await findLeftovers(this.#options.dir, this.#options.service);
    // Another process may have been faster with any of them.
    for (const file of files) await this.#adoptFile(file).catch(() => undefined);
  }

  /** Writes the lines that fit, in order; how many those were. */
  async append(lines: readonly string[]): Promise<number> {
    const fitting = fitLines(lines, this.#room());
    if (fitting.length === 0) return 0;
    try {
      await this.#write(`${fitting.join("\n")}\n`, fitting.length);
      return fitting.length;
    } catch (error) {
      // A limit on the size of files lets less than this pass; a full disk lets nothing pass.
      return hasCode(error, "EFBIG") ? this.append(fitting.slice(0, fitting.length / 2)) : 0;
    }
  }

  /** The same at once, for the last moment of a process. */
  appendNow(lines: readonly string[]): number {
    const fitting = fitLines(lines, this.#room());
    if (fitting.length === 0) return 0;
    try {
      mkdirSync(this.#options.dir, { recursive: true, mode: 0o700 });
      // A file of its own: a write to the open one may be under way.
      appendFileSync(this.#nextPath("own"), `${fitting.join("\n")}\n`, { mode: 0o600 });
      return fitting.length;
    } catch {
      return 0;
    }
  }

  async oldest(): Promise<SpooledLines | null> {
    const segment = this.#adopted[0] ?? this.#own[0];
    if (!segment) return null;
    if (segment === this.#current?.segment) await this.#seal();
    const lines = await readLines(segment.path).catch(() => []);
    return { lines, lost: Math.max(0, segment.rows - lines.length), remove: () => this.#remove(segment) };
  }

  async close(): Promise<void> {
    await this.#seal();
    releaseStart(this.#options.startedAt);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #sum(key: "rows" | "bytes"): number {
    return [...this.#adopted, ...this.#own].reduce((total, segment) => total + segment[key], 0);
  }

  #room(): number {
    return this.#options.maxBytes - this.#sum("bytes");
  }

  #nextPath(kind: "adopted" | "own"): string {
    const { dir, service, startedAt } = this.#options;
    return join(dir, toFileName({ service, startedAt, pid: process.pid, number: this.#numbers[kind]++ }));
  }

  async #adoptFile(file: string): Promise<void> {
    const path = this.#nextPath("adopted");
    await rename(join(this.#options.dir, file), path);
    const lines = await readLines(path);
    const bytes = lines.reduce((total, line) => total + Buffer.byteLength(line) + 1, 0);
    this.#adopted.push({ path, rows: lines.length, bytes });
  }

  async #write(text: string, rows: number): Promise<void> {
    const { handle, segment } = await this.#openSegment();
    try {
      await handle.appendFile(text);
    } catch (error) {
      // Half a line must not become the head of the next one; and a file that is at its limit takes no more.
      await handle.truncate(segment.bytes).catch(() => undefined);
      await this.#seal();
      throw error;
    }
    segment.rows += rows;
    segment.bytes += Buffer.byteLength(text);
    if (segment.bytes >= this.#options.segmentBytes) await this.#seal();
  }

  async #openSegment(): Promise<OpenSegment> {
    if (this.#current) return this.#current;
    await mkdir(this.#options.dir, { recursive: true, mode: 0o700 });
    const path = this.#nextPath("own");
    const handle = await open(path, "a", 0o600);
    this.#current = { handle, segment: { path, rows: 0, bytes: 0 } };
    this.#own.push(this.#current.segment);
    return this.#current;
  }

  async #seal(): Promise<void> {
    const sealed = this.#current;
    this.#current = null;
    await sealed?.handle.close().catch(() => undefined);
    if (sealed?.segment.rows === 0) await this.#remove(sealed.segment);
  }

  async #remove(segment: Segment): Promise<void> {
    this.#adopted = this.#adopted.filter((other) => other !== segment);
    this.#own = this.#own.filter((other) => other !== segment);
    await rm(segment.path, { force: true }).catch(() => undefined);
  }
}

function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && "code" in error && error.code === code;
}
