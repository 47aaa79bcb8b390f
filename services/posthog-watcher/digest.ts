/* What happened in a day, as one message: what moved, what was done, what waits, and how the watcher itself is. */
import type { Finding } from "./finding.ts";

export type DigestParts = {
  title: string;
  prompt: string;
  from: number;
  to: number;
  isLate: boolean;
  findings: readonly Finding[];
  /** moves that stayed below their limits */
  moves: readonly { monitor: string; changePercent: number; at: number }[];
  actions: readonly { type: string; status: string; findingId: string | null }[];
  waiting: readonly { id: string; type: string }[];
  /** messages that were too many when they came */
  held: readonly string[];
  blind: readonly { monitor: string; error: string }[];
  budget: { minute: number; hour: number };
  /** what the wakeup's own query answered; null without one */
  table: { columns: readonly string[]; rows: readonly (readonly unknown[])[] } | { error: string } | null;
};

const mostLines = 15;

export function toDigest(parts: DigestParts): string {
  const { title, prompt, from, to, isLate, findings } = parts;
  const opened = findings.filter(({ openedAt }) => isWithin(openedAt, parts));
  const ended = findings.filter(({ resolvedAt }) => resolvedAt !== null && isWithin(resolvedAt, parts));
  const open = findings.filter(({ status }) => status !== "resolved" && status !== "declined");
  return [
    `**${title}**${isLate ? " (late: nobody was watching)" : ""}`,
    prompt,
    `${new Date(from).toISOString().slice(0, 16)} to ${new Date(to).toISOString().slice(0, 16)} UTC`,
    ...section("New", opened.map(toLine)),
    ...section("Over", ended.map(toLine)),
    ...section("Still open", open.filter((one) => !opened.includes(one)).map(toLine)),
    ...(opened.length + ended.length + open.length === 0 ? ["Nothing was found, and nothing is open."] : []),
    ...section(
      "Done",
      parts.actions.map(
        ({ type, status, findingId }) => `${type}: ${status}${findingId ? ` (finding ${findingId})` : ""}`,
      ),
    ),
    ...section(
      "Waits for approval",
      parts.waiting.map(({ id, type }) => `${type}, task ${id}`),
    ),
    ...section("Moved, but within what is usual", parts.moves.map(toMove)),
    ...section("Held back, there were too many messages", parts.held),
    ...section(
      "Blind",
      parts.blind.map(({ monitor, error }) => `${monitor}: ${error}`),
    ),
    ...section("Result", toTable(parts.table)),
    `Requests left: ${Math.floor(parts.budget.minute)} this minute, ${Math.floor(parts.budget.hour)} this hour`,
  ].join("\n");
}

function isWithin(instant: string, { from, to }: Pick<DigestParts, "from" | "to">): boolean {
  const at = Date.parse(instant);
  return at >= from && at < to;
}

function section(head: string, lines: readonly string[]): string[] {
  if (lines.length === 0) return [];
  const more = lines.length > mostLines ? [`and ${lines.length - mostLines} more`] : [];
  return ["", `**${head}**`, ...[...lines.slice(0, mostLines), ...more].map((line) => `• ${line}`)];
}

function toLine({ severity, status, title }: Finding): string {
  return `${severity}, ${status}: ${title}`;
}

function toMove({ monitor, changePercent, at }: DigestParts["moves"][number]): string {
  const sign = changePercent > 0 ? "+" : "";
  return `${monitor}: ${sign}${Math.round(changePercent)} % at ${new Date(at).toISOString().slice(11, 16)}`;
}

function toTable(table: DigestParts["table"]): string[] {
  if (table === null) return [];
  if ("error" in table) return [`the query could not be answered: ${table.error}`];
  return [table.columns.join(" | "), ...table.rows.map((row) => row.map(String).join(" | "))];
}
