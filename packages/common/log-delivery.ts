/**
 * Brings log lines to the logging service, in order, without ever holding up the process that writes them.
 *
 *   live     lines wait in memory and go out in batches: at once when it was quiet, then every `intervalMs`
 *   backlog  the service was away for longer than `patienceMs`, or memory filled up: lines go to the spool on disk, and the
 *            spool's oldest lines are what is sent, until it is empty
 *
 * A line leaves memory when the service has answered for it, when it is on disk, or when it is dropped; drops are counted and,
 * as soon as there is somebody to tell, logged themselves. A batch whose answer was lost is sent again: its ids are the same,
 * and the receiver stores an id once.
 */
import { setImmediate as nextTick } from "node:timers/promises";
import { Backlog } from "./log-backlog.ts";
import { buildLosses, type Losses, tell } from "./log-losses.ts";
import { buildLogPost, type LogPost, type PostOutcome } from "./log-post.ts";
import { buildLogQueue, type LogQueue, type QueueBounds } from "./log-queue.ts";
import { Spool } from "./spool.ts";

export type DeliveryTarget = { url: string; internalKey: string; spoolDir: string | null };

/** Paces and bounds; tests shorten them. */
export type DeliveryPace = {
  intervalMs: number;
  timeoutMs: number;
  patienceMs: number;
  retryMinMs: number;
  retryMaxMs: number;
  reportMs: number;
  queueRows: number;
  queueBytes: number;
  batchRows: number;
  batchBytes: number;
  spoolBytes: number;
};

const defaultPace: DeliveryPace = {
  intervalMs: 100,
  timeoutMs: 3_000,
  patienceMs: 2_000,
  retryMinMs: 100,
  retryMaxMs: 3_000,
  reportMs: 10_000,
  queueRows: 20_000,
  queueBytes: 16_777_216,
  batchRows: 500,
  batchBytes: 1_000_000,
  spoolBytes: 67_108_864,
};

export type Delivery = {
  push(line: string): void;
  /** Resolves when everything pushed so far has left memory, or after 10 s. */
  flush(): Promise<void>;
  /** Delivers for at most `deadlineMs`, spools the rest, and ends; a second call waits for the first. */
  close(deadlineMs?: number): Promise<void>;
  dropped(): number;
  spooled(): number;
  spooledBytes(): number;
  queued(): number;
};

export type DeliveryOptions = DeliveryTarget & {
  service: string;
  /** where lines are posted; default `/log` */
  path?: string;
  pace?: Partial<DeliveryPace>;
  /** Says through the log itself that lines were dropped; called from outside any push. */
  report(dropped: number): void;
};

export function buildDelivery(options: DeliveryOptions): Delivery {
  const delivery = new LogDelivery(options);
  const ran = delivery.run();
  leaving.add(delivery);
  let closed: Promise<void> | null = null;
  return {
    push: (line) => delivery.push(line),
    flush: () => delivery.flush(),
    close(deadlineMs = 4_000) {
      closed ??= delivery.close(ran, deadlineMs).finally(() => leaving.delete(delivery));
      return closed;
    },
    dropped: () => delivery.dropped,
    spooled: () => delivery.spooled,
    spooledBytes: () => delivery.spooledBytes,
    queued: () => delivery.queued,
  };
}

/** Those that may still hold lines when the process ends, however it ends; one listener for all of them. */
const leaving = new Set<LogDelivery>();
process.on("exit", () => {
  for (const delivery of leaving) delivery.spillNow();
});

/** Where the next batch comes from: memory or disk. */
type Source = { peek(most: QueueBounds): string[] | Promise<string[]>; drop(count: number): void | Promise<void> };

const flushMaxMs = 10_000;
const adoptEveryMs = 60_000;
const spillEveryMs = 250;
const stumbleMs = 1_000;
/** A write that is larger would hold up the loop. */
const spillAtOnce: QueueBounds = { rows: 5_000, bytes: 1_048_576 };
const everything: QueueBounds = { rows: Number.POSITIVE_INFINITY, bytes: Number.POSITIVE_INFINITY };

class LogDelivery {
  readonly #options: DeliveryOptions;
  readonly #pace: DeliveryPace;
  readonly #queue: LogQueue;
  readonly #post: LogPost;
  readonly #backlog: Backlog | null;
  readonly #losses: Losses;
  readonly #gate = buildGate();
  readonly #abort = new AbortController();
  #flushers: { target: number; resolve(): void }[] = [];
  #pushed = 0;
  #isClosing = false;
  #batchRows: number;
  #failures = 0;
  #failingSince = 0;
  #nextAt = 0;
  #adoptAt = 0;
  #spillAt = 0;

  constructor(options: DeliveryOptions) {
    const pace = { ...defaultPace, ...options.pace };
    this.#options = options;
    this.#pace = pace;
    this.#batchRows = pace.batchRows;
    this.#queue = buildLogQueue({ rows: pace.queueRows, bytes: pace.queueBytes });
    this.#post = buildLogPost({
      url: new URL(options.path ?? "/log", options.url).href,
      internalKey: options.internalKey,
      timeoutMs: pace.timeoutMs,
    });
    this.#losses = buildLosses(options.report, pace.reportMs);
    const { spoolDir: dir, service } = options;
    this.#backlog = dir === null ? null : new Backlog(new Spool({ dir, service, maxBytes: pace.spoolBytes }));
  }

  get dropped(): number {
    return this.#losses.total();
  }

  get spooled(): number {
    return this.#backlog?.rows ?? 0;
  }

  get spooledBytes(): number {
    return this.#backlog?.bytes ?? 0;
  }

  get queued(): number {
    return this.#queue.rows();
  }

  push(line: string): void {
    if (this.#abort.signal.aborted || !this.#queue.push(line)) {
      this.#losses.add(1);
      return;
    }
    this.#pushed++;
    const rows = this.#queue.rows();
    if (rows === 1 || rows === this.#pace.batchRows) this.#gate.ring();
  }

  flush(): Promise<void> {
    if (this.#queue.rows() === 0) return Promise.resolve();
    return new Promise((resolve) => {
      this.#flushers.push({ target: this.#pushed, resolve });
      setTimeout(resolve, flushMaxMs).unref();
      this.#gate.ring();
    });
  }

  async run(): Promise<void> {
    while (!this.#isClosing) await this.#step().catch((error) => this.#stumble(error));
  }

  async close(ran: Promise<void>, deadlineMs: number): Promise<void> {
    this.#isClosing = true;
    this.#gate.ring();
    const timer = setTimeout(() => this.#abort.abort(), deadlineMs);
    await ran;
    await this.#sendRest().catch((error) => this.#stumble(error));
    clearTimeout(timer);
    this.#abort.abort();
    await this.#spill();
    const lost = this.#queue.rows();
    if (lost > 0)
      tell(
        `${lost} log records of ${this.#options.service} were dropped at its end: logging is away and the spool took none`,
      );
    this.#losses.add(lost);
    this.#queue.drop(lost);
    this.#settle();
    await this.#backlog?.close();
    this.#post.close();
  }

  /** At the very end of the process: no time to deliver, only to write. */
  spillNow(): void {
    const lines = this.#queue.peek(everything);
    this.#queue.drop(this.#backlog?.appendNow(lines) ?? 0);
  }

  async #step(): Promise<void> {
    await this.#tendSpool();
    if (!this.#hasBacklog() && this.#queue.rows() === 0) {
      await this.#gate.wait(null);
      // Lines of one tick go out together.
      await nextTick();
      return;
    }
    const waitMs = this.#nextAt - performance.now();
    if (waitMs > 0 && !this.#isUrgent()) await this.#gate.wait(Math.min(waitMs, spillEveryMs));
    else {
      await this.#send(this.#hasBacklog() && this.#backlog ? this.#backlog : this.#queue);
      this.#settle();
      this.#losses.report();
    }
  }

  /** Until memory is empty or the deadline; a failure ends it only where there is a disk to write to. */
  async #sendRest(): Promise<void> {
    this.#failures = 0;
    // With older lines on disk these go there too, in order: the next process sends them all.
    while (!this.#hasBacklog() && this.#queue.rows() > 0 && !this.#abort.signal.aborted) {
      await this.#send(this.#queue);
      if (this.#failures > 0 && this.#backlog) return;
      if (this.#failures > 0) await this.#gate.wait(this.#pace.retryMinMs);
    }
  }

  async #send(source: Source): Promise<void> {
    const batch = await source.peek({ rows: this.#batchRows, bytes: this.#pace.batchBytes });
    // A segment that could not be read back leaves nothing to send.
    if (batch.length > 0) await this.#conclude(source, batch, await this.#post.send(batch, this.#abort.signal));
    else this.#losses.add(this.#backlog?.takeLost() ?? 0);
  }

  async #conclude(source: Source, batch: readonly string[], outcome: PostOutcome): Promise<void> {
    if (outcome.kind === "away") return this.#waitLonger(outcome.retryAfterMs);
    this.#failures = 0;
    const isBackToBack = outcome.kind === "too_large" || source === this.#backlog;
    this.#nextAt = performance.now() + (isBackToBack ? 0 : this.#pace.intervalMs);
    if (outcome.kind === "too_large" && batch.length > 1) {
      this.#batchRows = Math.ceil(batch.length / 2);
      return;
    }
    this.#batchRows = this.#pace.batchRows;
    await source.drop(batch.length);
    this.#losses.add(outcome.kind === "taken" ? outcome.rejected : batch.length);
    if (outcome.kind === "refused") this.#losses.tellOnce(this.#options, outcome.status);
  }

  #waitLonger(retryAfterMs: number): void {
    const { retryMinMs, retryMaxMs } = this.#pace;
    const now = performance.now();
    if (this.#failures === 0) this.#failingSince = now;
    const backoffMs =
      Math.min(retryMaxMs, retryMinMs * 2 ** Math.min(this.#failures, 20)) * (0.5 + 0.5 * Math.random());
    this.#failures++;
    this.#nextAt = now + Math.max(backoffMs, retryAfterMs);
  }

  /** Adopts what others left, and moves lines from memory to disk when they should not wait in memory. */
  async #tendSpool(): Promise<void> {
    const now = performance.now();
    if (now >= this.#adoptAt) {
      this.#adoptAt = now + adoptEveryMs;
      await this.#backlog?.adopt();
    }
    if (this.#queue.rows() === 0 || !this.#shouldSpill(now)) return;
    this.#spillAt = now + spillEveryMs;
    await this.#spill();
    this.#settle();
  }

  #shouldSpill(now: number): boolean {
    if (this.#failures > 0 && this.#flushers.length > 0) return true;
    if (now < this.#spillAt && this.#queue.rows() < this.#pace.batchRows) return false;
    return (
      this.#hasBacklog() ||
      this.#isCrowded() ||
      (this.#failures > 0 && now - this.#failingSince >= this.#pace.patienceMs)
    );
  }

  #isCrowded(): boolean {
    return this.#queue.rows() > this.#pace.queueRows / 4 || this.#queue.bytes() > this.#pace.queueBytes / 4;
  }

  async #spill(): Promise<void> {
    for (let kept = -1; this.#backlog && kept !== 0 && this.#queue.rows() > 0; ) {
      kept = await this.#backlog.append(this.#queue.peek(spillAtOnce));
      this.#queue.drop(kept);
    }
  }

  #hasBacklog(): boolean {
    return (this.#backlog?.rows ?? 0) > 0;
  }

  #isUrgent(): boolean {
    return this.#failures === 0 && (this.#flushers.length > 0 || this.#queue.rows() >= this.#pace.batchRows);
  }

  #settle(): void {
    const taken = this.#queue.taken();
    for (const flusher of this.#flushers) if (flusher.target <= taken) flusher.resolve();
    this.#flushers = this.#flushers.filter((flusher) => flusher.target > taken);
  }

  async #stumble(error: unknown): Promise<void> {
    tell(`the delivery of log records stumbled: ${error instanceof Error ? error.message : "unknown"}`);
    await this.#gate.wait(stumbleMs);
  }
}

/** Waits for a ring or the time, whichever comes first; a ring while nobody waits is kept. Never keeps the process alive. */
function buildGate() {
  let rung = false;
  let wake: (() => void) | null = null;
  return {
    ring(): void {
      rung = true;
      wake?.();
    },
    async wait(ms: number | null): Promise<void> {
      if (!rung) {
        await new Promise<void>((resolve) => {
          const timer = ms === null ? undefined : setTimeout(resolve, ms).unref();
          wake = () => {
            clearTimeout(timer);
            resolve();
          };
        });
      }
      wake = null;
      rung = false;
    },
  };
}
