import type { LogList } from "@signalbox/common/contracts/log.ts";
import { Connections, request } from "@signalbox/common/http-client.ts";

/** Logging could not be asked; it may be there again in a moment. */
export class LoggingError extends Error {}

const timeoutMs = 15_000;
const pageSize = 1_000;

export type Range = { since: string; until: string };

export function buildLogging({ url, internalKey }: { url: string; internalKey: string }) {
  const options = { connect: { timeout: 5_000 }, headersTimeout: timeoutMs, bodyTimeout: timeoutMs };
  const connections = new Connections({ ...options, connections: 2 });
  const root = url.replace(/\/+$/, "");
  return {
    /** One page of a time range, newest first. @throws LoggingError */
    async readPage({ since, until }: Range, cursor: string | null, signal: AbortSignal): Promise<LogList> {
      const query = new URLSearchParams({ since, until, limit: String(pageSize), ...(cursor && { cursor }) });
      const headers = { "x-internal-key": internalKey };
      const response = await request(`${root}/logs?${query}`, { dispatcher: connections, signal, headers }).catch(
        (cause: unknown) => {
          signal.throwIfAborted();
          throw new LoggingError("The logging service cannot be reached.", { cause });
        },
      );
      const text = await response.body.text();
      if (response.statusCode !== 200) throw new LoggingError(`The logging service answered ${response.statusCode}.`);
      return JSON.parse(text) as LogList;
    },
    close: () => connections.close(),
  };
}

export type Logging = ReturnType<typeof buildLogging>;
