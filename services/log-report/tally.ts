import type { Log } from "@signalbox/common/contracts/log.ts";

export type Tally = { records: number; byService: Record<string, Record<string, number>> };

export const emptyTally: Tally = { records: 0, byService: {} };

/** How many records of each level each service has, with those of one more page. */
export function addPage({ records, byService }: Tally, page: readonly Pick<Log, "service" | "level">[]): Tally {
  const counts = new Map(
    Object.entries(byService).map(([service, levels]) => [service, new Map(Object.entries(levels))]),
  );
  for (const { service, level } of page) {
    const levels = counts.get(service) ?? new Map<string, number>();
    counts.set(service, levels.set(level, (levels.get(level) ?? 0) + 1));
  }
  const plain = [...counts].map(([service, levels]) => [service, Object.fromEntries(levels)] as const);
  return { records: records + page.length, byService: Object.fromEntries(plain) };
}

/** How much of a time range has been read, newest first, when this is the oldest record so far; from 0 to 99. */
export function percentOf({ since, until }: { since: number; until: number }, oldest: number): number {
  const share = (until - oldest) / Math.max(1, until - since);
  return Math.min(99, Math.max(0, Math.floor(100 * share)));
}
