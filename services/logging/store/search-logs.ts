/**
 * Text is looked for in every record of a range: an index of words would make each record three times as dear to store. A range may
 * be the whole log, so it is walked from the newest record on, step by step, each one bounded by the records it looks at, until the
 * page is full or the time is up. Then the answer says how far it came, and its cursor goes on from there.
 */

import { maybeOne, type Queryable, sql } from "@signalbox/common/sql.ts";
import { sqlState, sqlStates } from "@signalbox/common/sql-state.ts";
import { and, type FoundLogs, type LogPage, listLogs, type Place, toConditions, toSpan } from "./read-logs.ts";

export type SearchedLogs = FoundLogs & {
  /** How far back was looked, when not to the end of the range: from there a next search goes on. */
  scannedTo: Place | null;
};

export type SearchBounds = {
  /** Records that the first step looks at. */
  firstStep: number;
  mostStep: number;
  /** After this time no further step is begun. */
  budgetMs: number;
  /** A step that takes less is followed by one twice as large. */
  stepMs: number;
};

const searchBounds: SearchBounds = { firstStep: 20_000, mostStep: 320_000, budgetMs: 2_000, stepMs: 200 };

export async function searchLogs(db: Queryable, page: LogPage, bounds = searchBounds): Promise<SearchedLogs> {
  const startedAt = performance.now();
  const items: FoundLogs["items"] = [];
  let step = bounds.firstStep;
  let below = page.below;
  for (;;) {
    const stepFrom = performance.now();
    const edge = await findEdge(db, { ...page, below }, step);
    const found = await readStep(db, {
      page: { ...page, below, limit: page.limit - items.length },
      edge,
      isFirst: below === page.below,
    });
    if (found === null) return { items, hasMore: true, scannedTo: below };
    items.push(...found.items);
    if (found.hasMore || edge === null) return { items, hasMore: found.hasMore, scannedTo: null };
    if (items.length === page.limit || performance.now() - startedAt > bounds.budgetMs) {
      return { items, hasMore: true, scannedTo: edge };
    }
    below = edge;
    if (performance.now() - stepFrom < bounds.stepMs) step = Math.min(step * 2, bounds.mostStep);
  }
}

type Step = { page: LogPage; edge: Place | null; isFirst: boolean };

/** Null when a step but the first took too long: what was found before it is worth more than an error. */
async function readStep(db: Queryable, { page, edge, isFirst }: Step): Promise<FoundLogs | null> {
  try {
    return await listLogs(db, page, edge);
  } catch (error) {
    if (isFirst || sqlState(error) !== sqlStates.queryCanceled) throw error;
    return null;
  }
}

/** The last record of a step; null when the range has no more than that. */
function findEdge(db: Queryable, { filter, below }: LogPage, step: number): Promise<Place | null> {
  const { q: _text, ...others } = filter;
  const where = and([...toConditions(others), ...toSpan(below, null)]);
  return maybeOne(
    db,
    (row) => ({ at: (row.at as Date).toISOString(), id: row.id as string }),
    sql`select at, id from logs where ${where} order by at desc, id desc offset ${step - 1} limit 1`,
  );
}
