/**
 * Hands every event and every log record to every client of this orchestrator, once, in the order of its source.
 *
 * Both sources are followed once for all clients, and a part is serialised once. A client has two feeds, one a source. A feed is
 * *live*: what is published is sent at once; *behind*: it reads from the tables (or from the logging service) what it has
 * missed, up to the hub's position; or *off*. The step from behind to live is taken in one go of the event loop, when the last
 * read has reached the position, so nothing falls between. A feed never sends a number that is not above its own, so nothing
 * comes twice. A client whose buffer is full turns to behind and goes on from its own position when it has drained.
 *
 * A database that came back without its last events (see tail.ts), or a log that did, takes the positions back with it, and
 * whoever had come further is told by a gap.
 *
 * While nobody follows, the ledger is read without its tasks (`readSteps`). A client that comes while such a page is on its way
 * turns to behind when it arrives, and reads for itself what the page did not hold.
 */

import { type StreamPosition, toStreamCursor } from "@signalbox/common/cursor.ts";
import type { Log } from "@signalbox/common/log.ts";
import { rest } from "@signalbox/common/tail.ts";
import type { LogItem, LogStreamClient } from "../clients/log-stream.ts";
import { type Outgoing, type Part, toLogPart, toTaskPart } from "../frame.ts";
import { toOutgoing } from "../outgoing.ts";
import { type LedgerEntry, type LedgerStep, toLedgerStep } from "../store/rows.ts";
import type { Subscriber } from "./subscriber.ts";

export type Hub = {
  position(): StreamPosition;
  /** Somebody wants to see the tasks, and not only what happened to them. */
  isFollowed(): boolean;
  /** The tail of the ledger delivers here: entries while the hub is followed. */
  publishEvents(page: readonly (LedgerEntry | LedgerStep)[]): void;
  /** The ledger has lost what came after this number. */
  rewind(seq: number): void;
  subscribe(subscriber: Subscriber): () => void;
  subscribers(): number;
  /** Everything that happens, as it passes; for runs that others ended, and for the metrics. */
  onStep(listener: (step: LedgerStep) => void): () => void;
  /** Every entry of the ledger as it passes, for waiting requests: what is drawn after the call is not missed. */
  onEntry(listener: (entry: LedgerEntry) => void): () => void;
  /** Resolves when the tail has begun, and the log stream has been reached or not; for the latter at most the time given. */
  settled(timeoutMs: number): Promise<void>;
  followLogs(signal: AbortSignal): Promise<void>;
};

const reconnectMs = 500;
/** Failures in a row until it is worth a line. */
const saidAfter = 6;

export type HubOptions = {
  tail: { position(): number; started: Promise<void> };
  logs: LogStreamClient;
  log: Log;
};

export function buildHub(options: HubOptions): Hub {
  const subscribers = new Set<Subscriber>();
  const listeners = buildListeners();
  const firstWord = Promise.withResolvers<void>();
  const logPlace = buildLogPlace({ subscribers, publish, onKnown: firstWord.resolve });
  let taskSeq: number | null = null;

  const position = (): StreamPosition => ({ task: taskSeq ?? options.tail.position(), log: logPlace.seq() });

  /** The position is that of the part already. */
  function publish(part: Part): void {
    const now = position();
    let shared: Outgoing | null = null;
    const toShared = (): Outgoing => {
      shared ??= toOutgoing(part, toStreamCursor(now));
      return shared;
    };
    for (const subscriber of subscribers) subscriber.publish(part, now, toShared);
  }

  function pass(row: LedgerEntry | LedgerStep): void {
    taskSeq = row.seq;
    if (isEntry(row) && subscribers.size > 0) publish(toTaskPart(row));
    listeners.tell(row);
  }

  const logFeed = buildLogFeed({
    follow: (positionsOnly, signal) => options.logs.follow({ after: logPlace.seq(), positionsOnly, signal }),
    isWatched: () => subscribers.size > 0,
    take: logPlace.take,
    // Whoever is away is not waited for by each client anew.
    onEnd: firstWord.resolve,
  });

  return {
    position,
    isFollowed: () => subscribers.size > 0 || listeners.wantEntries(),
    publishEvents(page) {
      for (const row of page) pass(row);
      if (page.every(isEntry)) return;
      for (const subscriber of subscribers) subscriber.missedTasks();
    },
    rewind(seq) {
      taskSeq = seq;
      for (const subscriber of subscribers) subscriber.rewindTasks(seq);
    },
    subscribe: (subscriber) => add(subscribers, subscriber, logFeed.judge),
    subscribers: () => subscribers.size,
    onStep: listeners.onStep,
    onEntry: listeners.onEntry,
    async settled(timeoutMs) {
      // Before that there is no position to begin at, and a client that resumes would not be known to be behind.
      await options.tail.started;
      if (logPlace.seq() === null)
        await Promise.race([firstWord.promise, rest(timeoutMs, AbortSignal.timeout(timeoutMs))]);
    },
    followLogs: (signal) => followForever(logFeed.follow, options.log, signal),
  };
}

type LogPlaceOptions = { subscribers: ReadonlySet<Subscriber>; publish(part: Part): void; onKnown(): void };

/** Where the log stands: known with the first word of its stream, and anew with the next one after a gap, be it further back. */
function buildLogPlace({ subscribers, publish, onKnown }: LogPlaceOptions) {
  let seq: number | null = null;

  function moveTo(next: number): void {
    const isNews = seq === null;
    seq = Math.max(seq ?? 0, next);
    if (!isNews) return;
    onKnown();
    for (const subscriber of subscribers) subscriber.learnLogPosition(next);
  }

  function forget(): void {
    seq = null;
    for (const subscriber of subscribers) subscriber.forgetLogs();
  }

  function show(item: LogItem & { kind: "log" }): void {
    if (seq === null) moveTo(item.seq - 1);
    if (item.seq <= (seq ?? 0)) return;
    seq = item.seq;
    publish(toLogPart(item));
  }

  return {
    seq: () => seq,
    take(item: LogItem): void {
      if (item.kind === "gap") forget();
      else if (item.kind === "position") moveTo(item.seq);
      else show(item);
    },
  };
}

type LogFeedOptions = {
  follow(positionsOnly: boolean, signal: AbortSignal): AsyncIterable<LogItem>;
  isWatched(): boolean;
  take(item: LogItem): void;
  onEnd(): void;
};

/**
 * The log stream with its records while somebody watches, else with its positions alone. The one is left for the other between two
 * items, and the next begins where that one stood, so nothing is missed: a position that comes when somebody watches already may
 * pass over records that they should have been sent, and is not taken.
 */
function buildLogFeed({ follow, isWatched, take, onEnd }: LogFeedOptions) {
  let isSilent = false;
  let turn = new AbortController();

  /** @returns whether to go on with the other kind at once */
  async function followOne(signal: AbortSignal): Promise<boolean> {
    isSilent = !isWatched();
    turn = new AbortController();
    try {
      for await (const item of follow(isSilent, AbortSignal.any([signal, turn.signal]))) {
        if (isSilent === isWatched()) return true;
        take(item);
      }
    } catch (error) {
      if (!turn.signal.aborted) throw error;
    } finally {
      onEnd();
    }
    return turn.signal.aborted && !signal.aborted;
  }

  return {
    /** Somebody has come: what is silent is left at once, not with the next record. */
    judge(): void {
      if (isSilent && isWatched()) turn.abort();
    },
    async follow(signal: AbortSignal): Promise<void> {
      while (await followOne(signal));
    },
  };
}

/** Takes it out again by calling what this answers with. */
function add<T>(set: Set<T>, one: T, onAdded?: () => void): () => void {
  set.add(one);
  onAdded?.();
  return () => set.delete(one);
}

/** Whoever is told of what passes inside this process. */
function buildListeners() {
  const ofEntries = new Set<(entry: LedgerEntry) => void>();
  const ofSteps = new Set<(step: LedgerStep) => void>();
  return {
    wantEntries: () => ofEntries.size > 0,
    onEntry: (listener: (entry: LedgerEntry) => void) => add(ofEntries, listener),
    onStep: (listener: (step: LedgerStep) => void) => add(ofSteps, listener),
    tell(row: LedgerEntry | LedgerStep): void {
      if (isEntry(row)) for (const listener of ofEntries) listener(row);
      const step = isEntry(row) ? toLedgerStep(row) : row;
      for (const listener of ofSteps) listener(step);
    },
  };
}

function isEntry(row: LedgerEntry | LedgerStep): row is LedgerEntry {
  return "task" in row;
}

async function followForever(
  follow: (signal: AbortSignal) => Promise<void>,
  log: Log,
  signal: AbortSignal,
): Promise<void> {
  let failures = 0;
  while (!signal.aborted) {
    const failure = await follow(signal).then(
      () => null,
      (error: unknown) => ({ error }),
    );
    failures = failure === null || signal.aborted ? 0 : failures + 1;
    // At a start both services come up together, so the first tries may find nobody.
    if (failures === saidAfter) log.warn({ err: failure?.error }, "the log stream cannot be read; it is retried");
    await rest(reconnectMs * (0.5 + Math.random()), signal);
  }
}
