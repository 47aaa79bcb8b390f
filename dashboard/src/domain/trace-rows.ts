import type { TaskEvent } from "@signalbox/common/contracts/event.ts";
import type { Task } from "@signalbox/common/contracts/task.ts";
import { type Scale, type Span, toScale, toSpans } from "./timeline.ts";

/*
 * A trace as rows: one a task, below the task that started it, with its spans in one lane. Past 200 rows tasks of one type with one
 * parent become one row; those that failed stay rows of their own, because they are what a person looks for.
 */

export type TraceNode = { task: Task; events: readonly TaskEvent[]; children: readonly TraceNode[] };
export type TraceRow =
  | { kind: "task"; task: Task; depth: number; spans: Span[] }
  | { kind: "fold"; type: string; count: number; depth: number; spans: Span[]; key: string };

export const MOST_ROWS = 200;

function toRows(nodes: readonly TraceNode[], depth: number): (TraceRow & { kind: "task" })[] {
  return nodes.flatMap(({ task, events, children }) => [
    { kind: "task" as const, task, depth, spans: toSpans(events, task) },
    ...toRows(children, depth + 1),
  ]);
}

/** The stretch from the first to the last of some spans, as one bar. */
function spanOver(spans: readonly Span[]): Span[] {
  const [first] = spans;
  if (!first) return [];
  const isOpen = spans.some(({ toMs }) => toMs === null);
  const toMs = isOpen ? null : Math.max(...spans.map((span) => span.toMs ?? span.fromMs));
  const fromMs = Math.min(...spans.map((span) => span.fromMs));
  return [
    { ...first, kind: "attempt", fromMs, toMs, outcome: isOpen ? "running" : "completed", marks: [], note: null },
  ];
}

function foldRows(rows: readonly (TraceRow & { kind: "task" })[]): TraceRow[] {
  const groupOf = ({ task }: { task: Task }) => `${task.parentId ?? ""} ${task.type}`;
  const groups = Map.groupBy(
    rows.filter(({ task }) => task.status !== "failed"),
    groupOf,
  );
  const seen = new Set<string>();
  return rows.flatMap((row): TraceRow[] => {
    const key = groupOf(row);
    const group = groups.get(key) ?? [];
    if (row.task.status === "failed" || group.length < 2) return [row];
    if (seen.has(key)) return [];
    seen.add(key);
    const spans = spanOver(group.flatMap((one) => one.spans));
    return [{ kind: "fold", type: row.task.type, count: group.length, depth: row.depth, spans, key }];
  });
}

export function toTraceRows(nodes: readonly TraceNode[]): TraceRow[] {
  const rows = toRows(nodes, 0);
  return rows.length <= MOST_ROWS ? rows : foldRows(rows);
}

type Interval = { fromMs: number; toMs: number };

function joinIntervals(intervals: readonly Interval[]): Interval[] {
  const joined: Interval[] = [];
  for (const next of [...intervals].sort((left, right) => left.fromMs - right.fromMs)) {
    const last = joined.at(-1);
    if (last && next.fromMs <= last.toMs) last.toMs = Math.max(last.toMs, next.toMs);
    else joined.push({ ...next });
  }
  return joined;
}

const asSpan = (kind: "attempt" | "queued", { fromMs, toMs }: Interval): Span => ({
  ...{ kind, fromMs, toMs, label: "", outcome: null, note: null, marks: [], eventId: "" },
});

/** One axis for spans that overlap: where anything runs it is true to time, where nothing does for over a minute it is short. */
export function toTraceScale(spans: readonly Span[], nowMs: number): Scale {
  const ends = spans.map(({ fromMs, toMs }) => ({ fromMs, toMs: Math.max(fromMs, toMs ?? nowMs) }));
  const startMs = Math.min(...ends.map(({ fromMs }) => fromMs));
  const endMs = Math.max(...ends.map(({ toMs }) => toMs));
  const busy = joinIntervals(ends.filter((_, index) => spans[index]?.kind === "attempt"));
  const pieces: Span[] = [];
  let atMs = startMs;
  for (const interval of busy) {
    if (interval.fromMs > atMs) pieces.push(asSpan("queued", { fromMs: atMs, toMs: interval.fromMs }));
    pieces.push(asSpan("attempt", interval));
    atMs = interval.toMs;
  }
  if (endMs > atMs || pieces.length === 0) pieces.push(asSpan("queued", { fromMs: atMs, toMs: endMs }));
  return toScale(pieces, nowMs);
}
