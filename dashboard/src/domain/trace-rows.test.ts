import type { Task } from "@signalbox/common/contracts/task.ts";
import { expect, test } from "vitest";
import { MOST_ROWS, type TraceNode, toTraceRows, toTraceScale } from "./trace-rows.ts";

const node = (id: string, change: Partial<Task> = {}, children: TraceNode[] = []): TraceNode => ({
  task: { id, type: "echo", status: "completed", parentId: null, finishedAt: null, ...change } as Task,
  events: [],
  children,
});

test("children stand below their parent, one deeper", () => {
  const rows = toTraceRows([node("a", {}, [node("b", {}, [node("c")])]), node("d")]);
  expect(rows.map((row) => (row.kind === "task" ? [row.task.id, row.depth] : row))).toEqual([
    ["a", 0],
    ["b", 1],
    ["c", 2],
    ["d", 0],
  ]);
});

test("past the limit tasks of one type become one row, and failures stay", () => {
  const children = Array.from({ length: MOST_ROWS + 50 }, (_, index) =>
    node(`c${index}`, { parentId: "a", status: index === 7 ? "failed" : "completed" }),
  );
  const rows = toTraceRows([node("a", {}, children)]);
  expect(rows.map((row) => (row.kind === "fold" ? row.count : row.task.id))).toEqual(["a", MOST_ROWS + 49, "c7"]);
});

const span = (kind: "attempt" | "queued", fromMs: number, toMs: number) => ({
  ...{ kind, fromMs, toMs, label: "", outcome: null, note: null, marks: [], eventId: `${fromMs}` },
});

test("overlapping runs share one axis, and an idle hour between them is short", () => {
  const hour = 3_600_000;
  const spans = [span("attempt", 0, 1_000), span("attempt", 500, 2_000), span("attempt", hour, hour + 1_000)];
  const scale = toTraceScale(spans, hour * 2);
  expect(scale.toFraction(0)).toBe(0);
  expect(scale.toFraction(hour + 1_000)).toBe(1);
  expect(scale.breaks).toHaveLength(1);
  expect(scale.toFraction(2_000)).toBeGreaterThan(0.4);
  expect(scale.toFraction(500)).toBeLessThan(scale.toFraction(1_000));
});
