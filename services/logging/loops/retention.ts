/** Makes the days ahead and drops the days that are older than records are kept. Any number of loggers may do it at once. */
import type { Log } from "@signalbox/common/log.ts";
import { rest } from "@signalbox/common/tail.ts";
import { isExpired } from "../record.ts";
import type { Store } from "../store.ts";

const everyMs = 3_600_000;
const retryMs = 30_000;
const daysAhead = 3;

export type RetentionOptions = {
  store: Pick<Store, "ensurePartitionsAhead" | "listPartitions" | "dropPartition">;
  retentionDays: number;
  log: Log;
};

export function buildRetention({ store, retentionDays, log }: RetentionOptions) {
  async function tend(): Promise<void> {
    await store.ensurePartitionsAhead(daysAhead);
    for (const partition of await store.listPartitions()) {
      if (!isExpired(partition.day, Date.now(), retentionDays)) continue;
      await store.dropPartition(partition);
      const { day, rowsEstimate, sizeBytes } = partition;
      log.info(
        { day, rowsEstimate, sizeBytes },
        `dropped the log of ${day}, which is older than ${retentionDays} days`,
      );
    }
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
