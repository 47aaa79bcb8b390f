/*
 * Which queries a run makes. Monitors of plain events and funnels that want the same time range share a query, a column each, because
 * requests are what is scarce. Everything that comes from a definition goes into `values`; names of properties, which HogQL takes
 * in the text alone, are of a shape that cannot end a name. Bounds are explicit and in UTC, and buckets are numbers, so that no time
 * zone of a project moves them.
 */
import type { Monitor } from "./monitor.ts";
import type { Pins } from "./monitor-check.ts";

export type Wanted = { monitor: Monitor; from: number; to: number };

export type Column = {
  monitor: string;
  /** names of the answer's columns */
  value: string;
  volume: string | null;
  key: string | null;
  /** the value is what `value` has of `volume` */
  isShare: boolean;
};

export type PlannedQuery = {
  text: string;
  values: Record<string, string | number | boolean | string[]>;
  columns: Column[];
  from: number;
  to: number;
  bucketMs: number;
  /** a person wrote it, so its columns have whatever names */
  isOwn: boolean;
};

const mostColumns = 20;
const mostRows = 50_000;

export function planQueries(wanted: readonly Wanted[], pins: Pins): PlannedQuery[] {
  const shared = wanted.filter(({ monitor: { source } }) => source.kind === "event" || source.kind === "funnel");
  const groups = Map.groupBy(shared, ({ monitor, from, to }) => `${monitor.bucketMs} ${from} ${to}`);
  const batches = [...groups.values()].flatMap((group) => cut(group).map((batch) => planBatch(batch, pins)));
  const own = wanted.flatMap((one) => planOwn(one, pins));
  return [...batches, ...own];
}

function cut(group: readonly Wanted[]): Wanted[][] {
  return Array.from({ length: Math.ceil(group.length / mostColumns) }, (_, index) =>
    group.slice(index * mostColumns, (index + 1) * mostColumns),
  );
}

/** The same monitors, a query each: when a shared one is refused, only the one that is wrong shall stay blind. */
export function splitQuery(query: PlannedQuery, wanted: readonly Wanted[], pins: Pins): PlannedQuery[] {
  const names = query.columns.map(({ monitor }) => monitor);
  return wanted.filter(({ monitor }) => names.includes(monitor.name)).map((one) => planBatch([one], pins));
}

/** What gathers the values of a statement's placeholders. */
class Values {
  readonly all: PlannedQuery["values"] = {};

  /** The placeholder that stands for a value. */
  put(value: string | number | boolean | string[]): string {
    const name = `p${Object.keys(this.all).length}`;
    this.all[name] = value;
    return `{${name}}`;
  }
}

function planBatch(batch: readonly Wanted[], pins: Pins): PlannedQuery {
  const [first] = batch;
  if (first === undefined) throw new RangeError("a query is about at least one monitor");
  const values = new Values();
  const columns: Column[] = [];
  const selected = batch.flatMap(({ monitor }, index) => {
    const { texts, column } = toColumns(monitor, index, values);
    columns.push(column);
    return texts;
  });
  const events = [...new Set(batch.flatMap(({ monitor }) => eventsOf(monitor)))];
  const { from, to, monitor } = first;
  const conditions = [`event IN ${values.put(events)}`, ...rangeOf(from, to, values), ...pinned(pins, values)];
  const text = toHogql([timeOf(monitor.bucketMs), ...selected], conditions, "t");
  return { text, values: values.all, columns, from, to, bucketMs: monitor.bucketMs, isOwn: false };
}

function toHogql(columns: readonly string[], conditions: readonly string[], groupBy: string): string {
  const parts = [
    "SELECT",
    columns.join(", "),
    "FROM events WHERE",
    conditions.join(" AND "),
    "GROUP BY",
    groupBy,
    "ORDER BY t LIMIT",
  ];
  return [...parts, mostRows].join(" ");
}

function timeOf(bucketMs: number): string {
  const seconds = bucketMs / 1_000;
  return `intDiv(toUnixTimestamp(timestamp), ${seconds}) * ${seconds} AS t`;
}

function rangeOf(from: number, to: number, values: Values): string[] {
  const [lower, upper] = [from, to].map((at) => values.put(new Date(at).toISOString()));
  return [`timestamp >= toDateTime(${lower})`, `timestamp < toDateTime(${upper})`];
}

function pinned({ properties }: Pins, values: Values): string[] {
  return properties.map(({ name, value }) => `${propertyOf(name)} = ${values.put(value)}`);
}

/** Names have no backtick, by the schema of definitions and of the settings. */
function propertyOf(name: string): string {
  return `properties.\`${name}\``;
}

function eventsOf({ source }: Monitor): string[] {
  if (source.kind === "event") return [source.event];
  return source.kind === "funnel" ? [source.from, source.to] : [];
}

function toColumns(monitor: Monitor, index: number, values: Values): { texts: string[]; column: Column } {
  const { name, source, where } = monitor;
  const matches = Object.entries(where).map(([property, value]) => `${propertyOf(property)} = ${values.put(value)}`);
  const of = (event: string) => [`event = ${values.put(event)}`, ...matches].join(" AND ");
  const [value, volume] = [`v${index}`, `n${index}`];
  const base = { monitor: name, value, key: null };
  if (source.kind === "funnel") {
    const texts = [`countIf(${of(source.to)}) AS ${value}`, `countIf(${of(source.from)}) AS ${volume}`];
    return { texts, column: { ...base, volume, isShare: true } };
  }
  if (source.kind !== "event") throw new RangeError(`${name} cannot share a query`);
  const condition = of(source.event);
  const { measure } = source;
  if (measure === "count") return one(`countIf(${condition}) AS ${value}`, base);
  if (measure === "people") return one(`uniqIf(person_id, ${condition}) AS ${value}`, base);
  if ("sum" in measure) return one(`sumIf(toFloat(${propertyOf(measure.sum)}), ${condition}) AS ${value}`, base);
  const texts = [
    `avgIf(toFloat(${propertyOf(measure.average)}), ${condition}) AS ${value}`,
    `countIf(${condition}) AS ${volume}`,
  ];
  return { texts, column: { ...base, volume, isShare: false } };
}

function one(text: string, base: Omit<Column, "volume" | "isShare">): { texts: string[]; column: Column } {
  return { texts: [text], column: { ...base, volume: null, isShare: false } };
}

function planOwn({ monitor, from, to }: Wanted, pins: Pins): PlannedQuery[] {
  if (monitor.source.kind === "query") return [planWritten(monitor, monitor.source.text, { from, to, pins })];
  return monitor.source.kind === "errors" ? [planErrors(monitor, { from, to, pins })] : [];
}

type Terms = { from: number; to: number; pins: Pins };

/** A moment that is compared with a text would be read in the project's zone; so each is made a moment. */
function planWritten(monitor: Monitor, written: string, { from, to, pins }: Terms): PlannedQuery {
  const values = new Values();
  const events = pins.events.length > 0 ? [`event IN ${values.put([...pins.events])}`] : [];
  const condition = [...events, ...pinned(pins, values)].join(" AND ") || "true";
  const text = written
    .replaceAll("{pinned}", `(${condition})`)
    .replaceAll(/(?<!toDateTime\()\{(from|to)\}/g, "toDateTime({$1})");
  const range = { from: new Date(from).toISOString(), to: new Date(to).toISOString() };
  return {
    text: /\blimit\s+\d+\s*$/i.test(text.trim()) ? text : `${text.trim().replace(/;$/, "")} LIMIT ${mostRows}`,
    values: { ...values.all, ...range },
    columns: [{ monitor: monitor.name, value: "v", volume: "n", key: null, isShare: false }],
    ...{ from, to, bucketMs: monitor.bucketMs, isOwn: true },
  };
}

/** Issues, as error tracking has grouped the exceptions. */
function planErrors(monitor: Monitor, { from, to, pins }: Terms): PlannedQuery {
  const values = new Values();
  const own = Object.entries(monitor.where).map(([name, value]) => `${propertyOf(name)} = ${values.put(value)}`);
  const conditions = [
    `event = ${values.put("$exception")}`,
    ...rangeOf(from, to, values),
    ...own,
    ...pinned(pins, values),
  ];
  const issue = "properties.`$exception_issue_id` AS k";
  const columns = [timeOf(monitor.bucketMs), issue, "count() AS v", "uniq(person_id) AS n"];
  const text = toHogql(columns, conditions, "t, k");
  const answered = [{ monitor: monitor.name, value: "v", volume: "n", key: "k", isShare: false }];
  return { text, values: values.all, columns: answered, from, to, bucketMs: monitor.bucketMs, isOwn: false };
}

/** How much of everything there was, and when the newest of it happened. */
export function planHeartbeat({ from, to, bucketMs }: { from: number; to: number; bucketMs: number }, pins: Pins) {
  const values = new Values();
  const events = pins.events.length > 0 ? [`event IN ${values.put([...pins.events])}`] : [];
  const conditions = [...rangeOf(from, to, values), ...events, ...pinned(pins, values)];
  const columns = [timeOf(bucketMs), "count() AS v", "toUnixTimestamp(max(timestamp)) AS latest"];
  const text = toHogql(columns, conditions, "t");
  return { text, values: values.all };
}
