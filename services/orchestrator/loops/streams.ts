/** Opens live streams for clients, whatever carries them, and beats their hearts. */

import { parseStreamCursor, type StreamPosition, toStreamCursor } from "@signalbox/common/cursor.ts";
import { rest } from "@signalbox/common/tail.ts";
import type { LogStreamClient } from "../clients/log-stream.ts";
import type { Family, StreamFilter } from "../frame.ts";
import type { Store } from "../store.ts";
import { hasEnded } from "../transition.ts";
import { buildCatchUp } from "./catch-up.ts";
import type { Hub } from "./hub.ts";
import { type Sink, Subscriber } from "./subscriber.ts";

export const heartbeatMs = 15_000;
/** How long a new client waits for the first word of the logging service. */
const settleMs = 2_000;
export type Streams = {
  /**
   * Sends `hello`, then every frame that passes the filter, until the signal.
   *
   * @param since cursor of the last frame that the client has; null starts from now, of a family with its first event
   * @throws ApiError `invalid_request` when it is no cursor, before anything is sent
   */
  open(stream: {
    filter: StreamFilter;
    family?: FamilyView | null;
    since: string | null;
    sink: Sink;
    signal: AbortSignal;
  }): Promise<void>;
  /** A task and all that is below it, as it is now; null when there is no such task. */
  findFamily(root: string): Promise<FamilyView | null>;
  /** Those that are not open yet too: all that come while this waits for its sources would else be let in. */
  count(): number;
  /** Frames that were sent to clients so far. */
  framesSent(): number;
  /** What the slowest client has not taken yet. */
  mostPendingBytes(): number;
  beat(signal: AbortSignal): Promise<void>;
};

type Wanted = { asked: StreamPosition | null; beginning: StreamPosition | null; filter: StreamFilter };

export type FamilyView = Family & { firstSeq: number; isOver: boolean };

type Options = { hub: Hub; store: Store; logs: LogStreamClient; instance: string; version: string };

export function buildStreams(options: Options): Streams {
  const { hub, store } = options;
  const open = new Set<Subscriber>();
  let framesSent = 0;
  let opening = 0;
  const counted = (sink: Sink): Sink => ({
    ...sink,
    send(frame) {
      framesSent++;
      sink.send(frame);
    },
  });
  const sources = { position: () => hub.position(), readParts: buildCatchUp(store.readLedger), logs: options.logs };

  return {
    async open({ filter, family = null, since, sink: given, signal }) {
      const sink = counted(given);
      const beginning = family && { task: family.firstSeq - 1, log: null };
      const asked = since === null ? null : parseStreamCursor(since);
      opening++;
      const start = await judgeStart(options, { asked, beginning, filter }).finally(() => opening--);
      if (signal.aborted) return;
      const own = family ? { ...filter, family } : filter;
      const isOver = family?.isOver ?? false;
      const subscriber = new Subscriber({ filter: own, ...start, isOver, sink, sources, signal });
      const cursor = start.since === null ? subscriber.cursor() : toStreamCursor(start.since);
      const hello = { type: "hello", cursor, heartbeatMs, instance: options.instance, version: options.version };
      sink.send({ text: JSON.stringify(hello), cursor });
      const leave = hub.subscribe(subscriber);
      open.add(subscriber);
      signal.addEventListener(
        "abort",
        () => {
          leave();
          open.delete(subscriber);
        },
        { once: true },
      );
      subscriber.start();
    },
    findFamily: (root) => findFamily(store, root),
    count: () => open.size + opening,
    framesSent: () => framesSent,
    mostPendingBytes() {
      let most = 0;
      for (const subscriber of open) most = Math.max(most, subscriber.pendingBytes());
      return most;
    },
    async beat(signal) {
      while (!signal.aborted) {
        await rest(heartbeatMs, signal);
        const at = new Date().toISOString();
        for (const subscriber of open) subscriber.heartbeat(at);
      }
    },
  };
}

/** A cursor may be of another database, or of this one before it was restored; and it may know nothing of the log. */
async function judgeStart({ hub, store }: Pick<Options, "hub" | "store">, { asked, beginning, filter }: Wanted) {
  await hub.settled(settleMs);
  const isAhead = asked !== null && asked.task > hub.position().task;
  // Another orchestrator may be ahead of this one; but nobody is ahead of what was drawn.
  const isForeign = isAhead && asked.task > (await store.lastDrawnEventSeq());
  const now = hub.position();
  const from = isForeign ? { ...(beginning ?? now), log: asked.log } : (asked ?? beginning);
  const isBlind = filter.types.log && asked !== null && asked.log === null && now.log !== null;
  return { since: from && { ...from, log: from.log ?? now.log }, hasGap: isForeign || isBlind };
}

async function findFamily(store: Store, root: string): Promise<FamilyView | null> {
  const found = await store.findFamily(root);
  if (found === null) return null;
  const task = await store.findTask(root);
  return {
    root: root.toLowerCase(),
    members: new Set(found.ids),
    firstSeq: found.firstSeq,
    isOver: task !== null && hasEnded(task.status),
  };
}
