/* What is wrong with a definition that its schema alone cannot see. */
import type { MonitorDefinition } from "./monitor.ts";

export type Problem = { path: string; message: string };

/** What may be looked at and set; empty lists allow everything. */
export type Pins = {
  events: readonly string[];
  properties: readonly { name: string; value: string }[];
  insights: readonly string[];
  flags: readonly string[];
};

const sources = ["query", "insight", "event", "funnel", "errors"] as const;

export function findProblems(name: string, given: MonitorDefinition, pins: Pins): Problem[] {
  return [
    ...(given.name === undefined || given.name === name
      ? []
      : [problem("/name", `is not the monitor's name, ${name}`)]),
    ...findSourceProblems(given),
    ...findDetectorProblems(given),
    ...findPinProblems(given, pins),
  ];
}

function problem(path: string, message: string): Problem {
  return { path, message };
}

function findSourceProblems(given: MonitorDefinition): Problem[] {
  const named = sources.filter((source) => given[source] !== undefined);
  const [first = "", second] = named;
  if (first === "") return [problem("", `must have one of ${sources.join(", ")}`)];
  if (second !== undefined) return [problem(`/${second}`, `stands beside ${first}; a monitor watches one thing`)];
  const isOwn = first === "query" || first === "insight";
  const missing = first === "query" ? ["{from}", "{to}"].filter((word) => !given.query?.includes(word)) : [];
  return [
    ...missing.map((word) => problem("/query", `must have ${word}, so that every run reads its own time range`)),
    ...(isOwn && given.where ? [problem("/where", `has no effect on a ${first}; put it into the query`)] : []),
    ...(first !== "event" && given.measure ? [problem("/measure", "is only for an event")] : []),
  ];
}

function findDetectorProblems({ baseline, trigger, errors }: MonitorDefinition): Problem[] {
  const hasLimit = trigger?.above !== undefined || trigger?.below !== undefined;
  const kind = baseline?.kind;
  const problems: Problem[] = [];
  if (kind === "limits" && !hasLimit)
    problems.push(problem("/trigger", "must have above or below for a baseline of limits"));
  if (kind !== undefined && kind !== "limits" && hasLimit) {
    problems.push(problem("/trigger", `has above or below, which belong to a baseline of limits, not ${kind}`));
  }
  const isForErrors = errors !== undefined;
  if ((kind === "signatures") !== isForErrors && kind !== undefined) {
    problems.push(problem("/baseline/kind", "of signatures belongs to errors, and errors to it"));
  }
  return problems;
}

function findPinProblems(given: MonitorDefinition, pins: Pins): Problem[] {
  const problems: Problem[] = [];
  const allow = (path: string, value: string | undefined, list: readonly string[]) => {
    if (value !== undefined && list.length > 0 && !list.includes(value)) {
      problems.push(problem(path, `is not among those that are pinned: ${list.join(", ")}`));
    }
  };
  allow("/event", given.event, pins.events);
  allow("/funnel/from", given.funnel?.from, pins.events);
  allow("/funnel/to", given.funnel?.to, pins.events);
  allow("/errors", given.errors === undefined ? undefined : "$exception", pins.events);
  allow("/insight", given.insight, pins.insights);
  const isNarrowed = pins.events.length > 0 || pins.properties.length > 0;
  if (isNarrowed && given.query !== undefined && !given.query.includes("{pinned}")) {
    problems.push(problem("/query", "must have {pinned} in its WHERE, because events or properties are pinned"));
  }
  if (isNarrowed && given.insight !== undefined && pins.insights.length === 0) {
    problems.push(problem("/insight", "cannot be narrowed to what is pinned; pin the insight itself"));
  }
  return problems;
}

/** @param entries `name=value` */
export function toPins(entries: {
  events: readonly string[];
  properties: readonly string[];
  insights: readonly string[];
  flags: readonly string[];
}): Pins {
  const properties = entries.properties.map((entry) => {
    const at = entry.indexOf("=");
    return { name: entry.slice(0, at), value: entry.slice(at + 1) };
  });
  return { ...entries, properties };
}
