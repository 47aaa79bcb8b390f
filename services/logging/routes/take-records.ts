import type { LogReceipt } from "@signalbox/common/contracts/log.ts";
import type { Chunk } from "./read-records.ts";

/**
 * Stores what a body holds, part by part, so that a large one is never in memory as records all at once.
 *
 * @param store answers null for each record that is stored, or why it cannot be
 * @throws ApiError 503 when the database is away; some of it may be stored by then, and a resend finds it by its ids
 */
export async function takeRecords<R>(
  store: (records: R[]) => Promise<(string | null)[]>,
  chunks: AsyncIterable<Chunk<R>>,
): Promise<LogReceipt> {
  const rejected: LogReceipt["rejected"] = [];
  let count = 0;
  for await (const { count: read, good, bad } of chunks) {
    count += read;
    rejected.push(...bad);
    const outcomes = await store(good.map(({ record }) => record));
    for (const [at, message] of outcomes.entries()) {
      if (message !== null) rejected.push({ index: good[at]?.index ?? 0, message });
    }
  }
  rejected.sort((a, b) => a.index - b.index);
  return { accepted: count - rejected.length, rejected };
}
