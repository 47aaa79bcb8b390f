import type { Ingest } from "./loops/ingest.ts";
import type { LogStreams } from "./loops/streams.ts";
import type { Store } from "./store.ts";

/** What a route may use. */
export type Context = {
  store: Store;
  ingest: Ingest;
  streams: LogStreams;
  keeping: { retentionDays: number; maxBytes: number };
  /** Hides secrets in any JSON value. */
  hide(value: unknown): unknown;
  /** Counts records that were not taken. */
  onRejected(count: number): void;
};
