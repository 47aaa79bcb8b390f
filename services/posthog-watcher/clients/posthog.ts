import { PosthogError } from "../posthog-failure.ts";
import { textOf, toList, toRecord } from "../unknown-json.ts";
import { buildPosthogHttp, type HttpOptions } from "./posthog-http.ts";
import { askPosthog, type Question } from "./posthog-queries.ts";

export type Flag = { id: number; key: string; active: boolean; version: number | null; raw: Record<string, unknown> };
export type Annotation = { id: number; content: string; at: string };
export type Issue = { id: string; name: string; status: string };

export type Posthog = ReturnType<typeof buildPosthog>;

/** PostHog's API, as far as the watcher uses it; read calls unless they say otherwise. Every failure is a PosthogError. */
export function buildPosthog(options: HttpOptions) {
  const http = buildPosthogHttp(options);
  const list = async (path: string, query: Record<string, string>) =>
    toList(toRecord(await http.call("GET", path, { query })).results);

  return {
    budget: http.budget,
    close: http.close,
    ask: (question: Question) => askPosthog({ http, options }, question),

    /** The query that an insight has saved. */
    async getInsightQuery(shortId: string): Promise<Record<string, unknown>> {
      const [found] = await list("/insights/", { short_id: shortId });
      if (found === undefined) throw new PosthogError("wrong", `there is no insight ${shortId}`);
      return toPlainQuery(toRecord(toRecord(found).query));
    },

    listFlags: async (): Promise<Flag[]> => (await list("/feature_flags/", { limit: "500" })).map(toFlag),

    /** By its key; null when there is none. */
    async findFlag(key: string): Promise<Flag | null> {
      const found = (await list("/feature_flags/", { search: key })).map(toFlag);
      return found.find((flag) => flag.key === key) ?? null;
    },

    /** Writes. The version alone is no protection; with the original a change in between is a conflict (status 409). */
    async setFlag(flag: Flag, active: boolean): Promise<Flag> {
      const body = { active, ...(flag.version !== null && { version: flag.version }), original_flag: flag.raw };
      return toFlag(await http.call("PATCH", `/feature_flags/${flag.id}/`, { body }));
    },

    listAnnotations: async (query: Record<string, string>): Promise<Annotation[]> =>
      (await list("/annotations/", query)).map(toAnnotation),

    /** Writes; there is no idempotency, so look for it before. */
    async createAnnotation(content: string, at: string): Promise<Annotation> {
      const body = { content, date_marker: at, scope: "project" };
      return toAnnotation(await http.call("POST", "/annotations/", { body }));
    },

    /** An issue of error tracking; null when there is none. */
    async findIssue(id: string): Promise<Issue | null> {
      const found = await http.call("GET", `/error_tracking/issues/${encodeURIComponent(id)}/`).catch(nullIfWrong);
      const { name, status } = toRecord(found);
      return found === null ? null : { id, name: textOf(name), status: textOf(status) };
    },
  };
}

function nullIfWrong(error: unknown): null {
  if (error instanceof PosthogError && error.kind === "wrong") return null;
  throw error;
}

/** What an insight shows, without how it shows it. */
function toPlainQuery(query: Record<string, unknown>): Record<string, unknown> {
  const { source } = query;
  return typeof source === "object" && source !== null ? toPlainQuery(toRecord(source)) : query;
}

function toFlag(raw: unknown): Flag {
  const flag = toRecord(raw);
  const version = typeof flag.version === "number" ? flag.version : null;
  return { id: Number(flag.id), key: textOf(flag.key), active: flag.active === true, version, raw: flag };
}

function toAnnotation(raw: unknown): Annotation {
  const { id, content, date_marker: at } = toRecord(raw);
  return { id: Number(id), content: textOf(content), at: textOf(at) };
}
