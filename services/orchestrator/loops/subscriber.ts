/** One client of the live stream: what it wants, how far it has come, and how it catches up (see hub.ts). */

import { type StreamPosition, toStreamCursor } from "@signalbox/common/cursor.ts";
import { rest } from "@signalbox/common/tail.ts";
import type { LogItem, LogStreamClient } from "../clients/log-stream.ts";
import { matches, type Outgoing, type Part, type StreamFilter, toLogPart } from "../frame.ts";
import { toOutgoing } from "../outgoing.ts";
import { hasEnded } from "../transition.ts";
import type { ReadParts } from "./catch-up.ts";

/** Where frames go; a WebSocket or a server-sent event stream. */
export type Sink = {
  send(frame: Outgoing): void;
  /** Bytes that were sent and have not left this process. */
  pendingBytes(): number;
  close(reason: "slow_client" | "ended"): void;
};

export type Sources = {
  position(): StreamPosition;
  readParts: ReadParts;
  logs: LogStreamClient;
};

export type SubscriberOptions = {
  filter: StreamFilter;
  /** The position that the client has come to; null starts from now. */
  since: StreamPosition | null;
  /** Something before that may be missing, and the client is told so. */
  hasGap?: boolean;
  /** The root of the filter's family has ended already. */
  isOver?: boolean;
  sink: Sink;
  sources: Sources;
  signal: AbortSignal;
};

/** `seq` is the last number that was sent or passed over; null while it is not known. */
type Feed = { mode: "live" | "behind" | "off"; seq: number | null };

const maxPendingBytes = 1_048_576;
const drainedBytes = 131_072;
const drainPollMs = 25;
const slowLimitMs = 30_000;
const pageRows = 200;
/** The last lines of a run, and the ends of what was canceled with it, come a moment after its own end. */
const lingerMs = 500;

export class Subscriber {
  readonly #options: SubscriberOptions;
  readonly #task: Feed;
  readonly #log: Feed;
  #closing: NodeJS.Timeout | undefined;
  /** Whether the root of the family had ended when it was last seen. */
  #isOver: boolean;

  constructor(options: SubscriberOptions) {
    const { filter, since, sources } = options;
    const now = sources.position();
    this.#options = options;
    this.#isOver = options.isOver ?? false;
    this.#task = { mode: filter.types.task ? "live" : "off", seq: since?.task ?? now.task };
    this.#log = { mode: filter.types.log ? "live" : "off", seq: since?.log ?? now.log };
    options.signal.addEventListener("abort", () => clearTimeout(this.#closing), { once: true });
  }

  /** Offers a part; `toShared` makes the frame once for all who stand at the hub's position, which is `now`. */
  publish(part: Part, now: StreamPosition, toShared: () => Outgoing): void {
    const feed = part.source === "task" ? this.#task : this.#log;
    if (feed.mode !== "live" || !advance(feed, part.seq) || !matches(this.#options.filter, part)) return;
    if (this.#options.sink.pendingBytes() > maxPendingBytes) {
      feed.seq = part.seq - 1;
      this.#fallBehind();
    } else this.#send(part, this.#isAt(now) ? toShared() : null);
    this.#closeWhenOver();
  }

  /** The log stream's position became known. A client that had none starts there, and what came before it may be missing. */
  learnLogPosition(seq: number): void {
    if (this.#log.seq !== null) return;
    this.#log.seq = seq;
    if (this.#log.mode === "live") this.#sendGap("retention");
  }

  /** The logging service has dropped records that were never read, or has lost some that were. */
  forgetLogs(): void {
    if (isLevel(this.#log)) this.#log.seq = null;
  }

  /** The ledger ends here, and what was sent of later numbers is no longer in it. */
  rewindTasks(seq: number): void {
    if ((this.#task.seq ?? 0) <= seq) return;
    this.#task.seq = seq;
    if (this.#task.mode !== "off") this.#sendGap("retention");
  }

  /** Something passed that was not read with its task. */
  missedTasks(): void {
    if (this.#task.mode === "live") void this.#catchUp(this.#task);
  }

  pendingBytes(): number {
    return this.#options.sink.pendingBytes();
  }

  heartbeat(at: string): void {
    const cursor = this.cursor();
    this.#options.sink.send({ text: JSON.stringify({ type: "heartbeat", cursor, at }), cursor });
  }

  /** Where it stands: a feed that is live stands where the hub stands, even if nothing of it passed the filter. */
  cursor(): string {
    const now = this.#options.sources.position();
    return toStreamCursor({
      task: isLevel(this.#task) ? Math.max(now.task, this.#task.seq ?? 0) : (this.#task.seq ?? 0),
      log: isLevel(this.#log) ? latest(now.log, this.#log.seq) : this.#log.seq,
    });
  }

  /** Reads what it has missed, then follows live. */
  start(): void {
    if (this.#options.hasGap) this.#sendGap("retention");
    const now = this.#options.sources.position();
    if (this.#task.mode === "live" && (this.#task.seq ?? 0) < now.task) void this.#catchUp(this.#task);
    if (this.#log.mode === "live" && this.#log.seq !== now.log) void this.#catchUp(this.#log);
    this.#closeWhenOver();
  }

  /** The stream of a family closes after its root has ended and all of it was sent; a root that is retried meanwhile goes on. */
  #closeWhenOver(): void {
    if (!this.#isOver || this.#closing !== undefined) return;
    const { sink, signal } = this.#options;
    this.#closing = setTimeout(() => {
      this.#closing = undefined;
      if (signal.aborted || !this.#isOver) return;
      if (isLevel(this.#task) && isLevel(this.#log)) sink.close("ended");
      else this.#closeWhenOver();
    }, lingerMs);
  }

  /** Only then is the hub's cursor its own: not while it catches up, nor when it came from an orchestrator that was ahead. */
  #isAt(now: StreamPosition): boolean {
    return (
      isLevel(this.#task) &&
      isLevel(this.#log) &&
      (this.#task.seq ?? 0) <= now.task &&
      (this.#log.seq ?? 0) <= (now.log ?? 0)
    );
  }

  #fallBehind(): void {
    for (const feed of [this.#task, this.#log]) if (feed.mode === "live") void this.#catchUp(feed);
  }

  async #catchUp(feed: Feed): Promise<void> {
    const { signal } = this.#options;
    feed.mode = "behind";
    while (!signal.aborted && feed.mode === "behind") {
      await this.#drained();
      const read = feed === this.#task ? this.#readTasks() : this.#readLogs();
      await read.catch(() => rest(500, signal));
    }
  }

  /** Waits until the client has read most of its buffer; one that does not is told and let go. */
  async #drained(): Promise<void> {
    const { sink, signal } = this.#options;
    const since = performance.now();
    while (!signal.aborted && sink.pendingBytes() > drainedBytes) {
      if (performance.now() - since > slowLimitMs) {
        this.#sendGap("slow_client");
        return sink.close("slow_client");
      }
      await rest(drainPollMs, signal);
    }
  }

  async #readTasks(): Promise<void> {
    const { sources, filter } = this.#options;
    const feed = this.#task;
    const upTo = sources.position().task;
    const only = filter.family ? { familyOf: filter.family.root } : filter.taskId && { taskId: filter.taskId };
    const parts = await sources.readParts({ after: feed.seq ?? 0, upTo, limit: pageRows, ...only });
    if (!parts.every((part) => this.#relay(feed, part))) return;
    if (parts.length === 0) feed.seq = Math.max(feed.seq ?? 0, upTo);
    if ((feed.seq ?? 0) >= sources.position().task) feed.mode = "live";
    if (feed.mode === "live") this.#closeWhenOver();
  }

  async #readLogs(): Promise<void> {
    const { sources, filter, signal } = this.#options;
    const enough = new AbortController();
    const { level, service, traceId, correlationId, taskId } = filter;
    const wanted = { level, service, traceId, correlationId, taskId };
    const both = AbortSignal.any([signal, enough.signal]);
    try {
      for await (const item of sources.logs.follow({ after: this.#log.seq, filter: wanted, signal: both })) {
        if (!this.#takeLog(item)) return;
      }
    } finally {
      enough.abort();
    }
  }

  /** False: enough was read, because the hub's position is reached or the client's buffer is full. */
  #takeLog(item: LogItem): boolean {
    const feed = this.#log;
    if (item.kind === "gap") {
      this.#sendGap("retention");
      // The next number counts, also if it is a lower one: then the log was restored, or the cursor was none of its own.
      feed.seq = 0;
      return true;
    }
    if (item.kind === "log" && !this.#relay(feed, toLogPart(item))) return false;
    feed.seq = Math.max(feed.seq ?? 0, item.seq);
    const hub = this.#options.sources.position().log;
    if (hub !== null && feed.seq >= hub) feed.mode = "live";
    return feed.mode === "behind";
  }

  /** Sends what catching up has found; false when the client's buffer is full or the client is gone. */
  #relay(feed: Feed, part: Part): boolean {
    const { filter, sink, signal } = this.#options;
    if (signal.aborted) return false;
    if (advance(feed, part.seq) && matches(filter, part)) this.#send(part, null);
    return sink.pendingBytes() <= maxPendingBytes;
  }

  #send(part: Part, shared: Outgoing | null): void {
    if (part.source === "task" && part.task.id === this.#options.filter.family?.root) {
      this.#isOver = hasEnded(part.task.status);
    }
    this.#options.sink.send(shared ?? toOutgoing(part, this.cursor()));
  }

  #sendGap(reason: "slow_client" | "retention"): void {
    const cursor = this.cursor();
    this.#options.sink.send({ text: JSON.stringify({ type: "gap", cursor, reason, dropped: null }), cursor });
  }
}

function isLevel(feed: Feed): boolean {
  return feed.mode !== "behind";
}

/** True when the number is new to this feed; it counts as seen from then on. */
function advance(feed: Feed, seq: number): boolean {
  if (feed.seq !== null && seq <= feed.seq) return false;
  feed.seq = seq;
  return true;
}

function latest(a: number | null, b: number | null): number | null {
  if (a === null || b === null) return a ?? b;
  return Math.max(a, b);
}
