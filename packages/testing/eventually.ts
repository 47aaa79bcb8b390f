import { setTimeout as delay } from "node:timers/promises";
import { messageOf } from "./setup-error.ts";

export type Deadline = {
  /** Default 30 s. */
  timeoutMs?: number;
  /** Pause between two looks, default 20 ms. */
  everyMs?: number;
  /** What was awaited, for the message when it did not come. */
  what?: string;
};

/**
 * The first value of `check` that is neither false, null nor undefined. For conditions that nothing signals; a throw
 * means "not yet", and the last one is shown when the time is up.
 */
export async function eventually<T>(
  check: () => T | Promise<T>,
  { timeoutMs = 30_000, everyMs = 20, what = "the condition" }: Deadline = {},
): Promise<Exclude<T, false | null | undefined>> {
  const giveUpAt = performance.now() + timeoutMs;
  let last = "it never held";
  for (;;) {
    try {
      const value = await check();
      if (value !== false && value !== null && value !== undefined) {
        return value as Exclude<T, false | null | undefined>;
      }
      last = "it never held";
    } catch (error) {
      last = messageOf(error);
    }
    if (performance.now() >= giveUpAt) throw new Error(`${what} did not come within ${timeoutMs} ms: ${last}`);
    await delay(everyMs);
  }
}
