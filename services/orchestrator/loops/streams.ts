/** Opens live streams for clients, whatever carries them, and beats their hearts. */

import { parseStreamCursor, toStreamCursor } from "@signalbox/common/cursor.ts";
import { rest } from "@signalbox/common/tail.ts";
import type { LogStreamClient } from "../clients/log-stream.ts";
import type { StreamFilter } from "../frame.ts";
import type { Store } from "../store.ts";
import type { Hub } from "./hub.ts";
import { type Sink, Subscriber } from "./subscriber.ts";

export const heartbeatMs = 15_000;
/** How long a new client waits for the first word of the logging service. */
const settleMs = 2_000;
export type Streams = {
  /**
   * Sends `hello`, then every frame that passes the filter, until the signal.
   *
   * @param since cursor of the last frame that the client has; null starts from now
   * @throws ApiError `invalid_request` when it is no cursor, before anything is sent
   */
  open(stream: { filter: StreamFilter; since: string | null; sink: Sink; signal: AbortSignal }): Promise<void>;
  count(): number;
  /** What the slowest client has not taken yet. */
  mostPendingBytes(): number;
  beat(signal: AbortSignal): Promise<void>;
};

export function buildStreams(options: {
  hub: Hub;
  store: Store;
  logs: LogStreamClient;
  instance: string;
  version: string;
}): Streams {
  const { hub, store } = options;
  const open = new Set<Subscriber>();
  const sources = { position: () => hub.position(), readLedger: store.readLedger, logs: options.logs };

  return {
    async open({ filter, since, sink, signal }) {
      const from = since === null ? null : parseStreamCursor(since);
      await hub.settled(settleMs);
      if (signal.aborted) return;
      const subscriber = new Subscriber({ filter, since: from, sink, sources, signal });
      const cursor = from === null ? subscriber.cursor() : toStreamCursor(from);
      sink.send(
        JSON.stringify({ type: "hello", cursor, heartbeatMs, instance: options.instance, version: options.version }),
        cursor,
      );
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
    count: () => open.size,
    mostPendingBytes: () => Math.max(0, ...[...open].map((subscriber) => subscriber.pendingBytes())),
    async beat(signal) {
      while (!signal.aborted) {
        await rest(heartbeatMs, signal);
        const at = new Date().toISOString();
        for (const subscriber of open) subscriber.heartbeat(at);
      }
    },
  };
}
