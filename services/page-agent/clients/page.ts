import { Connections, request } from "@signalbox/common/http-client.ts";

export type Page = { status: number; location: string | null; text: string; tookMs: number };

/** No answer came; the same page may answer later. */
export class PageError extends Error {}

const timeoutMs = 10_000;
const maxBytes = 1_048_576;

/** Looks at pages: with a timeout, no more than a megabyte of one, and without following it anywhere else. */
export function buildPages() {
  const options = { connect: { timeout: 5_000 }, headersTimeout: timeoutMs, bodyTimeout: timeoutMs };
  const connections = new Connections({ ...options, connections: 4, maxResponseSize: maxBytes });
  return {
    async look(url: string, signal: AbortSignal): Promise<Page> {
      const startedAt = performance.now();
      try {
        const response = await request(url, { dispatcher: connections, signal });
        const text = await response.body.text();
        const [location] = [response.headers.location ?? null].flat();
        const tookMs = Math.round(performance.now() - startedAt);
        return { status: response.statusCode, location: location ?? null, text, tookMs };
      } catch (cause) {
        signal.throwIfAborted();
        throw new PageError(`${new URL(url).origin} did not answer with a page`, { cause });
      }
    },
    close: () => connections.close(),
  };
}

export type Pages = ReturnType<typeof buildPages>;
