import { connect } from "node:net";

/**
 * Sends bytes as they are and answers everything that comes back until the connection ends: for requests that no
 * proper client would make.
 *
 * @param trickle sends the parts apart, so that the server sees them as separate reads
 */
export function sendRaw(port: number, ...trickle: string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, "127.0.0.1");
    const chunks: Buffer[] = [];
    socket.setTimeout(15_000, () => socket.destroy(new Error("the server neither answered nor closed in 15 s")));
    socket.on("data", (chunk) => chunks.push(chunk));
    socket.on("error", (error) => (chunks.length > 0 ? resolve(Buffer.concat(chunks).toString()) : reject(error)));
    socket.on("close", () => resolve(Buffer.concat(chunks).toString()));
    socket.on("connect", () => {
      for (const [index, part] of trickle.entries()) setTimeout(() => socket.write(part), index * 50);
    });
  });
}

/** The JSON body of a raw answer. */
export function bodyOf(answer: string): { error: { code: string; message: string } } {
  return JSON.parse(answer.slice(answer.indexOf("\r\n\r\n") + 4));
}
