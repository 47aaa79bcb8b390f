/*
 * A monitor: which series is watched, how it is judged, and what is to be done about it. Written as YAML in infra/monitors or as JSON
 * with PUT /monitors/:name; both are the same definition, and become the same monitor with every default filled in.
 */
import { TaskTypeName } from "@signalbox/common/contracts/task.ts";
import { type Static, Type } from "typebox";

const closed = { additionalProperties: false } as const;
const Name = Type.String({ minLength: 1, maxLength: 100, pattern: "^[A-Za-z0-9][A-Za-z0-9._-]*$" });
const Text = Type.String({ minLength: 1, maxLength: 500 });
const Event = Type.String({ minLength: 1, maxLength: 200 });
const Duration = Type.String({ pattern: "^[1-9][0-9]{0,4}(?:m|h|d|w)$", description: "such as 15m, 6h, 2d or 8w" });
const Scalar = Type.Union([Type.String({ maxLength: 1_000 }), Type.Number(), Type.Boolean()]);
const PropertyName = Type.String({ minLength: 1, maxLength: 200, pattern: "^[A-Za-z_$][A-Za-z0-9_$ .-]*$" });

export const severities = ["info", "warning", "critical"] as const;
export type Severity = (typeof severities)[number];
export const Severity = Type.Enum([...severities]);

const buckets = { "5m": 300_000, "15m": 900_000, "1h": 3_600_000, "1d": 86_400_000 } as const;

/** After so many failed runs in a row a monitor is blind. */
export const blindAfter = 3;

const Proposal = Type.Object(
  {
    type: TaskTypeName,
    payload: Type.Optional(Type.Record(Type.String(), Type.Unknown())),
    when: Type.Optional(Type.Enum([...severities], { description: "the least severity; default warning" })),
  },
  closed,
);
export type Proposal = Static<typeof Proposal>;

const oneOrMany = <T extends typeof Proposal>(item: T) =>
  Type.Union([item, Type.Array(item, { minItems: 1, maxItems: 10 })]);

export const MonitorDefinition = Type.Object(
  {
    name: Type.Optional(Name),
    title: Type.Optional(Text),
    enabled: Type.Optional(Type.Boolean({ description: "default true" })),
    query: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: 20_000,
        description: "HogQL with {from} and {to}; columns t, v and perhaps n",
      }),
    ),
    insight: Type.Optional(Type.String({ minLength: 1, maxLength: 100, description: "short id of a saved insight" })),
    event: Type.Optional(Event),
    funnel: Type.Optional(Type.Object({ from: Event, to: Event }, closed)),
    errors: Type.Optional(
      Type.Object(
        { minOccurrences: Type.Optional(Type.Integer({ minimum: 1, description: "in a bucket; default 5" })) },
        closed,
      ),
    ),
    where: Type.Optional(Type.Record(PropertyName, Scalar)),
    measure: Type.Optional(
      Type.Union([
        Type.Enum(["count", "people"]),
        Type.Object({ sum: PropertyName }, closed),
        Type.Object({ average: PropertyName }, closed),
      ]),
    ),
    noise: Type.Optional(Type.Enum(["count", "share", "value"])),
    bucket: Type.Optional(Type.Enum(["5m", "15m", "1h", "1d"])),
    schedule: Type.Optional(Type.String({ pattern: "^every [1-9][0-9]{0,4}(?:m|h|d|w)$" })),
    settle: Type.Optional(Duration),
    fill: Type.Optional(Type.Enum(["zero", "skip", "error"])),
    heartbeat: Type.Optional(Type.Enum(["any-event", "none"])),
    baseline: Type.Optional(
      Type.Object(
        {
          kind: Type.Optional(Type.Enum(["seasonal", "novelty", "last-week", "limits", "silence", "signatures"])),
          season: Type.Optional(Type.Enum(["day", "week"])),
          history: Type.Optional(Duration),
          minHistory: Type.Optional(Duration),
        },
        closed,
      ),
    ),
    direction: Type.Optional(Type.Enum(["up", "down", "both"])),
    trigger: Type.Optional(
      Type.Object(
        {
          score: Type.Optional(Type.Number({ exclusiveMinimum: 0 })),
          above: Type.Optional(Type.Number()),
          below: Type.Optional(Type.Number()),
          minChangePercent: Type.Optional(Type.Number({ minimum: 0, maximum: 10_000 })),
          minVolume: Type.Optional(Type.Number({ minimum: 0 })),
          for: Type.Optional(Type.Integer({ minimum: 1, maximum: 100, description: "bad buckets in a row" })),
        },
        closed,
      ),
    ),
    resolve: Type.Optional(
      Type.Object(
        {
          score: Type.Optional(Type.Number({ exclusiveMinimum: 0 })),
          for: Type.Optional(Type.Integer({ minimum: 1, maximum: 100, description: "good buckets in a row" })),
        },
        closed,
      ),
    ),
    severity: Type.Optional(
      Type.Union([
        Severity,
        Type.Object(
          { warning: Type.Optional(Type.Number({ minimum: 0 })), critical: Type.Optional(Type.Number({ minimum: 0 })) },
          closed,
        ),
      ]),
    ),
    cooldown: Type.Optional(Duration),
    group: Type.Optional(Name),
    owner: Type.Optional(Text),
    runbook: Type.Optional(Text),
    propose: Type.Optional(oneOrMany(Proposal)),
  },
  { ...closed, $id: "MonitorDefinition" },
);
export type MonitorDefinition = Static<typeof MonitorDefinition>;

export type Measure = "count" | "people" | { sum: string } | { average: string };

export type Source =
  | { kind: "query"; text: string }
  | { kind: "insight"; shortId: string }
  | { kind: "event"; event: string; measure: Measure }
  | { kind: "funnel"; from: string; to: string }
  | { kind: "errors" };

export type DetectorKind = "seasonal" | "novelty" | "last-week" | "limits" | "silence" | "signatures";

export type Rule = {
  direction: "up" | "down" | "both";
  score: number;
  minChangePercent: number;
  minVolume: number;
  /** bad buckets in a row that raise a finding; a score of twice the limit raises it at once */
  badFor: number;
  resolveScore: number;
  goodFor: number;
  /** scores from which on it is a warning, and critical */
  warning: number;
  critical: number;
  cooldownMs: number;
};

export type Monitor = {
  name: string;
  title: string;
  isEnabled: boolean;
  source: Source;
  where: Record<string, string | number | boolean>;
  noise: "count" | "share" | "value";
  bucketMs: number;
  everyMs: number;
  settleMs: number;
  fill: "zero" | "skip" | "error";
  hasHeartbeat: boolean;
  detector: DetectorKind;
  limits: { above?: number; below?: number };
  /** how much last week's value may change, for the detector that compares with it */
  changePercent: number;
  season: "day" | "week";
  historyMs: number;
  minHistoryMs: number;
  rule: Rule;
  group: string | null;
  owner: string | null;
  runbook: string | null;
  proposals: { type: string; payload: Record<string, unknown>; when: Severity }[];
};

const unitMs = { m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 } as const;

/** @param text as the schema has it, such as `15m` */
function toMs(text: string): number {
  return Number(text.slice(0, -1)) * (unitMs[text.slice(-1) as keyof typeof unitMs] ?? 0);
}

/** From which score on each detector raises its voice, and what it asks besides; chosen with the detectors, see docs. */
const detectorDefaults: Record<DetectorKind, { score: number; minChangePercent: number; badFor: number }> = {
  seasonal: { score: 5.5, minChangePercent: 15, badFor: 1 },
  novelty: { score: 3.5, minChangePercent: 0, badFor: 1 },
  "last-week": { score: 1, minChangePercent: 0, badFor: 2 },
  limits: { score: 1, minChangePercent: 0, badFor: 1 },
  silence: { score: 1, minChangePercent: 0, badFor: 1 },
  signatures: { score: 1, minChangePercent: 0, badFor: 1 },
};

/** A definition with everything that it leaves open filled in. */
export function toMonitor(name: string, given: MonitorDefinition): Monitor {
  const source = toSource(given);
  const detector = given.baseline?.kind ?? defaultDetector(given, source);
  return {
    name,
    source,
    detector,
    ...toAbout(name, given),
    ...toReading(given, source),
    ...toBaseline(given, detector),
    rule: toRule(given, detector),
    proposals: toProposals(given.propose),
  };
}

function toAbout(name: string, { title = name, enabled = true, group, owner, runbook }: MonitorDefinition) {
  return { title, isEnabled: enabled, group: group ?? null, owner: owner ?? null, runbook: runbook ?? null };
}

function toReading(given: MonitorDefinition, source: Source) {
  const { bucket = "1h", settle = "15m", noise = noiseOf(source), where = {}, schedule } = given;
  return {
    where,
    noise,
    bucketMs: buckets[bucket],
    everyMs: schedule === undefined ? buckets[bucket] : toMs(schedule.slice("every ".length)),
    settleMs: toMs(settle),
    fill: given.fill ?? (noise === "count" ? ("zero" as const) : ("skip" as const)),
    hasHeartbeat: given.heartbeat !== "none",
  };
}

function toBaseline({ baseline = {}, trigger = {} }: MonitorDefinition, detector: DetectorKind) {
  const { season = "week", history = detector === "novelty" ? "2w" : "8w", minHistory = "2w" } = baseline;
  const { above, below, minChangePercent = 30 } = trigger;
  return {
    season,
    historyMs: toMs(history),
    minHistoryMs: toMs(minHistory),
    limits: { ...(above !== undefined && { above }), ...(below !== undefined && { below }) },
    changePercent: minChangePercent,
  };
}

function toSource(given: MonitorDefinition): Source {
  if (given.query !== undefined) return { kind: "query", text: given.query };
  if (given.insight !== undefined) return { kind: "insight", shortId: given.insight };
  if (given.funnel !== undefined) return { kind: "funnel", ...given.funnel };
  if (given.errors !== undefined) return { kind: "errors" };
  return { kind: "event", event: given.event ?? "", measure: given.measure ?? "count" };
}

function defaultDetector({ trigger }: MonitorDefinition, source: Source): DetectorKind {
  if (source.kind === "errors") return "signatures";
  return trigger?.above !== undefined || trigger?.below !== undefined ? "limits" : "seasonal";
}

function noiseOf(source: Source): Monitor["noise"] {
  if (source.kind === "funnel") return "share";
  const isMean = source.kind === "event" && typeof source.measure === "object" && "average" in source.measure;
  return isMean ? "value" : "count";
}

function toRule(given: MonitorDefinition, detector: DetectorKind): Rule {
  const base = detectorDefaults[detector];
  const { trigger = {}, resolve = {}, errors } = given;
  // The change against last week is the limit itself there, not a further condition.
  const isChange = detector === "last-week";
  const score = trigger.score ?? base.score;
  return {
    direction: given.direction ?? "both",
    score,
    minChangePercent: isChange ? 0 : (trigger.minChangePercent ?? base.minChangePercent),
    minVolume: errors?.minOccurrences ?? trigger.minVolume ?? 0,
    badFor: trigger.for ?? base.badFor,
    resolveScore: resolve.score ?? 0.4 * score,
    goodFor: resolve.for ?? 3,
    ...toSeverities(given.severity, score),
    cooldownMs: toMs(given.cooldown ?? "6h"),
  };
}

function toSeverities(given: MonitorDefinition["severity"], score: number): { warning: number; critical: number } {
  if (given === "info") return { warning: Number.POSITIVE_INFINITY, critical: Number.POSITIVE_INFINITY };
  if (given === "warning") return { warning: 0, critical: Number.POSITIVE_INFINITY };
  if (given === "critical") return { warning: 0, critical: 0 };
  return { warning: given?.warning ?? score, critical: given?.critical ?? 2 * score };
}

function toProposals(given: MonitorDefinition["propose"]): Monitor["proposals"] {
  const list = given === undefined ? [] : Array.isArray(given) ? given : [given];
  return list.map(({ type, payload = {}, when = "warning" }) => ({ type, payload, when }));
}
