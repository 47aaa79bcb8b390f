import { setTimeout as delay } from "node:timers/promises";
import { CommandError, exitCodes, type Invocation } from "../command.ts";

const reconnectMs = 500;
/** In a row; a fleet that restarts is back within these. */
const maxFailures = 60;

/**
 * Connects again until there is a result, also while the fleet is away for half a minute.
 *
 * @param follow one connection; null when it ended without a result. It calls `onAlive` as soon as something came
 * @returns null when the signal came first
 */
export async function keepFollowing<Result>(
  { terminal, signal }: Pick<Invocation, "terminal" | "signal">,
  follow: (onAlive: () => void) => Promise<Result | null>,
): Promise<Result | null> {
  let failures = 0;
  const onAlive = () => {
    failures = 0;
  };
  while (!signal.aborted) {
    const result = await follow(onAlive).catch((error: unknown) => {
      if (signal.aborted) return null;
      if (!isPassing(error) || ++failures > maxFailures) throw error;
      if (failures === 1) terminal.note("the connection is lost; trying again");
      return null;
    });
    if (result !== null) return result;
    await delay(reconnectMs, undefined, { signal }).catch(() => undefined);
  }
  return null;
}

function isPassing(error: unknown): boolean {
  return error instanceof CommandError && error.exitCode === exitCodes.unreachable;
}
