import type { Received } from "./frames.ts";

export const QUEUE_LIMIT = 20_000;
const BATCH = 2_000;

export type Feed = {
  push: (received: Received) => void;
  /** Forgets what was not applied: after a loss the server sends it again. */
  clear: () => void;
  size: () => number;
};

/**
 * Calls back at the next frame of the screen, or after 250 ms where the screen draws none: in hidden tabs there are no animation
 * frames. Whichever comes first wins.
 */
export function scheduleFlush(flush: () => void): void {
  let done = false;
  const once = () => {
    if (done) return;
    done = true;
    clearTimeout(timer);
    // A hidden tab would collect these for as long as it is hidden.
    cancelAnimationFrame(drawn);
    flush();
  };
  const timer = setTimeout(once, 250);
  const drawn = requestAnimationFrame(once);
}

/** Drops the queued logs, never the tasks, and leaves a count where the first of them stood. */
function dropLogs(queue: readonly Received[]): Received[] {
  const kept: Received[] = [];
  let dropped = 0;
  let gapAt = -1;
  for (const received of queue) {
    const { frame } = received;
    const counted = frame.type === "log" ? 1 : frame.type === "gap" && frame.reason === "slow_tab" ? frame.dropped : 0;
    if (counted === 0) kept.push(received);
    else if (gapAt === -1) gapAt = kept.length;
    dropped += counted;
  }
  if (gapAt !== -1) kept.splice(gapAt, 0, { frame: { type: "gap", reason: "slow_tab", dropped }, sizeBytes: 0 });
  return kept;
}

/** Collects frames and applies them once per drawn frame, in order, bounded. */
export function buildFeed(apply: (batch: readonly Received[]) => void, schedule = scheduleFlush): Feed {
  let queue: Received[] = [];
  let scheduled = false;
  const request = () => {
    if (scheduled) return;
    scheduled = true;
    schedule(flush);
  };
  const flush = () => {
    scheduled = false;
    const batch = queue.slice(0, BATCH);
    queue = queue.slice(BATCH);
    if (batch.length > 0) apply(batch);
    if (queue.length > 0) request();
  };
  return {
    push(received) {
      queue.push(received);
      if (queue.length > QUEUE_LIMIT) queue = dropLogs(queue);
      request();
    },
    clear() {
      queue = [];
    },
    size: () => queue.length,
  };
}
