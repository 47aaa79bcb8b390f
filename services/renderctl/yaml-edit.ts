/*
 * Changes of a YAML text that leave everything else as it stands, comments and order too. Each gives the text after it, or null
 * when the place is written in a way that this does not know; whoever calls judges the result by reading it.
 */
import type { Json } from "./blueprint.ts";

export type Span = {
  kind: "scalar" | "mapping" | "sequence";
  isFlow: boolean;
  isInFlow: boolean;
  start: number;
  end: number;
  member: { keyStart: number; afterColon: number } | null;
};
export type Spans = ReadonlyMap<string, Span>;
export type YamlDraft = { text: string; spans: Spans };

const reserved = /^(?:true|false|null|yes|no|on|off|y|n|~)$/i;

/** A value on one line. */
function toFlow(value: Json): string {
  if (Array.isArray(value)) return `[${value.map(toFlow).join(", ")}]`;
  if (value !== null && typeof value === "object") {
    const members = Object.entries(value).map(([key, member]) => `${key}: ${toFlow(member)}`);
    return members.length === 0 ? "{}" : `{ ${members.join(", ")} }`;
  }
  if (typeof value !== "string") return String(value);
  const isPlain = /^[A-Za-z_./][\w./-]*(?: [\w./&=-]+)*$/.test(value) && !reserved.test(value);
  return isPlain ? value : JSON.stringify(value);
}

/** Sets a member, whether it is there or not; a new one stands behind the member `after`. */
export function setMember(draft: YamlDraft, pointer: string, value: Json, after = "name"): string | null {
  const span = draft.spans.get(pointer);
  if (span) return replace(draft.text, span, value);
  const parent = pointer.slice(0, pointer.lastIndexOf("/"));
  const neighbour = draft.spans.get(`${parent}/${after}`);
  const member = `${pointer.slice(parent.length + 1)}: ${toFlow(value)}`;
  return neighbour?.member ? insertBehind(draft.text, neighbour, member) : null;
}

function replace(text: string, span: Span, value: Json): string | null {
  const isBlock = span.kind !== "scalar" && !span.isFlow;
  if (isBlock && span.kind === "sequence" && Array.isArray(value) && value.length > 0) {
    const indent = " ".repeat(columnOf(text, span.start));
    const items = value.map((item) => `- ${toFlow(item)}`).join(`\n${indent}`);
    return splice(text, span.start, span.end, items);
  }
  if (!isBlock && span.start < span.end && span.start !== span.member?.afterColon)
    return splice(text, span.start, span.end, toFlow(value));
  return span.member ? splice(text, span.member.afterColon, span.end, ` ${toFlow(value)}`) : null;
}

function insertBehind(text: string, { isInFlow, end, member }: Span, what: string): string {
  if (isInFlow) return splice(text, end, end, `, ${what}`);
  const at = lineEnd(text, end);
  return splice(text, at, at, `\n${" ".repeat(columnOf(text, member?.keyStart ?? 0))}${what}`);
}

/** Takes a member, or an item of a list, out. */
export function remove({ text, spans }: YamlDraft, pointer: string): string | null {
  const span = spans.get(pointer);
  if (!span) return null;
  const from = span.member?.keyStart ?? span.start;
  if (span.isInFlow) return removeFromFlow(text, from, span.end);
  const dash = span.member ? from : text.lastIndexOf("-", from - 1);
  const begin = text.lastIndexOf("\n", dash - 1) + 1;
  // The first member of an item stands behind its dash, and the others would lose it.
  if (text.slice(begin, dash).trim() !== "") return null;
  return splice(text, begin, Math.min(text.length, lineEnd(text, span.end) + 1), "");
}

function removeFromFlow(text: string, from: number, end: number): string {
  const behind = /^\s*,\s*/.exec(text.slice(end));
  if (behind) return splice(text, from, end + behind[0].length, "");
  const before = /\s*,\s*$/.exec(text.slice(0, from));
  return splice(text, from - (before?.[0].length ?? 0), end, "");
}

/** Adds an item to a list that has some, behind the last and the comments that end the list. */
export function addItem({ text, spans }: YamlDraft, pointer: string, item: Record<string, Json>): string | null {
  const list = spans.get(pointer);
  const items = [...spans].filter(([at]) => at.startsWith(`${pointer}/`) && /^\d+$/.test(at.slice(pointer.length + 1)));
  const last = items.at(-1)?.[1];
  if (list?.kind !== "sequence" || !last) return null;
  if (list.isFlow) return splice(text, last.end, last.end, `, ${toFlow(item)}`);
  const indent = " ".repeat(columnOf(text, list.start));
  const lines = Object.entries(item).map(
    ([key, value], at) => `${indent}${at === 0 ? "- " : "  "}${key}: ${toFlow(value)}`,
  );
  let at = lineEnd(text, last.end);
  for (let comment = commentAfter(text, at, indent); comment > 0; comment = commentAfter(text, at, indent))
    at += comment;
  return splice(text, at, at, `\n${lines.join("\n")}`);
}

/** The length of the comment line that follows with at least that indent; 0 when there is none. */
function commentAfter(text: string, at: number, indent: string): number {
  const line = /^\n( *)#[^\n]*/.exec(text.slice(at));
  return line && (line[1] ?? "").length >= indent.length ? line[0].length : 0;
}

const splice = (text: string, from: number, to: number, what: string) => text.slice(0, from) + what + text.slice(to);
const columnOf = (text: string, at: number) => at - (text.lastIndexOf("\n", at - 1) + 1);

function lineEnd(text: string, at: number): number {
  const found = text.indexOf("\n", at);
  return found === -1 ? text.length : found;
}
