import { createServer } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { SetupError, systemCode } from "@signalbox/testing/setup-error.ts";

const defaultBase = 4000;
/** The farthest offset that a fleet uses, so that no port passes 65535. */
export const portSpan = 100;

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
 */
export async function ensurePortsFree(uses: PortUse[], patienceMs: number): Promise<void> {
  const giveUpAt = performance.now() + patienceMs;
  for (;;) {
    const busy = await Promise.all(uses.map(async (use) => ((await isFree(use.port)) ? null : use)));
    const first = busy.find((use) => use !== null);
    if (!first) return;
    if (performance.now() >= giveUpAt) throw portBusy(first);
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
