/* What the watcher answers with, as the page reads it. */

export const findingStatuses = ["open", "acknowledged", "snoozed", "resolved", "declined"] as const;
export type FindingStatus = (typeof findingStatuses)[number];
export const severities = ["info", "warning", "critical"] as const;
export type Severity = (typeof severities)[number];

export type ChartPoint = {
  at: string;
  value: number;
  expected: number | null;
  low: number | null;
  high: number | null;
};
export type Cause = {
  kind: string;
  id: string;
  title: string;
  at: string;
  minutesBefore: number;
  likelihood: number;
  why: string;
};
export type Evidence = {
  direction: "up" | "down";
  since: string;
  at: string;
  value: number;
  expected: number | null;
  low: number | null;
  high: number | null;
  changePercent: number | null;
  score: number;
  volume: number | null;
  series: string | null;
  rule: { detector: string; score: number; minChangePercent: number; for: number };
  query: { text: string; hash: string; values: Record<string, unknown>; lastRefresh: string | null } | null;
  chart: ChartPoint[];
  notes: string[];
  links: { title: string; url: string }[];
};

export type Finding = {
  id: string;
  monitor: string;
  status: FindingStatus;
  severity: Severity;
  title: string;
  openedAt: string;
  evidence: Evidence;
  probableCauses: Cause[];
  proposedTaskIds: string[];
  version: number;
  owner: string | null;
  runbook: string | null;
  observed: { count: number; peakScore: number; lastAt: string; lastValue: number };
  snoozedUntil: string | null;
  resolvedAt: string | null;
  updatedAt: string;
  reopened: number;
  note: string | null;
};
export type FindingEvent = { id: string; kind: string; actor: string; at: string; data: Record<string, unknown> };
export type FindingWithEvents = Finding & { events: FindingEvent[] };

export type Monitor = {
  name: string;
  origin: "file" | "database";
  version: number;
  definition: Record<string, unknown> & { title?: string; enabled?: boolean };
  health: {
    state: "off" | "new" | "ok" | "waiting" | "failing" | "blind" | "invalid";
    judgedUntil: string | null;
    lastSuccessAt: string | null;
    failures: number;
    error: string | null;
    episodes: number;
  };
  precision: { told: number; declined: number; precision: number | null };
  suggestion: string | null;
};

/** When a monitor would have fired. */
export type Forecast = {
  findings: { series: string | null; severity: Severity; title: string; since: string; raisedAt: string }[];
  findingsAWeek: number;
};

export type FindingAct = "ack" | "snooze" | "resolve" | "decline";

/** Which answers make sense; the watcher has the last word. */
export function offeredActs(status: FindingStatus): readonly FindingAct[] {
  if (status === "declined") return [];
  if (status === "resolved") return ["decline"];
  return status === "acknowledged" ? ["snooze", "resolve", "decline"] : ["ack", "snooze", "resolve", "decline"];
}

/** Asks for a person now: open, or snoozed until a moment that has passed. Acknowledged means that somebody has it. */
export function needsAnswer(finding: Finding, nowMs: number): boolean {
  if (finding.status === "snoozed") return finding.snoozedUntil !== null && Date.parse(finding.snoozedUntil) <= nowMs;
  return finding.status === "open";
}

/** As many digits as a reader needs. */
export function formatFigure(value: number | null): string {
  if (value === null) return "–";
  if (Math.abs(value) >= 100 || Number.isInteger(value)) return String(Math.round(value));
  return String(Number(value.toPrecision(3)));
}

/** What was seen against what was expected, in one line. */
export function describeChange({ value, expected, changePercent, direction }: Evidence): string {
  const saw = `saw ${formatFigure(value)}`;
  if (expected === null) return saw;
  const much = changePercent === null ? "" : `, ${direction} ${Math.round(Math.abs(changePercent))} %`;
  return `expected ${formatFigure(expected)}, ${saw}${much}`;
}
