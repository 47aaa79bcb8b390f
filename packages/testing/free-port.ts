import { createServer } from "node:net";

/** A port that was free a moment ago; whoever uses it must be ready to hear that it no longer is. */
export async function findFreePort(host = "127.0.0.1"): Promise<number> {
  const server = createServer();
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  server.once("error", reject).listen(0, host, () => {
    const address = server.address();
    if (address === null || typeof address === "string") reject(new Error("the system gave no port"));
    else resolve(address.port);
  });
  const port = await promise;
  await new Promise((done) => server.close(done));
  return port;
}
