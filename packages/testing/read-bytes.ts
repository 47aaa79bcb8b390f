import type { IncomingMessage } from "node:http";

/** A request's body as it came; a sender that has no end is cut off. */
export async function readBytes(request: IncomingMessage, maxBytes = 67_108_864): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > maxBytes) throw new Error("the body is too large");
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
