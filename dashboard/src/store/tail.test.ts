import { expect, test } from "vitest";
import { toEvent, toLog, toTask } from "../../test/records.ts";
import { rowsOf } from "./ring.ts";
import { type FeedRow, type GapRow, TRIM_BYTES, toLogRow, toRows } from "./rows.ts";
import { appendRows, dropRows, emptyTail, fillGap, prependRows, type Tail } from "./tail.ts";

const task = toTask({ status: "running" });
const logRow = (message: string) => toLogRow(toLog({ message }), 100);
const progress = (version: number, of = task) =>
  toRows(
    [
      {
        frame: { type: "task", cursor: "c", event: toEvent({ ...of, version }, "progress"), task: of },
        sizeBytes: 100,
      },
    ],
    null,
    0,
  );
const gap: GapRow = { kind: "gap", key: "gap-0", at: "", reason: "retention", dropped: 2, afterAt: null, weight: 1 };

const brief = (tail: Tail) =>
  [...rowsOf(tail)].map((row: FeedRow) =>
    row.kind === "log" ? row.log.message : row.kind === "event" ? `${row.event.kind}×${row.count}` : row.kind,
  );

test("a record that comes again is held once", () => {
  const [first, second] = [logRow("first"), logRow("second")];
  const tail = appendRows(appendRows(emptyTail, [first, second]), [first, second, logRow("third"), first]);
  expect(brief(tail)).toEqual(["first", "second", "third"]);
});

test("one task's consecutive progress is one row, which keeps its key", () => {
  const [first] = progress(2);
  const one = appendRows(emptyTail, [...(first ? [first] : []), logRow("between"), ...progress(3), ...progress(4)]);
  expect(brief(one)).toEqual(["progress×3", "between"]);
  expect([...rowsOf(one)][0]?.key).toBe(first?.key);
});

test("progress that comes again is not counted again", () => {
  const again = progress(3);
  const tail = appendRows(emptyTail, [...progress(2), ...again]);
  expect(brief(appendRows(tail, again))).toEqual(["progress×2"]);
});

test("another event of the task ends the fold, another task has its own", () => {
  const other = toTask({ status: "running" });
  const started = toRows(
    [{ frame: { type: "task", cursor: "c", event: toEvent({ ...task, version: 4 }, "started"), task }, sizeBytes: 10 }],
    null,
    0,
  );
  const tail = appendRows(emptyTail, [
    ...progress(2),
    ...progress(2, other),
    ...progress(3),
    ...started,
    ...progress(5),
  ]);
  expect(brief(tail)).toEqual(["progress×2", "progress×1", "started×1", "progress×1"]);
});

test("history in front leaves out what is held", () => {
  const [first, second] = [logRow("first"), logRow("second")];
  expect(brief(prependRows(appendRows(emptyTail, [second]), [first, second]))).toEqual(["first", "second"]);
});

test("a gap is filled where it stands, and the rows behind it keep their numbers", () => {
  const tail = appendRows(emptyTail, [logRow("before"), gap, logRow("after")]);
  const filled = fillGap(tail, "gap-0", [logRow("missed one"), logRow("missed two")]);
  expect(brief(filled)).toEqual(["before", "missed one", "missed two", "after"]);
  expect(filled.end).toBe(tail.end);
});

test("rows can be taken out, and the rows behind them keep their numbers", () => {
  const [first, second, third] = [logRow("first"), logRow("second"), logRow("third")];
  const tail = appendRows(emptyTail, [first, second, third]);
  const left = dropRows(tail, new Set([second.key]));
  expect([brief(left), left.end]).toEqual([["first", "third"], tail.end]);
});

test("a very long record is held without its data", () => {
  const log = toLog({ data: { big: "x".repeat(TRIM_BYTES) } });
  expect(toLogRow(log, TRIM_BYTES + 100)).toMatchObject({ trimmed: true, log: { data: {} } });
  expect(toLogRow(toLog({ data: { small: 1 } }), 100)).toMatchObject({ trimmed: false, log: { data: { small: 1 } } });
});
