import { createServer } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { SetupError, systemCode } from "@signalbox/testing/setup-error.ts";

const defaultBase = 4000;
/** The farthest offset that a fleet uses, so that no port passes 65535. */
const portSpan = 100;

export const databasePortOffset = 32;
export const dashboardPortOffset = 80;

/** The address at which one part of the fleet finds another. */
export function localUrl(port: number): string {
  return `http://127.0.0.1:${port}`;
}

export function parsePortBase(text: string | undefined): number {
  if (!text) return defaultBase;
  const base = /^\d{1,5}$/.test(text) ? Number(text) : Number.NaN;
  const highest = 65_535 - portSpan;
  if (base >= 1_024 && base <= highest) return base;
  throw new SetupError(
    `SIGNALBOX_PORT_BASE is "${text}"; set it to a whole number from 1024 to ${highest}, for example 4000`,
  );
}

export type PortUse = { port: number; usedBy: string };

/**
 * Refuses the first port that something else listens on.
 *
 * @param patienceMs how long a port may stay busy: processes of a killed fleet need a moment to end
 * @param onWait called once when one is busy and there is patience left
 */
export async function ensurePortsFree(uses: PortUse[], patienceMs: number, onWait?: () => void): Promise<void> {
  const giveUpAt = performance.now() + patienceMs;
  for (let isFirst = true; ; isFirst = false) {
    const busy = await Promise.all(uses.map(async (use) => ((await isFree(use.port)) ? null : use)));
    const first = busy.find((use) => use !== null);
    if (!first) return;
    if (performance.now() >= giveUpAt) throw portBusy(first);
    if (isFirst) onWait?.();
    await delay(100);
  }
}

/** Two parts of the fleet were given one port: a mistake in the repository, not on this machine. */
export function refuseSharedPort(uses: readonly PortUse[]): void {
  for (const [port, [first, second]] of Map.groupBy(uses, (use) => use.port)) {
    if (!first || !second) continue;
    throw new SetupError(
      `${first.usedBy} and ${second.usedBy} both want port ${port}; ` +
        "change the default of PORT in the settings of one of them and run `npx pnpm generate`",
    );
  }
}

/** Above 1023, of https://fetch.spec.whatwg.org/#port-blocking, which Node's `fetch` holds to as well. */
const blockedPorts: ReadonlySet<number> = new Set([
  ...[1719, 1720, 1723, 2049, 3659, 4045, 4190, 5060, 5061, 6000, 6566],
  ...[6665, 6666, 6667, 6668, 6669, 6679, 6697, 10080],
]);

/** A fleet on such a port would start, and no browser would open it. */
export function refuseBlockedPort(uses: readonly PortUse[]): void {
  const blocked = uses.find(({ port }) => blockedPorts.has(port));
  if (!blocked) return;
  throw new SetupError(
    `browsers refuse to open port ${blocked.port}, which ${blocked.usedBy} would have; ` +
      "set SIGNALBOX_PORT_BASE to another range, for example SIGNALBOX_PORT_BASE=14000",
  );
}

export function portBusy({ port, usedBy }: PortUse): SetupError {
  return new SetupError(
    `port ${port}, which ${usedBy} needs, is in use by another program; ` +
      "stop that program, or set SIGNALBOX_PORT_BASE to move the whole fleet, for example SIGNALBOX_PORT_BASE=14000",
  );
}

function isFree(port: number): Promise<boolean> {
  const { promise, resolve, reject } = Promise.withResolvers<boolean>();
  const server = createServer();
  server.once("error", (error) => {
    const code = systemCode(error);
    if (code === "EADDRINUSE") resolve(false);
    else
      reject(new SetupError(`port ${port} cannot be listened on (${code}); set SIGNALBOX_PORT_BASE to another range`));
  });
  server.listen(port, "127.0.0.1", () => server.close(() => resolve(true)));
  return promise;
}
