import { expect, test } from "vitest";
import { type PlannedQuery, planQueries } from "./bucket-query.ts";
import { toMonitor } from "./monitor.ts";
import { toPins } from "./monitor-check.ts";
import { type Answer, fromFirstEvent, toHeartbeat, toPoints } from "./query-rows.ts";

const at = (text: string) => Date.parse(`2026-03-02T${text}:00Z`);
const noPins = toPins({ events: [], properties: [], insights: [], flags: [] });
const range = { from: at("10:00"), to: at("13:00") };

function plan(definition: object, pins = noPins): PlannedQuery {
  const [query] = planQueries([{ monitor: toMonitor("m", definition), ...range }], pins);
  if (!query) throw new Error("no query was planned");
  return query;
}

test("nothing that a definition says stands in the text of a query, but names of properties", () => {
  const query = plan({ event: "x') OR 1=1 --", where: { plan: "a' OR '1'='1", $host: "h" } });
  expect(query.text).toBe(
    "SELECT intDiv(toUnixTimestamp(timestamp), 3600) * 3600 AS t, countIf(event = {p2} AND properties.`plan` = {p0} AND properties.`$host` = {p1}) AS v0 FROM events WHERE event IN {p3} AND timestamp >= toDateTime({p4}) AND timestamp < toDateTime({p5}) GROUP BY t ORDER BY t LIMIT 50000",
  );
  expect(Object.values(query.values)).toEqual([
    "a' OR '1'='1",
    "h",
    "x') OR 1=1 --",
    ["x') OR 1=1 --"],
    "2026-03-02T10:00:00.000Z",
    "2026-03-02T13:00:00.000Z",
  ]);
});

test("a written query gets moments for its bounds, what is pinned, and a limit", () => {
  const pins = toPins({ events: ["signed_up"], properties: ["$host=app"], insights: [], flags: [] });
  const written = "SELECT t, v FROM events WHERE {pinned} AND timestamp >= {from} AND timestamp < toDateTime({to})";
  const query = plan({ query: written }, pins);
  expect(query.text).toBe(
    "SELECT t, v FROM events WHERE (event IN {p0} AND properties.`$host` = {p1}) AND timestamp >= toDateTime({from}) AND timestamp < toDateTime({to}) LIMIT 50000",
  );
  expect(query.values).toMatchObject({ p0: ["signed_up"], p1: "app", from: "2026-03-02T10:00:00.000Z" });
});

test("monitors of one length share queries, twenty to a query; each length has its own", () => {
  const wanted = Array.from({ length: 45 }, (_, index) => ({
    monitor: toMonitor(`m${index}`, { event: `e${index}`, bucket: index < 43 ? "1h" : "1d" }),
    ...range,
  }));
  expect(planQueries(wanted, noPins).map(({ columns }) => columns.length)).toEqual([20, 20, 3, 2]);
});

const pointsOf = (definition: object, answer: Answer) => {
  const query = plan(definition);
  const [column] = query.columns;
  if (!column) throw new Error("no column");
  return toPoints(query, column, { answer, fill: toMonitor("m", definition).fill });
};
const written = { query: "SELECT x FROM events WHERE timestamp >= {from} AND timestamp < {to}" };
const hours = (points: { at: number; value: number }[]) =>
  points.map((point) => [new Date(point.at).getUTCHours(), point.value]);

test.each<[string, unknown]>([
  ["a text with a zone", "2026-03-02T11:00:00Z"],
  ["a text with an offset", "2026-03-02T12:00:00+01:00"],
  ["a text without one", "2026-03-02 11:00:00"],
  ["seconds", at("11:00") / 1_000],
  ["milliseconds", at("11:00")],
])("a time may be %s", (_what, time) => {
  expect(hours(pointsOf(written, { columns: ["t", "v"], rows: [[time, 7]] }))).toEqual([
    [10, 0],
    [11, 7],
    [12, 0],
  ]);
});

test("an empty bucket of a count is zero, of a share it is unknown", () => {
  const rows = [
    [at("11:00") / 1_000, 5, 20],
    [at("12:00") / 1_000, 0, 0],
  ];
  const share = pointsOf({ funnel: { from: "a", to: "b" } }, { columns: ["t", "v0", "n0"], rows });
  expect(share).toEqual([{ at: at("11:00"), value: 0.25, volume: 20 }]);
  expect(hours(pointsOf({ event: "e" }, { columns: ["t", "v0"], rows: [] }))).toEqual([
    [10, 0],
    [11, 0],
    [12, 0],
  ]);
  expect(() => pointsOf({ event: "e", fill: "error" }, { columns: ["t", "v0"], rows: [] })).toThrow(
    "10:00:00.000Z is missing",
  );
});

test.each([
  ["no number", ["2026-03-02T11:00:00Z", "many"], "where a number belongs"],
  ["no time", ["yesterday", 1], "where a time belongs"],
])("%s is no answer", (_what, row, reason) => {
  expect(() => pointsOf(written, { columns: ["t", "v"], rows: [row] })).toThrow(reason);
});

test("columns without names are taken in order", () => {
  expect(pointsOf(written, { columns: [], rows: [["2026-03-02T11:00:00Z", 7]] })).toContainEqual({
    at: at("11:00"),
    value: 7,
  });
});

test("a history begins with its first event", () => {
  const points = [0, 0, 3, 0, 4].map((value, index) => ({ at: index, value }));
  expect(fromFirstEvent(points).map(({ value }) => value)).toEqual([3, 0, 4]);
  expect(fromFirstEvent(points.slice(0, 2))).toHaveLength(2);
});

test("the newest event that has arrived is known, or else its bucket", () => {
  const rows = [
    ["2026-03-02T11:00:00Z", 5, at("11:40") / 1_000],
    ["2026-03-02T12:00:00Z", 0, 0],
  ];
  expect(toHeartbeat({ columns: ["t", "v", "latest"], rows }, 3_600_000).watermark).toBe(at("11:40"));
  expect(toHeartbeat({ columns: [], rows }, 3_600_000).watermark).toBe(at("12:00"));
  expect(toHeartbeat({ columns: [], rows: [] }, 3_600_000).watermark).toBeNull();
});
