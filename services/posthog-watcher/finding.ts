/* What was found: the shape that everybody sees, and what a person may do with it. */
import { Instant, List, Nullable, Uuid } from "@signalbox/common/contracts/primitives.ts";
import { type Static, Type } from "typebox";
import { type Monitor, Severity, severities } from "./monitor.ts";
import { changePercentOf, type Direction, type Observation } from "./track.ts";

const closed = { additionalProperties: false } as const;

export const findingStatuses = ["open", "acknowledged", "snoozed", "resolved", "declined"] as const;
export type FindingStatus = (typeof findingStatuses)[number];

/** Something that happened near the beginning. Near in time is not proven; the likeliest comes first. */
export const Cause = Type.Object(
  {
    kind: Type.Enum(["deploy", "rollback", "config", "flag", "push", "task_failure", "drift", "annotation", "finding"]),
    id: Type.String(),
    title: Type.String(),
    at: Instant,
    minutesBefore: Type.Number({ description: "below zero when it came after the first bad bucket had begun" }),
    likelihood: Type.Number({ minimum: 0, maximum: 1, description: "to sort by, not a probability" }),
    why: Type.String(),
  },
  closed,
);
export type Cause = Static<typeof Cause>;

const ChartPoint = Type.Object(
  {
    at: Instant,
    value: Type.Number(),
    expected: Nullable(Type.Number()),
    low: Nullable(Type.Number()),
    high: Nullable(Type.Number()),
  },
  closed,
);
export type ChartPoint = Static<typeof ChartPoint>;

/** Stored when it was raised, and never computed anew: what somebody decided by must still be there later. */
export const Evidence = Type.Object(
  {
    direction: Type.Enum(["up", "down"]),
    since: Instant,
    at: Instant,
    value: Type.Number(),
    expected: Nullable(Type.Number()),
    low: Nullable(Type.Number()),
    high: Nullable(Type.Number()),
    changePercent: Nullable(Type.Number()),
    score: Type.Number(),
    volume: Nullable(Type.Number()),
    series: Nullable(Type.String()),
    rule: Type.Object(
      { detector: Type.String(), score: Type.Number(), minChangePercent: Type.Number(), for: Type.Integer() },
      closed,
    ),
    query: Nullable(
      Type.Object(
        {
          text: Type.String(),
          hash: Type.String(),
          values: Type.Record(Type.String(), Type.Unknown()),
          lastRefresh: Nullable(Type.String()),
        },
        closed,
      ),
    ),
    chart: Type.Array(ChartPoint),
    notes: Type.Array(Type.String()),
    links: Type.Array(Type.Object({ title: Type.String(), url: Type.String() }, closed)),
  },
  closed,
);
export type Evidence = Static<typeof Evidence>;

/** What was seen after it was raised. */
export const Observed = Type.Object(
  {
    count: Type.Integer({ minimum: 1, description: "bad buckets" }),
    peakScore: Type.Number(),
    lastAt: Instant,
    lastValue: Type.Number(),
  },
  closed,
);
export type Observed = Static<typeof Observed>;

export const Finding = Type.Object(
  {
    id: Uuid,
    monitor: Type.String(),
    status: Type.Enum([...findingStatuses]),
    severity: Severity,
    title: Type.String(),
    openedAt: Instant,
    evidence: Evidence,
    probableCauses: Type.Array(Cause),
    proposedTaskIds: Type.Array(Uuid),
    version: Type.Integer({ minimum: 1 }),
    dedupeKey: Type.String(),
    group: Nullable(Type.String()),
    owner: Nullable(Type.String()),
    runbook: Nullable(Type.String()),
    observed: Observed,
    snoozedUntil: Nullable(Instant),
    resolvedAt: Nullable(Instant),
    updatedAt: Instant,
    reopened: Type.Integer({ minimum: 0, description: "how often it came back within its cooldown" }),
    note: Nullable(Type.String({ description: "why it was declined or resolved" })),
  },
  { ...closed, $id: "Finding" },
);
export type Finding = Static<typeof Finding>;

const findingEventKinds = [
  "opened",
  "worsened",
  "revised",
  "reopened",
  "acknowledged",
  "snoozed",
  "woke",
  "resolved",
  "declined",
  "suppressed",
  "proposed",
  "not_proposed",
  "executed",
  "checked",
  "reversed",
] as const;
export type FindingEventKind = (typeof findingEventKinds)[number];

export const FindingEvent = Type.Object(
  {
    id: Uuid,
    kind: Type.Enum([...findingEventKinds]),
    actor: Type.String(),
    at: Instant,
    data: Type.Record(Type.String(), Type.Unknown()),
  },
  closed,
);
export type FindingEvent = Static<typeof FindingEvent>;

export const FindingWithEvents = Type.Object({ ...Finding.properties, events: Type.Array(FindingEvent) }, closed);
export const FindingList = List(Finding);

export const FindingQuery = Type.Object(
  {
    status: Type.Optional(
      Type.String({ pattern: `^(?:${findingStatuses.join("|")})(?:,(?:${findingStatuses.join("|")}))*$` }),
    ),
    severity: Type.Optional(Type.String({ pattern: `^(?:${severities.join("|")})(?:,(?:${severities.join("|")}))*$` })),
    monitor: Type.Optional(Type.String({ minLength: 1, maxLength: 100 })),
    limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 200 })),
    cursor: Type.Optional(Type.String({ minLength: 1, maxLength: 512 })),
  },
  closed,
);
export type FindingQuery = Static<typeof FindingQuery>;

/** One problem, one key: a monitor's series in one direction. */
export function dedupeKeyOf(monitor: string, series: string | null, direction: Direction): string {
  return [monitor, ...(series === null ? [] : [series]), direction].join("/");
}

/** What stands in lists and messages: which way, how much, and the two numbers. */
export function titleOf(monitor: Monitor, series: string | null, { seen }: { seen: Observation }): string {
  const { source, bucketMs, title } = monitor;
  if (source.kind === "errors")
    return `${title}: a new error, ${series ?? ""}, ${countText(seen.value)} times`.replace(" , ", " ");
  const way = seen.score < 0 ? "down" : "up";
  const change = changePercentOf(seen);
  const value = figure(seen.value, monitor);
  if (seen.expected === null || change === null)
    return `${title}: ${value} ${perText(bucketMs)}, ${limitText(monitor, way)}`;
  const much =
    Math.abs(change) >= 1_000 ? `${Math.round(Math.abs(change) / 100)} times` : `${Math.round(Math.abs(change))} %`;
  return `${title}: ${way} ${much}, ${value} instead of ${figure(seen.expected, monitor)} ${perText(bucketMs)}`;
}

function countText(value: number): string {
  return String(Math.round(value));
}

function limitText({ limits }: Monitor, way: Direction): string {
  const limit = way === "up" ? limits.above : limits.below;
  return limit === undefined ? `${way} without anything to compare with` : `the limit is ${limit}`;
}

/** As many digits as a reader needs. */
function figure(value: number, { noise }: Pick<Monitor, "noise">): string {
  if (noise === "share") return `${(100 * value).toFixed(1)} %`;
  if (Math.abs(value) >= 100 || Number.isInteger(value)) return String(Math.round(value));
  return value.toPrecision(3);
}

const lengths: [number, string][] = [
  [86_400_000, "a day"],
  [3_600_000, "an hour"],
  [900_000, "in 15 minutes"],
];

function perText(bucketMs: number): string {
  return lengths.find(([ms]) => ms === bucketMs)?.[1] ?? "in 5 minutes";
}
