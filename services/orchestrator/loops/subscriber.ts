/** One client of the live stream: what it wants, how far it has come, and how it catches up (see hub.ts). */
import { rest } from "@signalbox/common/tail.ts";
import type { LogStreamClient } from "../clients/log-stream.ts";
import {
  matches,
  type Part,
  type Position,
  type StreamFilter,
  toCursor,
  toFrameText,
  toLogPart,
  toTaskPart,
} from "../frame.ts";
import type { LedgerEntry } from "../store/rows.ts";

/** Where frames go; a WebSocket or a server-sent event stream. */
export type Sink = {
  send(text: string, cursor: string): void;
  /** Bytes that were sent and have not left this process. */
  pendingBytes(): number;
  close(reason: "slow_client" | "stopping"): void;
};

export type Sources = {
  position(): Position;
  readLedger(range: { after: number; upTo: number; limit: number }): Promise<LedgerEntry[]>;
  logs: LogStreamClient;
};

export type Subscriber = {
  /** Offers a part; `shared` makes the frame's text once for all who stand at the hub's position. */
  publish(part: Part, shared: () => string): void;
  learnLogPosition(seq: number): void;
  missedLogs(): void;
  heartbeat(at: string): void;
  cursor(): string;
  /** Reads what it has missed, then follows live. */
  start(): void;
};

type Feed = { mode: "live" | "behind" | "off"; seq: number | null };

const maxPendingBytes = 1_048_576;
const drainedBytes = 131_072;
const drainPollMs = 25;
const slowLimitMs = 30_000;
const pageRows = 200;

export function buildSubscriber(options: {
  filter: StreamFilter;
  since: Position | null;
  sink: Sink;
  sources: Sources;
  signal: AbortSignal;
}): Subscriber {
  const { filter, sink, sources, signal } = options;
  const now = sources.position();
  const since = options.since ?? now;
  const task: Feed = { mode: filter.types.task ? "live" : "off", seq: since.task };
  const log: Feed = { mode: filter.types.log ? "live" : "off", seq: since.log ?? now.log };

  const isLevel = (feed: Feed) => feed.mode !== "behind";
  const cursor = () => {
    const at = sources.position();
    return toCursor({
      task: isLevel(task) ? Math.max(at.task, task.seq ?? 0) : (task.seq ?? 0),
      log: isLevel(log) ? latest(at.log, log.seq) : log.seq,
    });
  };

  function send(part: Part, text: string | null): void {
    const at = cursor();
    sink.send(text ?? toFrameText(part, at), at);
  }

  /** True when the part is new to this feed; it counts as seen from then on. */
  function advance(feed: Feed, seq: number): boolean {
    if (feed.seq !== null && seq <= feed.seq) return false;
    feed.seq = seq;
    return true;
  }

  function fallBehind(): void {
    if (task.mode === "live") void catchUp(task, readTasks);
    if (log.mode === "live") void catchUp(log, readLogs);
  }

  async function catchUp(feed: Feed, read: () => Promise<void>): Promise<void> {
    feed.mode = "behind";
    while (!signal.aborted && feed.mode === "behind") {
      await waitUntilDrained();
      await read().catch(() => rest(500, signal));
    }
  }

  async function waitUntilDrained(): Promise<void> {
    const since = performance.now();
    while (!signal.aborted && sink.pendingBytes() > drainedBytes) {
      if (performance.now() - since > slowLimitMs) return giveUp();
      await rest(drainPollMs, signal);
    }
  }

  function giveUp(): void {
    sendGap("slow_client");
    sink.close("slow_client");
  }

  function sendGap(reason: "slow_client" | "retention"): void {
    const at = cursor();
    sink.send(JSON.stringify({ type: "gap", cursor: at, reason, dropped: null }), at);
  }

  /** Sends what catching up has found; false when the client's buffer is full. */
  function relay(feed: Feed, part: Part): boolean {
    if (advance(feed, part.seq) && matches(filter, part)) send(part, null);
    return sink.pendingBytes() <= maxPendingBytes;
  }

  async function readTasks(): Promise<void> {
    const upTo = sources.position().task;
    const entries = await sources.readLedger({ after: task.seq ?? 0, upTo, limit: pageRows });
    for (const entry of entries) if (!signal.aborted && !relay(task, toTaskPart(entry))) return;
    if (entries.length < pageRows) task.seq = Math.max(task.seq ?? 0, upTo);
    if ((task.seq ?? 0) >= sources.position().task) task.mode = "live";
  }

  async function readLogs(): Promise<void> {
    const enough = new AbortController();
    const ids = filter.taskIds?.size === 1 ? [...filter.taskIds][0] : undefined;
    const wanted = {
      level: filter.level,
      service: filter.service,
      traceId: filter.traceId,
      correlationId: filter.correlationId,
      taskId: ids,
    };
    try {
      for await (const item of sources.logs.follow({
        after: log.seq ?? 0,
        filter: wanted,
        signal: AbortSignal.any([signal, enough.signal]),
      })) {
        if (item.kind === "gap") sendGap("retention");
        else if (item.kind === "position") log.seq = latest(log.seq, item.seq);
        else if (!relay(log, toLogPart(item))) return;
        const hub = sources.position().log;
        if (item.kind !== "gap" && hub !== null && (log.seq ?? 0) >= hub) {
          log.mode = "live";
          return;
        }
      }
    } finally {
      enough.abort();
    }
  }

  return {
    publish(part, shared) {
      const feed = part.source === "task" ? task : log;
      if (feed.mode === "off" || feed.mode === "behind") return;
      if (!advance(feed, part.seq) || !matches(filter, part)) return;
      if (sink.pendingBytes() > maxPendingBytes) {
        feed.seq = part.seq - 1;
        fallBehind();
      } else send(part, isLevel(task) && isLevel(log) ? shared() : null);
    },
    learnLogPosition(seq) {
      log.seq ??= seq;
    },
    missedLogs() {
      if (log.mode === "live") sendGap("retention");
    },
    heartbeat(at) {
      const here = cursor();
      sink.send(JSON.stringify({ type: "heartbeat", cursor: here, at }), here);
    },
    cursor,
    start() {
      if (task.mode === "live" && since.task < sources.position().task) void catchUp(task, readTasks);
      const hub = sources.position().log;
      if (log.mode === "live" && since.log !== null && hub !== since.log) void catchUp(log, readLogs);
    },
  };
}

function latest(a: number | null, b: number | null): number | null {
  if (a === null || b === null) return a ?? b;
  return Math.max(a, b);
}
