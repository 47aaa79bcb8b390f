import { randomUUID } from "node:crypto";
import { type ErrorTrackingQuery, ensureBody, QueryBody, type TrendsQuery } from "./contracts.ts";
import type { Fault } from "./faults.ts";
import { toMoment } from "./hogql-functions.ts";
import { runHogql } from "./hogql-run.ts";
import { HogqlError } from "./hogql-tokens.ts";
import { queriesAtOnce, spend } from "./limits.ts";
import { type Json, Refusal, type Reply, type State, toTime } from "./state.ts";

/** The record of an ended query is forgotten after about so long. */
const rememberedMs = 20 * 60_000;
const hourMs = 60 * 60_000;

/** `POST /query/` */
export function postQuery(state: State, body: unknown, fault: Fault | null): Reply {
  spend(state, "query");
  if (state.running >= queriesAtOnce)
    throw new Refusal(429, "Too many concurrent queries", { code: "concurrency_limit_exceeded" });
  const asked = ensureBody(QueryBody, body);
  const answer = toAnswer(state, asked, fault);
  const isAsync = asked.refresh === "force_async" || asked.refresh === "async";
  return isAsync && fault === null ? postpone(state, asked, answer) : { status: 200, body: answer };
}

function toAnswer(state: State, asked: QueryBody, fault: Fault | null): Json {
  const [now, error] = [state.now(), fault?.message ?? "Query exceeded the maximum execution time"];
  const about = {
    is_cached: false,
    last_refresh: toTime(now),
    cache_key: `cache_${randomUUID()}`,
    timezone: "UTC",
    error: null,
  };
  if (fault?.kind === "error_in_200") return { ...about, results: null, error };
  const found = carryOut(state, asked);
  const isStale = fault?.kind === "cached" || asked.refresh === "force_cache";
  return { ...about, ...found, ...(isStale && { is_cached: true, last_refresh: toTime(now - hourMs) }) };
}

function carryOut(state: State, { query }: QueryBody): Json {
  try {
    if (query.kind === "TrendsQuery") return runTrends(state, query);
    if (query.kind === "ErrorTrackingQuery") return runErrorTracking(state, query);
    const { query: text, values = {} } = query;
    return { ...runHogql({ text, values, events: state.events, nowMs: state.now() }), hogql: text };
  } catch (error) {
    if (error instanceof HogqlError) throw new Refusal(400, error.message, { code: "hogql_error", attr: "query" });
    throw error;
  }
}

function postpone(state: State, asked: QueryBody, answer: Json): Reply {
  const id = asked.client_query_id ?? randomUUID();
  state.pending.set(id, { answer, polls: state.asyncPolls, endedAtMs: null });
  return { status: 202, body: { query_status: statusOf(id, false) } };
}

function statusOf(id: string, isComplete: boolean): Json {
  return { id, complete: isComplete, error: false, error_message: null, query_async: true, results: null };
}

/** `GET /query/:id/`: complete when it was asked for often enough; forgotten some time after. */
export function pollQuery(state: State, id: string): Reply {
  spend(state, "query");
  const pending = state.pending.get(id);
  const isForgotten = pending?.endedAtMs != null && state.now() - pending.endedAtMs > rememberedMs;
  if (!pending || isForgotten) throw new Refusal(404, "Query not found", { code: "not_found" });
  if (pending.polls > 0) {
    pending.polls -= 1;
    return { status: 202, body: { query_status: statusOf(id, false) } };
  }
  pending.endedAtMs ??= state.now();
  const { error } = pending.answer;
  const failed = typeof error === "string" ? { error: true, error_message: error } : {};
  const results = typeof error === "string" ? null : pending.answer;
  return { status: 200, body: { query_status: { ...statusOf(id, true), ...failed, results } } };
}

/** `DELETE /query/:id/` */
export function cancelQuery(state: State, id: string): Reply {
  state.pending.delete(id);
  return { status: 204, body: null };
}

function runTrends(state: State, { series, interval = "day", dateRange }: TrendsQuery): Json {
  const [from, to] = rangeOf(state, dateRange);
  const results = series.map(({ event, name = event, math = "total" }) => {
    const measure = math === "dau" ? "uniq(person_id)" : "count()";
    const text = `SELECT toStartOfInterval(timestamp, INTERVAL 1 ${interval}) AS t, ${measure} AS v FROM events WHERE event = {event} AND timestamp >= {from} AND timestamp < {to} GROUP BY t ORDER BY t LIMIT 50000`;
    const values = { event, from: toTime(from), to: toTime(to) };
    const { results: rows } = runHogql({ text, values, events: state.events, nowMs: state.now() });
    return { label: name, action: { id: event }, days: rows.map(([day]) => day), data: rows.map(([, value]) => value) };
  });
  return { results };
}

function rangeOf(state: State, dateRange: TrendsQuery["dateRange"]): [number, number] {
  const now = state.now();
  const from = dateRange === undefined ? now - 7 * 24 * hourMs : momentOf(dateRange.date_from, now);
  return [from, dateRange?.date_to ? momentOf(dateRange.date_to, now) : now];
}

const relativeMs: Record<string, number> = { h: hourMs, d: 24 * hourMs, w: 7 * 24 * hourMs };

function momentOf(text: string, now: number): number {
  const [, count, unit] = /^-(\d+)([hdw])$/.exec(text) ?? [];
  if (unit !== undefined) return now - Number(count) * (relativeMs[unit] ?? 0);
  const at = toMoment(text)?.getTime();
  if (at === undefined) throw new Refusal(400, `Invalid date ${text}`, { attr: "dateRange" });
  return at;
}

/** Issues are `$exception` events by `$exception_issue_id`. */
function runErrorTracking(state: State, { dateRange, status = "active", limit = 50 }: ErrorTrackingQuery): Json {
  const [from, to] = rangeOf(state, dateRange);
  const counts = new Map<string, { occurrences: number; users: number; first: number; last: number }>();
  for (const row of state.events.between(from, to, state.now())) {
    if (row.event !== "$exception") continue;
    const id = String(row.properties.$exception_issue_id ?? "");
    const known = counts.get(id) ?? { occurrences: 0, users: 0, first: row.at, last: row.at };
    counts.set(id, {
      ...known,
      occurrences: known.occurrences + row.count,
      users: known.users + row.persons,
      last: row.at,
    });
  }
  const results = state.issues
    .filter((issue) => counts.has(issue.id) && (status === "all" || issue.status === status))
    .map((issue) => {
      const { occurrences, users, first, last } = counts.get(issue.id) ?? {
        occurrences: 0,
        users: 0,
        first: from,
        last: to,
      };
      return {
        ...issue,
        first_seen: toTime(first),
        last_seen: toTime(last),
        aggregations: { occurrences, users, sessions: users },
      };
    })
    .sort((a, b) => b.aggregations.occurrences - a.aggregations.occurrences);
  return { results: results.slice(0, limit), hasMore: results.length > limit, limit, offset: 0, columns: [] };
}
