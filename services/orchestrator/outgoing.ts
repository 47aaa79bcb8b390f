import { type Outgoing, type Part, toFrameText } from "./frame.ts";

/** Clients that catch up together stand at the same cursor, and are sent the same frame. */
export function toOutgoing(part: Part, cursor: string): Outgoing {
  if (part.latest?.cursor !== cursor) part.latest = { text: toFrameText(part, cursor), cursor };
  return part.latest;
}

/** The whole WebSocket message: one unmasked, final text frame (RFC 6455, section 5.2). */
export function toWebSocketMessage(frame: Outgoing): Buffer {
  frame.webSocket ??= frameText(frame.text);
  return frame.webSocket;
}

export function toServerSentEvent(frame: Outgoing): Buffer {
  frame.serverSent ??= Buffer.from(`id: ${frame.cursor}\ndata: ${frame.text}\n\n`);
  return frame.serverSent;
}

const finalText = 0x81;

function frameText(text: string): Buffer {
  const length = Buffer.byteLength(text);
  const headLength = length < 126 ? 2 : length < 65_536 ? 4 : 10;
  const bytes = Buffer.allocUnsafe(headLength + length);
  bytes[0] = finalText;
  if (length < 126) bytes[1] = length;
  else if (length < 65_536) {
    bytes[1] = 126;
    bytes.writeUInt16BE(length, 2);
  } else {
    bytes[1] = 127;
    bytes.writeBigUInt64BE(BigInt(length), 2);
  }
  bytes.write(text, headLength);
  return bytes;
}

/** Joins what clients send in one turn; clients that send the same share the joined bytes. */
export function buildJoiner(): (messages: readonly Buffer[]) => Buffer {
  let last: { messages: readonly Buffer[]; joined: Buffer } | null = null;
  return (messages) => {
    if (last === null || !areSame(last.messages, messages)) last = { messages, joined: Buffer.concat(messages) };
    return last.joined;
  };
}

function areSame(a: readonly Buffer[], b: readonly Buffer[]): boolean {
  return a.length === b.length && a.every((message, at) => message === b[at]);
}
