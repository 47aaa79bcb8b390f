/** The orchestrator's live stream of tasks, as server-sent events. */
import type { Frame } from "@signalbox/common/contracts/frame.ts";
import { CallError, toCallError } from "@signalbox/common/fleet-call.ts";
import { Connections, request } from "@signalbox/common/http-client.ts";

/** It sends a heartbeat every 15 s; twice that is silence. */
const silenceMs = 31_000;
const longestFrame = 4_194_304;

export function buildTaskStream({ url, internalKey }: { url: string; internalKey: string }) {
  const connections = new Connections({ connect: { timeout: 3_000 }, headersTimeout: 5_000, bodyTimeout: silenceMs });
  return {
    /**
     * Frames about tasks until the signal or the connection ends.
     *
     * @param since cursor of the last frame that is known; null starts from now
     * @throws Error when the orchestrator cannot be reached or goes silent, CallError when it refuses
     */
    async *follow(since: string | null, signal: AbortSignal): AsyncGenerator<Frame> {
      const query = new URLSearchParams({ types: "task", ...(since !== null && { since }) });
      const response = await request(`${url}/stream?${query}`, {
        dispatcher: connections,
        signal,
        headers: { accept: "text/event-stream", "x-internal-key": internalKey },
      });
      if (response.statusCode !== 200) {
        const text = await response.body.text();
        throw toCallError("The orchestrator", { status: response.statusCode, retryAfterSeconds: 0, text });
      }
      yield* parseFrames(response.body as AsyncIterable<Buffer>);
    },
    close: () => connections.destroy(),
  };
}

async function* parseFrames(chunks: AsyncIterable<Buffer>): AsyncGenerator<Frame> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const chunk of chunks) {
    rest += decoder.decode(chunk, { stream: true });
    const blocks = rest.split("\n\n");
    rest = blocks.pop() ?? "";
    if (rest.length > longestFrame) throw new CallError("endless frame", { status: null, code: "unreadable" });
    for (const block of blocks) {
      const data = /^data: ?(.*)$/m.exec(block)?.[1];
      if (data !== undefined) yield JSON.parse(data) as Frame;
    }
  }
}
