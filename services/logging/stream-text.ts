import type { Log } from "@signalbox/common/contracts/log.ts";

/**
 * The blocks of the stream (server-sent events). A block with an id and no data moves an EventSource's `lastEventId` without
 * waking its page: so a client always knows how far it has come, even when its filter lets nothing through.
 *
 * @see https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation
 */
export function toRecordBlock(seq: number, log: Log): string {
  return `id: ${seq}\ndata: ${JSON.stringify(log)}\n\n`;
}

export function toPositionBlock(seq: number): string {
  return `id: ${seq}\n\n`;
}

/** Records between the asked position and the next one were dropped by retention; how many, nobody knows. */
export const gapBlock = `event: gap\ndata: {"reason":"retention","dropped":null}\n\n`;

export const heartbeatBlock = ":\n\n";
