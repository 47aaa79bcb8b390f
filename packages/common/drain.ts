/** Counts what is under way, so that a shutdown can wait for it. */
export function trackInFlight() {
  let count = 0;
  let waiting: (() => void)[] = [];
  function leave(): void {
    count--;
    if (count > 0) return;
    const done = waiting;
    waiting = [];
    for (const resolve of done) resolve();
  }
  return {
    get count(): number {
      return count;
    },
    /** Answers the function that ends it; ending twice counts once. */
    enter(): () => void {
      count++;
      let isOpen = true;
      return () => {
        if (!isOpen) return;
        isOpen = false;
        leave();
      };
    },
    /** Resolves when nothing is under way; at once when nothing is. */
    idle(): Promise<void> {
      return count === 0 ? Promise.resolve() : new Promise((resolve) => waiting.push(resolve));
    },
  };
}
export type InFlight = ReturnType<typeof trackInFlight>;

export class DeadlineError extends Error {
  constructor(what: string, ms: number) {
    super(`${what} took longer than ${ms} ms`);
    this.name = "DeadlineError";
  }
}

/**
 * Waits for the promise, but no longer than `ms`. The work itself is not stopped: give it an AbortSignal for that.
 *
 * @throws DeadlineError
 */
export async function withDeadline<T>(promise: Promise<T>, ms: number, what: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const deadline = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new DeadlineError(what, ms)), ms);
  });
  try {
    return await Promise.race([promise, deadline]);
  } finally {
    clearTimeout(timer);
  }
}
