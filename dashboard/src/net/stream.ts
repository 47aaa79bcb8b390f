import { type ReadonlySignal, type Signal, signal } from "@preact/signals";
import type { Frame, HelloFrame } from "@signalbox/common/contracts/frame.ts";
import { buildFeed, type Feed, scheduleFlush } from "./feed.ts";
import type { Received } from "./frames.ts";
import type { Verdict } from "./rest.ts";
import { isUp, nextPhase, type Phase, reconnectDelayMs, type StreamEvent } from "./stream-state.ts";
import { type Connection, type Ending, openEvents, openSocket } from "./transport.ts";

/*
 * The one owner of the live connection.
 *
 * Connect, take `hello.cursor`, apply frames in order, remember the cursor of the last frame that was *applied*, and resume from
 * it after a loss: what was received but not applied is forgotten and sent again, so nothing is lost or counted twice. A hello
 * without a resume starts a new epoch: whatever was read before it may have missed changes and is read again. Silence of two
 * heartbeats is a loss too, because a dead network closes nothing.
 */

export type StreamStatus = {
  phase: Phase;
  /** When the phase began, by this machine's clock. */
  sinceMs: number;
  retryAtMs: number | null;
  problem: string | null;
  transport: "socket" | "events";
  server: { instance: string; version: string } | null;
};

export type StreamOptions = {
  base: string;
  token: () => string | null;
  probe: () => Promise<Verdict>;
  apply: (batch: readonly Received[]) => void;
  /** A connection that does not continue an earlier one: what was read before may have holes. */
  onFresh: () => void;
  onDenied: () => void;
  random?: () => number;
  schedule?: typeof scheduleFlush;
};

const HANDSHAKE_MS = 10_000;
const PROBE_MS = 2_000;
const BEHIND_FRAMES = 2_000;
const BEHIND_MS = 5_000;
const DEFAULT_HEARTBEAT_MS = 15_000;

const initialStatus = (): StreamStatus => ({
  phase: "connecting",
  sinceMs: Date.now(),
  retryAtMs: null,
  problem: null,
  transport: "socket",
  server: null,
});

function isLoopback(base: string): boolean {
  const host = new URL(base).hostname;
  return host === "localhost" || host === "[::1]" || host.startsWith("127.");
}

/** The instant of the newest change in a batch; logs do not count, because a spooled log may be old when it arrives. */
function newestOf(batch: readonly Received[]): number | null {
  const last = batch.findLast(({ frame }) => frame.type === "task" || frame.type === "heartbeat")?.frame;
  if (last?.type === "task") return Date.parse(last.event.at);
  return last?.type === "heartbeat" ? Date.parse(last.at) : null;
}

export class Stream {
  readonly status: ReadonlySignal<StreamStatus>;
  readonly #status: Signal<StreamStatus>;
  readonly #options: StreamOptions;
  readonly #feed: Feed;
  #connection: Connection | null = null;
  /** Grows with every connection, so that a late word of an old one is not taken for the new one's. */
  #generation = 0;
  #cursor: string | null = null;
  #greeted = false;
  #failures = 0;
  #failedSockets = 0;
  #eventsMissing = false;
  #lastMessageMs = 0;
  #heartbeatMs = DEFAULT_HEARTBEAT_MS;
  /** server clock minus this machine's; null until a heartbeat has told */
  #offsetMs: number | null = null;
  #retryTimer: ReturnType<typeof setTimeout> | undefined;
  #watchTimer: ReturnType<typeof setInterval> | undefined;

  constructor(options: StreamOptions) {
    this.#options = options;
    this.#status = signal(initialStatus());
    this.status = this.#status;
    this.#feed = buildFeed((batch) => this.#apply(batch), options.schedule ?? scheduleFlush);
  }

  start(): void {
    this.#failures = 0;
    this.#failedSockets = 0;
    this.#connect();
  }

  stop(): void {
    this.#drop();
    this.#feed.clear();
    this.#cursor = null;
    this.#move("lost", { retryAtMs: null, problem: null });
  }

  /** Now, whatever the back-off says: the network is back, the tab is shown, or a person asks. */
  retryNow(): void {
    const { phase } = this.#status.peek();
    if (phase === "waiting" || phase === "offline") this.#connect();
    else if (isUp(phase)) this.#checkSilence();
  }

  networkLost(): void {
    // A fleet on this machine is reached without any network.
    if (isLoopback(this.#options.base) || !this.#connection) return;
    this.#failures++;
    this.#drop();
    this.#waitAndRetry(null);
  }

  queued(): number {
    return this.#feed.size();
  }

  #move(event: StreamEvent, changes: Partial<StreamStatus> = {}): void {
    const before = this.#status.peek();
    const phase = nextPhase(before.phase, event);
    if (phase === before.phase && Object.keys(changes).length === 0) return;
    const sinceMs = phase === before.phase ? before.sinceMs : Date.now();
    this.#status.value = { ...before, ...changes, phase, sinceMs };
  }

  #connect(): void {
    const token = this.#options.token();
    if (token === null) return;
    this.#drop();
    // What was received but not applied lies after the cursor and is sent again.
    this.#feed.clear();
    const byEvents = this.#failedSockets >= 2 && !this.#eventsMissing;
    this.#greeted = false;
    this.#lastMessageMs = Date.now();
    this.#move("open", { transport: byEvents ? "events" : "socket", retryAtMs: null });
    const mine = this.#generation;
    const target = { base: this.#options.base, token, since: this.#cursor };
    this.#connection = (byEvents ? openEvents : openSocket)(target, {
      onFrame: (frame, sizeBytes) => {
        if (this.#generation === mine) this.#receive(frame, sizeBytes);
      },
      onEnd: (ending) => {
        if (this.#generation === mine) this.#ended(ending);
      },
    });
    this.#watchTimer = setInterval(() => this.#checkSilence(), 1_000);
  }

  #drop(): void {
    clearTimeout(this.#retryTimer);
    clearInterval(this.#watchTimer);
    this.#generation++;
    this.#connection?.close();
    this.#connection = null;
  }

  #receive(frame: Frame, sizeBytes: number): void {
    this.#lastMessageMs = Date.now();
    if (frame.type === "heartbeat") this.#offsetMs = Date.parse(frame.at) - Date.now();
    if (frame.type === "hello") this.#greet(frame);
    else this.#feed.push({ frame, sizeBytes });
  }

  #greet(hello: HelloFrame): void {
    const resumed = this.#cursor !== null;
    this.#cursor ??= hello.cursor;
    this.#greeted = true;
    this.#failures = 0;
    this.#heartbeatMs = hello.heartbeatMs > 0 ? hello.heartbeatMs : DEFAULT_HEARTBEAT_MS;
    this.#move("hello", {
      retryAtMs: null,
      problem: null,
      server: { instance: hello.instance, version: hello.version },
    });
    if (!resumed) this.#options.onFresh();
  }

  #apply(batch: readonly Received[]): void {
    this.#options.apply(batch);
    for (const { frame } of batch) if ("cursor" in frame) this.#cursor = frame.cursor;
    const newestMs = newestOf(batch);
    const lagMs = newestMs === null || this.#offsetMs === null ? 0 : Date.now() + this.#offsetMs - newestMs;
    this.#move(this.#feed.size() > BEHIND_FRAMES || lagMs > BEHIND_MS ? "fell_behind" : "caught_up");
  }

  #checkSilence(): void {
    const allowedMs = this.#greeted ? 2 * this.#heartbeatMs : HANDSHAKE_MS;
    if (Date.now() - this.#lastMessageMs > allowedMs) this.#ended("closed");
  }

  #ended(ending: Ending): void {
    const wasUp = this.#greeted;
    this.#greeted = false;
    this.#drop();
    this.#failures++;
    this.#countSocket(wasUp, ending);
    if (ending === "unauthorised") {
      this.#deny();
      return;
    }
    if (wasUp) this.#waitAndRetry(null);
    else void this.#judgeRefusal(this.#generation);
  }

  /** Two sockets that fail in a row change the way of connecting; after plain events end, one failed socket is enough. */
  #countSocket(wasUp: boolean, ending: Ending): void {
    if (ending === "missing") this.#eventsMissing = true;
    if (this.#status.peek().transport === "events") this.#failedSockets = 1;
    else this.#failedSockets = wasUp ? 0 : this.#failedSockets + 1;
  }

  /** A connection that was never greeted may have been refused: REST tells what the socket cannot, if it answers in time. */
  async #judgeRefusal(mine: number): Promise<void> {
    this.#move("lost", { retryAtMs: null });
    const tooLate = new Promise<null>((resolve) => setTimeout(resolve, PROBE_MS, null));
    const verdict = await Promise.race([this.#options.probe(), tooLate]);
    if (this.#generation !== mine) return;
    if (verdict?.kind === "unauthorised") this.#deny();
    else this.#waitAndRetry(verdict && "message" in verdict ? verdict.message : null);
  }

  #deny(): void {
    this.#drop();
    this.#move("denied", { retryAtMs: null, problem: null });
    this.#options.onDenied();
  }

  #waitAndRetry(problem: string | null): void {
    const delayMs = reconnectDelayMs(this.#failures, (this.#options.random ?? Math.random)());
    const isOffline = typeof navigator !== "undefined" && navigator.onLine === false && !isLoopback(this.#options.base);
    this.#move(isOffline ? "network_lost" : "lost", { retryAtMs: Date.now() + delayMs, problem });
    this.#retryTimer = setTimeout(() => this.#connect(), delayMs);
  }
}
