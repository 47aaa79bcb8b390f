import { compileCheck } from "@signalbox/common/validate.ts";
import { type Static, type TSchema, Type } from "typebox";
import { Refusal } from "./state.ts";

/* What PostHog documents of the calls that a watcher makes, narrower where its documents leave much open. */

const closed = { additionalProperties: false } as const;
const Text = Type.String({ minLength: 1 });

const refreshWords = [
  "blocking",
  "async",
  "lazy_async",
  "force_blocking",
  "force_async",
  "force_cache",
  "async_except_on_cache_miss",
] as const;

const HogqlQuery = Type.Object(
  {
    kind: Type.Literal("HogQLQuery"),
    query: Text,
    values: Type.Optional(Type.Record(Type.String(), Type.Unknown())),
    name: Type.Optional(Text),
    explain: Type.Optional(Type.Boolean()),
  },
  closed,
);

const DateRange = Type.Object(
  {
    date_from: Text,
    date_to: Type.Optional(Type.Union([Text, Type.Null()])),
    explicitDate: Type.Optional(Type.Boolean()),
  },
  closed,
);

/** The part of a trend that a saved insight of the stand-in has. */
export const TrendsQuery = Type.Object(
  {
    kind: Type.Literal("TrendsQuery"),
    series: Type.Array(
      Type.Object(
        {
          kind: Type.Literal("EventsNode"),
          event: Text,
          name: Type.Optional(Text),
          math: Type.Optional(Type.Enum(["total", "dau"])),
        },
        closed,
      ),
      { minItems: 1 },
    ),
    interval: Type.Optional(Type.Enum(["minute", "hour", "day", "week", "month"])),
    dateRange: Type.Optional(DateRange),
  },
  closed,
);
export type TrendsQuery = Static<typeof TrendsQuery>;

const ErrorTrackingQuery = Type.Object(
  {
    kind: Type.Literal("ErrorTrackingQuery"),
    dateRange: DateRange,
    orderBy: Type.Enum(["last_seen", "first_seen", "occurrences", "users", "sessions"]),
    status: Type.Optional(Type.Enum(["active", "resolved", "archived", "suppressed", "pending_release", "all"])),
    limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 100 })),
    volumeResolution: Type.Integer({ minimum: 0 }),
  },
  closed,
);
export type ErrorTrackingQuery = Static<typeof ErrorTrackingQuery>;

export const QueryBody = Type.Object(
  {
    query: Type.Union([HogqlQuery, TrendsQuery, ErrorTrackingQuery]),
    refresh: Type.Optional(Type.Enum([...refreshWords])),
    name: Type.Optional(Type.String({ maxLength: 128 })),
    client_query_id: Type.Optional(Type.String({ maxLength: 100 })),
  },
  closed,
);
export type QueryBody = Static<typeof QueryBody>;

export const FlagPatch = Type.Object(
  {
    active: Type.Optional(Type.Boolean()),
    filters: Type.Optional(Type.Record(Type.String(), Type.Unknown())),
    name: Type.Optional(Type.String()),
    version: Type.Optional(Type.Integer()),
    original_flag: Type.Optional(Type.Record(Type.String(), Type.Unknown())),
  },
  { ...closed, minProperties: 1 },
);
export type FlagPatch = Static<typeof FlagPatch>;

export const AnnotationBody = Type.Object(
  {
    content: Type.String({ minLength: 1, maxLength: 8_192 }),
    date_marker: Type.String({ format: "date-time" }),
    scope: Type.Optional(Type.Enum(["project", "organization", "dashboard", "dashboard_item"])),
    creation_type: Type.Optional(Type.Enum(["USR", "GIT"])),
  },
  closed,
);
export type AnnotationBody = Static<typeof AnnotationBody>;

const checks = new Map<TSchema, ReturnType<typeof compileCheck>>();

/** @throws Refusal 400 that names the first problem */
export function ensureBody<S extends TSchema>(schema: S, body: unknown): Static<S> {
  const check = checks.get(schema) ?? compileCheck(schema);
  checks.set(schema, check);
  const [problem] = check(body) ?? [];
  if (problem)
    throw new Refusal(400, `${problem.path || "body"} ${problem.message}`, { attr: problem.path.slice(1) || null });
  return body as Static<S>;
}

const listWords = ["limit", "offset", "search"];
const queryWords: Record<string, string[]> = {
  feature_flags: [...listWords, "active"],
  insights: [...listWords, "short_id", "basic"],
  annotations: [...listWords, "date_from", "date_to", "scope"],
};

/** A parameter that PostHog does not know it ignores, which hides a mistake; here it is one. @throws Refusal 400 */
export function ensureQuery(resource: string, query: URLSearchParams): void {
  const unknown = [...query.keys()].find((key) => !(queryWords[resource] ?? []).includes(key));
  if (unknown !== undefined) throw new Refusal(400, `Unknown query parameter ${unknown}`, { attr: unknown });
}
