import { type PlannedQuery, planQueries, splitQuery, type Wanted } from "../bucket-query.ts";
import type { QueryAnswer } from "../clients/posthog-queries.ts";
import type { Monitor } from "../monitor.ts";
import { PosthogError } from "../posthog-failure.ts";
import { type Answer, type Point, toPoints, UnreadableError } from "../query-rows.ts";
import { textOf, toList, toRecord } from "../unknown-json.ts";
import type { Kit } from "./kit.ts";

export type SeriesRead = {
  monitor: Monitor;
  from: number;
  to: number;
  points: Point[];
  query: { text: string; values: Record<string, unknown>; lastRefresh: string | null };
};

export type ReadFailure = { monitor: string; error: PosthogError | UnreadableError };
export type ReadResult = { reads: SeriesRead[]; failures: ReadFailure[] };

const bigMs = 14 * 86_400_000;

type Reader = Pick<Kit, "posthog" | "pins">;

/** Reads every series that is wanted, in as few queries as can be. What fails says nothing about its monitor but that it is blind. */
export async function readSeries(reader: Reader, wanted: readonly Wanted[], signal: AbortSignal): Promise<ReadResult> {
  const insights = wanted.filter(({ monitor }) => monitor.source.kind === "insight");
  const results = await Promise.all([
    ...planQueries(wanted, reader.pins).map((query) => readQuery(reader, { query, wanted, signal })),
    ...insights.map((one) => readInsight(reader, one, signal)),
  ]);
  return { reads: results.flatMap(({ reads }) => reads), failures: results.flatMap(({ failures }) => failures) };
}

type Reading = { query: PlannedQuery; wanted: readonly Wanted[]; signal: AbortSignal };

async function readQuery(reader: Reader, { query, wanted, signal }: Reading): Promise<ReadResult> {
  try {
    const answer = await ask(reader, query, signal);
    return toReads(query, { wanted, answer, lastRefresh: answer.lastRefresh });
  } catch (error) {
    if (!(error instanceof PosthogError)) throw error;
    if (error.kind !== "wrong" || query.columns.length === 1) return failAll(query, error);
    const parts = splitQuery(query, wanted, reader.pins);
    const results = await Promise.all(parts.map((part) => readQuery(reader, { query: part, wanted, signal })));
    return { reads: results.flatMap(({ reads }) => reads), failures: results.flatMap(({ failures }) => failures) };
  }
}

function ask({ posthog }: Reader, query: PlannedQuery, signal: AbortSignal): Promise<QueryAnswer & Answer> {
  const [first] = query.columns;
  const name = query.columns.length === 1 ? (first?.monitor ?? "monitor") : `${query.columns.length} monitors`;
  const { text, values, from, to } = query;
  return posthog.ask({ name, query: { kind: "HogQLQuery", query: text, values }, isBig: to - from > bigMs, signal });
}

function failAll({ columns }: PlannedQuery, error: PosthogError): ReadResult {
  return { reads: [], failures: columns.map(({ monitor }) => ({ monitor, error })) };
}

type Answered = { wanted: readonly Wanted[]; answer: Answer; lastRefresh: string | null };

function toReads(query: PlannedQuery, { wanted, answer, lastRefresh }: Answered): ReadResult {
  const result: ReadResult = { reads: [], failures: [] };
  const { text, values, from, to } = query;
  for (const column of query.columns) {
    const monitor = wanted.find((one) => one.monitor.name === column.monitor)?.monitor;
    if (monitor === undefined) continue;
    try {
      const points = toPoints(query, column, { answer, fill: monitor.fill });
      result.reads.push({ monitor, from, to, points, query: { text, values, lastRefresh } });
    } catch (error) {
      if (!(error instanceof UnreadableError)) throw error;
      result.failures.push({ monitor: monitor.name, error });
    }
  }
  return result;
}

const intervals: Record<number, string> = { 3600000: "hour", 86400000: "day" };

/** A saved insight: a trend's first series, or the HogQL that it holds. */
async function readInsight(reader: Reader, { monitor, from, to }: Wanted, signal: AbortSignal): Promise<ReadResult> {
  try {
    const { source } = monitor;
    if (source.kind !== "insight") return { reads: [], failures: [] };
    const saved = await reader.posthog.getInsightQuery(source.shortId);
    if (saved.kind === "HogQLQuery") {
      const written: Monitor = { ...monitor, source: { kind: "query", text: textOf(saved.query) } };
      const [query] = planQueries([{ monitor: written, from, to }], reader.pins);
      return query
        ? await readQuery(reader, { query, wanted: [{ monitor, from, to }], signal })
        : { reads: [], failures: [] };
    }
    return await readTrend(reader, { saved, monitor, from, to, signal });
  } catch (error) {
    if (!(error instanceof PosthogError || error instanceof UnreadableError)) throw error;
    return { reads: [], failures: [{ monitor: monitor.name, error }] };
  }
}

type Trend = Wanted & { saved: Record<string, unknown>; signal: AbortSignal };

async function readTrend({ posthog }: Reader, { saved, monitor, from, to, signal }: Trend): Promise<ReadResult> {
  const interval = intervals[monitor.bucketMs];
  if (saved.kind !== "TrendsQuery" || interval === undefined) {
    throw new PosthogError(
      "wrong",
      `an insight of kind ${textOf(saved.kind)} cannot be watched in these buckets; use a trend by hour or day`,
    );
  }
  const [date_from, date_to] = [from, to - 1].map((at) => new Date(at).toISOString());
  const query = { ...saved, interval, dateRange: { date_from, date_to, explicitDate: true } };
  const answer = await posthog.ask({ name: monitor.name, query, isBig: to - from > bigMs, signal });
  const [first] = answer.results.map(toRecord);
  const [days, data] = [toList(first?.days), toList(first?.data)];
  const planned: PlannedQuery = {
    ...{ text: JSON.stringify(query), values: {}, from, to, bucketMs: monitor.bucketMs, isOwn: true },
    columns: [{ monitor: monitor.name, value: "v", volume: null, key: null, isShare: false }],
  };
  const rows = days.map((day, index) => [day, data[index]]);
  return toReads(planned, {
    wanted: [{ monitor, from, to }],
    answer: { columns: ["t", "v"], rows },
    lastRefresh: answer.lastRefresh,
  });
}
