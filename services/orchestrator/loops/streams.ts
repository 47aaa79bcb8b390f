/** Opens live streams for clients, whatever carries them, and beats their hearts. */

import { parseStreamCursor, toStreamCursor } from "@signalbox/common/cursor.ts";
import { rest } from "@signalbox/common/tail.ts";
import type { LogStreamClient } from "../clients/log-stream.ts";
import type { Family, StreamFilter } from "../frame.ts";
import type { Store } from "../store.ts";
import { hasEnded } from "../transition.ts";
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
  count(): number;
  /** Frames that were sent to clients so far. */
  framesSent(): number;
  /** What the slowest client has not taken yet. */
  mostPendingBytes(): number;
  beat(signal: AbortSignal): Promise<void>;
};

export type FamilyView = Family & { firstSeq: number; isOver: boolean };

export function buildStreams(options: {
  hub: Hub;
  store: Store;
  logs: LogStreamClient;
  instance: string;
  version: string;
}): Streams {
  const { hub, store } = options;
  const open = new Set<Subscriber>();
  let framesSent = 0;
  const counted = (sink: Sink): Sink => ({
    ...sink,
    send(frame) {
      framesSent++;
      sink.send(frame);
    },
  });
  const sources = { position: () => hub.position(), readLedger: store.readLedger, logs: options.logs };

  return {
    async open({ filter, family = null, since, sink: given, signal }) {
      const sink = counted(given);
      const beginning = family && { task: family.firstSeq - 1, log: null };
      const from = since === null ? beginning : parseStreamCursor(since);
      await hub.settled(settleMs);
      if (signal.aborted) return;
      const own = family ? { ...filter, family } : filter;
      const isOver = family?.isOver ?? false;
      const subscriber = new Subscriber({ filter: own, since: from, isOver, sink, sources, signal });
      const cursor = from === null ? subscriber.cursor() : toStreamCursor(from);
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
    async findFamily(root) {
      const found = await store.findFamily(root);
      if (found === null) return null;
      const task = await store.findTask(root);
      return {
        root: root.toLowerCase(),
        members: new Set(found.ids),
        firstSeq: found.firstSeq,
        isOver: task !== null && hasEnded(task.status),
      };
    },
    count: () => open.size,
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
