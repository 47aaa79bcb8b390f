/** Lets so many pieces of work run at once; the others wait for their turn, first come, first served. */
export type Gate = <T>(work: () => Promise<T>) => Promise<T>;

export function buildGate(places: number): Gate {
  const waiting: (() => void)[] = [];
  let free = places;
  return async (work) => {
    if (free > 0) free--;
    else await new Promise<void>((resolve) => waiting.push(resolve));
    try {
      return await work();
    } finally {
      // Whoever waits takes this place over; it is never free in between.
      const next = waiting.shift();
      if (next) next();
      else free++;
    }
  };
}
