import { randomUUID } from "node:crypto";
import { setTimeout as rest } from "node:timers/promises";
import { PosthogError } from "../posthog-failure.ts";
import { textOf, toList, toRecord } from "../unknown-json.ts";
import type { HttpOptions, PosthogHttp } from "./posthog-http.ts";

export type Question = {
  /** shown in PostHog's own list of queries */
  name: string;
  query: Record<string, unknown>;
  /** it may take long: asked for asynchronously */
  isBig: boolean;
  signal?: AbortSignal;
};

export type QueryAnswer = { columns: string[]; rows: unknown[][]; results: unknown[]; lastRefresh: string | null };

const firstPollMs = 1_000;
const longestPollMs = 10_000;
const asyncLimitMs = 5 * 60_000;
/** A clock may be off by so much before an answer counts as one of yesterday. */
const skewMs = 5 * 60_000;

type Asker = { http: PosthogHttp; options: Pick<HttpOptions, "clock" | "patience"> };

/** Never a cached answer: what was true an hour ago proves nothing now. An answer that is none is asked for once more. */
export async function askPosthog(asker: Asker, question: Question): Promise<QueryAnswer> {
  const askedAt = asker.options.clock();
  const first = await askOnce(asker, question);
  try {
    return toAnswer(first, askedAt);
  } catch (error) {
    if (!(error instanceof PosthogError) || error.kind !== "unknown") throw error;
    return toAnswer(await askOnce(asker, question), askedAt);
  }
}

async function askOnce(
  { http, options }: Asker,
  { name, query, isBig, signal }: Question,
): Promise<Record<string, unknown>> {
  const id = randomUUID();
  const refresh = isBig ? "force_async" : "force_blocking";
  const body = { query, refresh, name: `signalbox:${name}`.slice(0, 128), client_query_id: id };
  const first = toRecord(await http.call("POST", "/query/", { body, ...(signal && { signal }) }));
  const pending = toRecord(first.query_status);
  const isPending = first.results === undefined && Object.keys(pending).length > 0;
  return isPending ? toRecord(await poll({ http, options }, textOf(pending.id) || id, signal)) : first;
}

async function poll({ http, options }: Asker, id: string, signal: AbortSignal | undefined): Promise<unknown> {
  const giveUpAt = performance.now() + asyncLimitMs;
  for (let pauseMs = firstPollMs; performance.now() < giveUpAt; pauseMs = Math.min(longestPollMs, pauseMs * 2)) {
    await rest(pauseMs * options.patience, undefined, signal && { signal });
    const answer = await http.call("GET", `/query/${id}/`, signal ? { signal } : {}).catch(explainForgotten);
    const status = toRecord(toRecord(answer).query_status);
    if (status.error === true)
      throw new PosthogError("unknown", `PostHog could not answer: ${textOf(status.error_message)}`);
    if (status.complete === true) return status.results;
  }
  await http.call("DELETE", `/query/${id}/`).catch(() => null);
  throw new PosthogError("unknown", "PostHog did not answer within five minutes");
}

/** The record of an ended query is forgotten after some time: that is no answer, and not "no data". */
function explainForgotten(error: unknown): never {
  if (error instanceof PosthogError && error.status === 404) {
    throw new PosthogError("unknown", "PostHog has forgotten the query", { cause: error });
  }
  throw error;
}

function toAnswer(answer: Record<string, unknown>, askedAt: number): QueryAnswer {
  const { results } = answer;
  if (!Array.isArray(results) || textOf(answer.error) !== "") {
    throw new PosthogError(
      "unknown",
      `PostHog could not answer: ${textOf(answer.error).slice(0, 300) || "there are no results"}`,
    );
  }
  const lastRefresh = textOf(answer.last_refresh) || null;
  ensureFresh(answer, lastRefresh, askedAt);
  const columns = toList(answer.columns).map(String);
  return { columns, rows: results.filter((row) => Array.isArray(row)), results, lastRefresh };
}

/** @throws PosthogError for an answer that is old or not whole */
function ensureFresh(answer: Record<string, unknown>, lastRefresh: string | null, askedAt: number): void {
  if (answer.is_cached === true) throw new PosthogError("unknown", "PostHog answered from its cache");
  if (lastRefresh !== null && Date.parse(lastRefresh) < askedAt - skewMs) {
    throw new PosthogError("unknown", `PostHog's answer is of ${lastRefresh}`);
  }
  if (answer.hasMore === true) throw new PosthogError("wrong", "the query has more rows than one answer can hold");
}
