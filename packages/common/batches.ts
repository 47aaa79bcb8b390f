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
  /** After a write the next one waits for the end of the turn too: those who were just answered may come again at once. */
  lingers?: boolean;
  /** takes the next batch out of what waits; empty when nothing does */
  take(): T[];
  /** must not reject: it answers those whom a failure concerns */
  write(batch: T[]): Promise<void>;
};

export function buildBatches<T>({ writesAtOnce, lingers = false, take, write }: BatchesOptions<T>): Batches {
  const writing = new Set<Promise<void>>();
  let isScheduled = false;

  function pump(): void {
    while (writing.size < writesAtOnce) {
      const batch = take();
      if (batch.length === 0) return;
      const written = write(batch).finally(() => {
        writing.delete(written);
        if (lingers) schedule();
        else pump();
      });
      writing.add(written);
    }
  }

  function schedule(): void {
    if (isScheduled) return;
    isScheduled = true;
    setImmediate(() => {
      isScheduled = false;
      pump();
    });
  }

  const underWay = async () => void (await Promise.all(writing));

  return {
    schedule,
    underWay,
    async idle() {
      for (pump(); writing.size > 0; pump()) await underWay();
    },
  };
}
