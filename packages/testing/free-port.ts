import { randomInt } from "node:crypto";
import { createServer, type Server } from "node:net";
import { systemCode } from "./setup-error.ts";

/*
 * Ports below those that the system gives to outgoing connections (32768 and up on Linux): a test run opens hundreds of
 * those, and one of them would now and then take the port between the search and its use. Single ports and ranges for
 * whole fleets come from different parts, so that they cannot meet either.
 */
const singles = { from: 20_000, to: 32_700 };
// Not from 10 000: browsers refuse port 10 080, at which that range has the dashboard.
const ranges = { from: 10_100, to: 19_900, size: 100 };

const host = "127.0.0.1";

/** A port that was free a moment ago; whoever uses it must be ready to hear that it no longer is. */
export async function findFreePort(): Promise<number> {
  for (;;) {
    const port = randomInt(singles.from, singles.to);
    const server = await tryListen(port);
    if (!server) continue;
    await new Promise((done) => server.close(done));
    return port;
  }
}

export type PortRange = { base: number; release(): void };

/**
 * A hundred ports for one fleet. The last of them is listened on until the range is released: that is how other test
 * processes see that it is taken, and the system frees it however we end.
 */
export async function claimPortRange(): Promise<PortRange> {
  for (;;) {
    const base = ranges.from + ranges.size * randomInt((ranges.to - ranges.from) / ranges.size);
    const mark = await tryListen(base + ranges.size - 1);
    if (!mark) continue;
    mark.unref();
    return { base, release: () => void mark.close() };
  }
}

/** Null when somebody else has the port. */
function tryListen(port: number): Promise<Server | null> {
  const { promise, resolve, reject } = Promise.withResolvers<Server | null>();
  const server = createServer();
  server.once("error", (error) => (systemCode(error) === "EADDRINUSE" ? resolve(null) : reject(error)));
  server.listen(port, host, () => resolve(server));
  return promise;
}
