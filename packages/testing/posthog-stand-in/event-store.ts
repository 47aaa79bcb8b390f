/**
 * One event, or many alike: a month of a busy product is some hundred thousand rows instead of a hundred million, and counts the
 * same.
 */
export type EventRow = {
  /** ms */
  at: number;
  event: string;
  properties: Record<string, unknown>;
  /** who did it; null for a row that stands for many */
  person: string | null;
  /** how many events this row stands for, and how many people behind them */
  count: number;
  persons: number;
  /** from when on a query sees it */
  arrivesAt: number;
};

export type GivenEvent = Partial<EventRow> & { at: number; event: string };

/** Rows in order of their time; what has not arrived yet cannot be seen. */
export class EventStore {
  #rows: EventRow[] = [];
  #isSorted = true;

  get size(): number {
    return this.#rows.length;
  }

  add(given: readonly GivenEvent[]): void {
    for (const one of given) this.#rows.push(toRow(one));
    this.#isSorted = false;
  }

  /** Rows with from <= at < to that had arrived at `seenAt`. */
  *between(from: number, to: number, seenAt: number): Generator<EventRow> {
    this.#sort();
    for (let index = this.#firstFrom(from); index < this.#rows.length; index++) {
      const row = this.#rows[index];
      if (row === undefined || row.at >= to) return;
      if (row.arrivesAt <= seenAt) yield row;
    }
  }

  clear(): void {
    this.#rows = [];
  }

  #sort(): void {
    if (this.#isSorted) return;
    this.#rows.sort((a, b) => a.at - b.at);
    this.#isSorted = true;
  }

  #firstFrom(from: number): number {
    let [low, high] = [0, this.#rows.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#rows[middle]?.at ?? 0) < from) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

function toRow({ at, event, properties = {}, person, count = 1, persons, arrivesAt = at }: GivenEvent): EventRow {
  const isOne = person !== undefined && person !== null;
  return { at, event, properties, person: person ?? null, count, persons: persons ?? (isOne ? 0 : count), arrivesAt };
}
