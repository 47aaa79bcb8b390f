/**
 * Writes in batches what comes in one by one: what arrives in one turn of the event loop goes out together, what comes while all
 * writes are under way goes into the next one, and a lone item waits for nothing but the end of the turn.
 */
export type Batches = {
  /** Something waits: it is looked for at the end of this turn. */
  schedule(): void;
  /** Resolves when the writes that are under way now have ended. */
  underWay(): Promise<void>;
  /** Resolves when nothing is under way and nothing waits. */
  idle(): Promise<void>;
};

export type BatchesOptions<T> = {
  writesAtOnce: number;
  /** takes the next batch out of what waits; empty when nothing does */
  take(): T[];
  /** must not reject: it answers those whom a failure concerns */
  write(batch: T[]): Promise<void>;
};

export function buildBatches<T>({ writesAtOnce, take, write }: BatchesOptions<T>): Batches {
  const writing = new Set<Promise<void>>();
  let isScheduled = false;

  function pump(): void {
    while (writing.size < writesAtOnce) {
      const batch = take();
      if (batch.length === 0) return;
      const written = write(batch).finally(() => {
        writing.delete(written);
        pump();
      });
      writing.add(written);
    }
  }

  const underWay = async () => void (await Promise.all(writing));

  return {
    schedule() {
      if (isScheduled) return;
      isScheduled = true;
      setImmediate(() => {
        isScheduled = false;
        pump();
      });
    },
    underWay,
    async idle() {
      // Each write that ends begins the next one before whoever awaits it goes on.
      for (pump(); writing.size > 0; ) await underWay();
    },
  };
}
