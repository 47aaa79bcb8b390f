import type { Log, LogList } from "@signalbox/common/contracts/log.ts";
import { Connections, request } from "@signalbox/common/http-client.ts";

export type LogSearch = {
  /** Records of a trace, oldest first; `note` says what is missing. Never throws: a tree without logs is better than none. */
  findByTrace(traceId: string, signal: AbortSignal): Promise<{ logs: Log[]; note: string | null }>;
  close(): Promise<void>;
};

const limit = 1_000;
const timeoutMs = 3_000;

export function buildLogSearch(options: { url: string; internalKey: string }): LogSearch {
  const connections = new Connections({
    connect: { timeout: 1_000 },
    headersTimeout: timeoutMs,
    bodyTimeout: timeoutMs,
  });
  return {
    async findByTrace(traceId, signal) {
      try {
        const url = new URL("/logs", options.url);
        url.searchParams.set("traceId", traceId);
        url.searchParams.set("limit", String(limit));
        const bound = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]);
        const response = await request(url, {
          dispatcher: connections,
          signal: bound,
          headers: { "x-internal-key": options.internalKey },
        });
        if (response.statusCode !== 200) {
          await response.body.dump();
          return {
            logs: [],
            note: `the logging service answered ${response.statusCode}; its records are missing here`,
          };
        }
        const { items, nextCursor } = (await response.body.json()) as LogList;
        return {
          logs: items.reverse(),
          note: nextCursor === null ? null : `only the newest ${limit} log records are shown`,
        };
      } catch {
        return { logs: [], note: "the logging service cannot be reached; its records are missing here" };
      }
    },
    close: () => connections.destroy(),
  };
}
