import type { TaskEvent } from "@signalbox/common/contracts/event.ts";
import { expect, test } from "vitest";
import { toEvent, toTask } from "../../test/records.ts";
import { toScale, toSpans } from "./timeline.ts";

const start = Date.parse("2026-11-21T12:00:00.000Z");
const task = toTask({ createdAt: new Date(start).toISOString() });

function ledger(...steps: [kind: TaskEvent["kind"], afterMs: number, data?: Record<string, unknown>][]): TaskEvent[] {
  return steps.map(([kind, afterMs, data = {}], index) =>
    toEvent({ ...task, version: index + 1 }, kind, { at: new Date(start + afterMs).toISOString(), data }),
  );
}

const brief = (events: TaskEvent[], finishedAt: string | null = null) =>
  toSpans(events, { finishedAt }).map(({ label, fromMs, toMs, outcome }) => [
    label,
    fromMs - start,
    toMs === null ? null : toMs - start,
    outcome,
  ]);

test("a plain run is a wait and an attempt", () => {
  expect(brief(ledger(["created", 0], ["started", 10, { attempt: 1 }], ["completed", 50]))).toEqual([
    ["queued", 0, 10, null],
    ["attempt 1", 10, 50, "completed"],
  ]);
});

test("a retry shows the failed attempt, the pause and the next attempt", () => {
  const events = ledger(
    ["created", 0],
    ["started", 10, { attempt: 1 }],
    ["retry_scheduled", 20, { error: { message: "503" } }],
    ["started", 300, { attempt: 2 }],
  );
  expect(brief(events)).toEqual([
    ["queued", 0, 10, null],
    ["attempt 1", 10, 20, "failed"],
    ["back-off", 20, 300, null],
    ["attempt 2", 300, null, "running"],
  ]);
  expect(toSpans(events, { finishedAt: null })[1]?.note).toBe("503");
});

test("an approval is a wait of its own, without an empty one before it", () => {
  expect(brief(ledger(["created", 0], ["approval_requested", 0], ["approved", 90_000], ["started", 90_010]))).toEqual([
    ["waiting for approval", 0, 90_000, null],
    ["queued", 90_000, 90_010, null],
    ["attempt 1", 90_010, null, "running"],
  ]);
});

test("a lost lease ends its attempt", () => {
  expect(brief(ledger(["created", 0], ["started", 10], ["lease_expired", 40], ["retry_scheduled", 40]))[1]).toEqual([
    "attempt 1",
    10,
    40,
    "lost",
  ]);
});

test("a change by hand that moves the status cuts the span, any other is a mark", () => {
  const moved = ledger(
    ["created", 0],
    ["patched", 5, { changes: { priority: { from: 0, to: 9 } } }],
    ["patched", 20, { changes: { status: { from: "queued", to: "canceled" } } }],
  );
  expect(brief(moved)).toEqual([["queued", 0, 20, null]]);
  expect(toSpans(moved, { finishedAt: null })[0]?.marks.length).toBe(1);
});

test("progress marks its attempt", () => {
  const spans = toSpans(
    ledger(["created", 0], ["started", 10], ["progress", 20, { message: "half" }], ["completed", 30]),
    { finishedAt: null },
  );
  expect(spans[1]?.marks).toEqual([{ atMs: start + 20, kind: "progress", text: "half" }]);
});

test("short waits keep their proportion", () => {
  const scale = toScale(
    toSpans(ledger(["created", 0], ["started", 100], ["completed", 400]), { finishedAt: null }),
    start + 400,
  );
  expect(scale.toFraction(start + 100)).toBeCloseTo(0.25);
  expect(scale.breaks).toEqual([]);
});

test("an idle stretch over a minute is drawn short and told", () => {
  const spans = toSpans(
    ledger(
      ["created", 0],
      ["approval_requested", 0],
      ["approved", 3_600_000],
      ["started", 3_600_000],
      ["completed", 3_602_000],
    ),
    { finishedAt: null },
  );
  const scale = toScale(spans, start + 3_602_000);
  expect(scale.breaks.map(({ skippedMs }) => skippedMs)).toEqual([3_600_000]);
  expect(1 - scale.toFraction(start + 3_600_000)).toBeGreaterThan(0.5);
  expect(scale.totalMs).toBe(3_602_000);
});
