import {
  append,
  emptyRing,
  findBack,
  hasKey,
  prepend,
  type Ring,
  type RingLimits,
  replaceAt,
  rowAt,
  rowsOf,
} from "./ring.ts";
import type { EventRow, FeedRow } from "./rows.ts";

/** 100,000 rows and 64 MB, whichever is reached first. */
const tailLimits: RingLimits = { rows: 100_000, weight: 64 * 1024 * 1024 };

export type Tail = Ring<FeedRow>;
export const emptyTail: Tail = emptyRing<FeedRow>();

// How far back a task's progress is folded: about a screen, so that the row that changes is one that can be seen.
const FOLD_ROWS = 32;

function isSameTask(row: FeedRow, taskId: string): row is EventRow {
  return row.kind === "event" && row.event.taskId === taskId;
}

/** Where this event's progress belongs: the task's last row, if that is progress too. */
function findFold(tail: Tail, row: EventRow): number | null {
  if (row.event.kind !== "progress") return null;
  const number = findBack(tail, FOLD_ROWS, (other) => isSameTask(other, row.event.taskId));
  const held = number === null ? undefined : rowAt(tail, number);
  return held?.kind === "event" && held.event.kind === "progress" ? number : null;
}

/** The folded row keeps its key, so that it stays the same row on screen. */
function foldInto(held: EventRow, row: EventRow): EventRow {
  if (row.event.version <= held.event.version) return held;
  return { ...held, at: row.at, event: row.event, task: row.task, count: held.count + 1 };
}

function appendFolding(tail: Tail, row: EventRow): Tail | null {
  const number = findFold(tail, row);
  const held = number === null ? undefined : rowAt(tail, number);
  if (number === null || held?.kind !== "event") return null;
  return replaceAt(tail, number, foldInto(held, row));
}

/** Adds what came by the stream: each record once, one task's consecutive progress as one row. */
export function appendRows(tail: Tail, rows: readonly FeedRow[], limits = tailLimits): Tail {
  let next = tail;
  let waiting: FeedRow[] = [];
  const seen = new Set<string>();
  for (const row of rows) {
    if (seen.has(row.key) || hasKey(tail, row.key)) continue;
    seen.add(row.key);
    if (row.kind === "event" && row.event.kind === "progress") {
      next = append(next, waiting, limits);
      waiting = [];
      const folded = appendFolding(next, row);
      if (folded) next = folded;
      else waiting.push(row);
    } else waiting.push(row);
  }
  return append(next, waiting, limits);
}

/** The tail without some rows; those behind them keep their numbers. */
export function dropRows(tail: Tail, keys: ReadonlySet<string>): Tail {
  const kept = [...rowsOf(tail)].filter((row) => !keys.has(row.key));
  const first = tail.end - kept.length;
  return append({ ...emptyTail, first, end: first }, kept, tailLimits);
}

/** Puts older records in front, those already held left out; `rows` is oldest first. */
export function prependRows(tail: Tail, rows: readonly FeedRow[]): Tail {
  return prepend(
    tail,
    rows.filter((row) => !hasKey(tail, row.key)),
  );
}

export function byTime(left: FeedRow, right: FeedRow): number {
  if (left.at !== right.at) return left.at < right.at ? -1 : 1;
  return left.key < right.key ? -1 : left.key > right.key ? 1 : 0;
}

/** Puts what was read again where a gap was told; the rows behind it keep their numbers, so what is on screen stays. */
export function fillGap(tail: Tail, gapKey: string, rows: readonly FeedRow[]): Tail {
  const all = [...rowsOf(tail)];
  const index = all.findIndex((row) => row.key === gapKey);
  if (index === -1) return tail;
  const added = rows.filter((row) => !hasKey(tail, row.key));
  const behind = all.slice(index + 1);
  const base = append(
    { ...emptyTail, first: tail.end - behind.length, end: tail.end - behind.length },
    behind,
    tailLimits,
  );
  return prepend(base, [...all.slice(0, index), ...added]);
}
