/*
 * What the operators are told, in as few messages as it takes: findings of one group or with one likeliest cause are one message, so
 * are more than five at once, and beyond so many messages an hour everything waits for the digest. What is told stays the same
 * incident in the chat, so that later news of it stand below the first.
 */
import type { CreateTask } from "@signalbox/common/contracts/task.ts";
import type { Finding } from "./finding.ts";
import type { Severity } from "./monitor.ts";

export type News = {
  finding: Finding;
  what: "opened" | "reopened" | "worsened" | "resolved";
  /** what was asked for because of it, in words */
  proposals: readonly string[];
};

export type Message = {
  dedupeKey: string;
  findingId: string | null;
  text: string;
  severity: Severity;
  incident: string;
  /** as the rules of who is told call it */
  kind?: "finding.opened" | "finding.resolved";
};

const mostSingly = 5;
export const messagesAnHour = 10;

const order: Record<Severity, number> = { info: 0, warning: 1, critical: 2 };

/** @param runKey tells the messages of this run from those of others */
export function planMessages(news: readonly News[], runKey: string): Message[] {
  const told = news.filter(({ what, finding }) => what === "resolved" || finding.status === "open");
  const rising = told.filter(({ what }) => what !== "resolved");
  const calming = told.filter(({ what }) => what === "resolved");
  const groups = rising.length > mostSingly ? [rising] : [...Map.groupBy(rising, groupOf).values()];
  return [
    ...groups.map((group) => toMessage(group, runKey)),
    ...(calming.length > mostSingly ? [calming] : calming.map((one) => [one])).map((group) => toMessage(group, runKey)),
  ];
}

/** Findings that are told as one: of a group, or with one likeliest cause. */
function groupOf({ finding }: News): string {
  if (finding.group !== null) return `group ${finding.group}`;
  const [cause] = finding.probableCauses;
  return cause && cause.likelihood >= 0.5 ? `cause ${cause.kind} ${cause.id}` : `finding ${finding.id}`;
}

function toMessage(group: readonly News[], runKey: string): Message {
  const [first] = group;
  if (first === undefined) throw new RangeError("a message is about something");
  const { finding, what } = first;
  const isOne = group.length === 1;
  return {
    dedupeKey: isOne ? `notify:${finding.id}:${finding.version}:${what}` : `notify:${runKey}:${groupOf(first)}:${what}`,
    findingId: isOne ? finding.id : null,
    text: isOne ? toText(first) : toListText(group),
    severity: what === "resolved" ? "info" : worst(group),
    kind: what === "resolved" ? "finding.resolved" : "finding.opened",
    incident: isOne && finding.group === null ? `finding:${finding.id}` : groupOf(first),
  };
}

function worst(group: readonly News[]): Severity {
  return group.map(({ finding }) => finding.severity).reduce((a, b) => (order[b] > order[a] ? b : a), "info");
}

const heads: Record<News["what"], string> = {
  opened: "",
  reopened: "Again: ",
  worsened: "Worse: ",
  resolved: "Over: ",
};

/** One finding with its numbers, what was near, and what is proposed. */
function toText({ finding, what, proposals }: News): string {
  if (what === "resolved")
    return `${heads.resolved}${finding.title}${finding.note === null ? "" : ` (${finding.note})`}`;
  const { evidence, probableCauses, owner, runbook } = finding;
  const [cause] = probableCauses;
  return [
    `${heads[what]}**${finding.title}**`,
    `since ${evidence.since}, score ${Math.abs(evidence.score).toFixed(1)}`,
    ...(cause ? [`near in time: ${cause.title} (${cause.why})`] : []),
    ...evidence.notes,
    ...proposals,
    ...(owner === null ? [] : [`owner: ${owner}`]),
    ...(runbook === null ? [] : [`runbook: ${runbook}`]),
    `finding ${finding.id}`,
  ].join("\n");
}

function toListText(group: readonly News[]): string {
  const [first] = group;
  const shared = sharedCause(group);
  const what = first?.what === "resolved" ? "findings are over" : "findings at once";
  return [
    `**${group.length} ${what}**`,
    ...(shared === null ? [] : [`near in time to all: ${shared}`]),
    ...group.slice(0, 20).map(({ finding, what: kind }) => `• ${heads[kind]}${finding.title}`),
    ...(group.length > 20 ? [`and ${group.length - 20} more`] : []),
    ...group.flatMap(({ proposals }) => proposals).slice(0, 10),
  ].join("\n");
}

function sharedCause(group: readonly News[]): string | null {
  const [first, ...others] = group.map(({ finding }) => finding.probableCauses[0]?.title ?? null);
  return first != null && others.every((title) => title === first) ? first : null;
}

export function toNotifyTask({ text, severity, dedupeKey, incident, kind }: Message): CreateTask {
  const payload = { text, severity, dedupeKey, incident, ...(kind && { kind }) };
  return { type: "telegram.notify", source: "posthog-watcher", correlationId: incident.slice(0, 200), payload };
}
