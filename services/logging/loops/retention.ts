/**
 * Makes the days ahead, and drops the days that are older than records are kept or for which there is no room. Any number of loggers
 * may do it at once. It holds up neither writers nor readers, and says what it dropped: in the log, in the metrics, and in the
 * table of drops that `/logs/stats` shows.
 */
import type { Log } from "@signalbox/common/log.ts";
import { rest } from "@signalbox/common/tail.ts";
import { type Drop, planDrops } from "../retention.ts";
import type { Store } from "../store.ts";

const everyMs = 60_000;
const retryMs = 30_000;
const daysAhead = 3;

export type RetentionOptions = {
  store: Pick<Store, "ensurePartitionsAhead" | "listPartitions" | "dropPartition">;
  retentionDays: number;
  maxBytes: number;
  log: Log;
  onDropped(drop: Drop): void;
};

export function buildRetention({ store, retentionDays, maxBytes, log, onDropped }: RetentionOptions) {
  let isFullTold = false;

  async function tend(): Promise<void> {
    await store.ensurePartitionsAhead(daysAhead);
    const { drops, bytesLeft } = planDrops(await store.listPartitions(), {
      nowMs: Date.now(),
      retentionDays,
      maxBytes,
    });
    for (const drop of drops) {
      await store.dropPartition(drop.partition);
      onDropped(drop);
      tellDropped(drop);
    }
    tellFull(bytesLeft);
  }

  function tellDropped({ partition: { day, rowsEstimate, sizeBytes }, reason }: Drop): void {
    const why = reason === "age" ? `which is older than ${retentionDays} days` : "to make room for newer records";
    log.info({ day, rowsEstimate, sizeBytes, reason }, `dropped the log of ${day}, ${why}`);
  }

  /** The present day is kept whatever it weighs: what happens now is what is looked for. Said once. */
  function tellFull(bytes: number): void {
    const isFull = bytes > maxBytes;
    if (isFull && !isFullTold) log.warn({ bytes, maxBytes }, "the log of today alone takes more than LOG_RETENTION_MB");
    isFullTold = isFull;
  }

  /** Busy, away, or another logger was faster: what is left is found again. */
  function complain(error: unknown): false {
    log.warn({ err: error }, "the log's days could not be tended; this will be tried again");
    return false;
  }

  return {
    tend,
    async run(signal: AbortSignal): Promise<void> {
      while (!signal.aborted) {
        const isDone = await tend().then(() => true, complain);
        await rest(isDone ? everyMs : retryMs, signal);
      }
    },
  };
}
