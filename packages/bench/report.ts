import type { Machine } from "./machine.ts";
import type { Finding, Goal, Measure, Outcome, Unit } from "./measure.ts";
import { median } from "./statistics.ts";

export type Verdict = "ok" | "missed" | "";

/** Judged by the median of the rounds; empty for a figure without a goal. */
export function judge({ goal, rounds }: Finding): Verdict {
  if (goal === null) return "";
  const value = median(rounds);
  return (goal.kind === "at most" ? value <= goal.value : value >= goal.value) ? "ok" : "missed";
}

const columns = ["measure", "goal", "median (min to max)", "rounds", "verdict"] as const;

/** A table a part, each under its name; one table where there are no parts. */
function toTables(findings: readonly Finding[]): string {
  const byPart = Map.groupBy(findings, ({ part }) => part ?? "");
  const tables = [...byPart].map(([part, own]) => (part === "" ? toTable(own) : `### ${part}\n\n${toTable(own)}`));
  return tables.join("\n\n");
}

/** The same table for the terminal and for Markdown; figures with a goal first. */
export function toTable(findings: readonly Finding[]): string {
  const ordered = [...findings.filter(({ goal }) => goal !== null), ...findings.filter(({ goal }) => goal === null)];
  const rows = [[...columns], ...ordered.map(toRow)];
  const widths = columns.map((_, at) => Math.max(...rows.map((row) => row[at]?.length ?? 0)));
  const lines = rows.map((row) => `| ${row.map((cell, at) => cell.padEnd(widths[at] ?? 0)).join(" | ")} |`);
  const rule = `| ${widths.map((width) => "-".repeat(width)).join(" | ")} |`;
  return [lines[0], rule, ...lines.slice(1)].join("\n");
}

function toRow(finding: Finding): string[] {
  const { what, goal, unit, rounds } = finding;
  const figures = [median(rounds), Math.min(...rounds), Math.max(...rounds)].map((value) => toFigure(value, unit));
  const [middle = "", least = "", most = ""] = figures;
  return [what, toGoal(goal, unit), `${middle} ${unit} (${least} to ${most})`, String(rounds.length), judge(finding)];
}

function toGoal(goal: Goal | null, unit: Unit): string {
  return goal === null ? "" : `${goal.kind} ${goal.value} ${unit}`;
}

/** As many digits as the noise leaves. */
function toFigure(value: number, unit: Unit): string {
  if (unit === "x") return value.toFixed(2);
  return Math.abs(value) >= 100 ? value.toFixed(0) : value.toFixed(Math.abs(value) >= 10 ? 1 : 2);
}

export type Result = {
  measure: Measure;
  outcome: Outcome;
  machine: Machine;
  versions: Record<string, string>;
  at: Date;
};

/** One measure's part of the report, in Markdown, which reads well in a terminal too. */
export function toSection({ measure, outcome, machine, versions, at }: Result): string {
  const facts = [
    ...Object.entries(machine),
    [
      "versions",
      Object.entries({ ...versions, ...outcome.versions })
        .map((pair) => pair.join(" "))
        .join(", "),
    ],
    ["date", at.toISOString().slice(0, 10)],
    ["command", `\`pnpm bench ${measure.name}\``],
  ];
  const list = facts.map(([name, value]) => `- ${name}: ${value}`).join("\n");
  return `## ${measure.name}\n\n${measure.summary}.\n\n${list}\n\n${toTables(outcome.findings)}\n\n${measure.about.trim()}\n`;
}

const preface = `# Benchmarks

Written by \`pnpm bench --write\`. Absolute figures belong to the machine that they were taken on; where a figure is a ratio,
both sides ran in the same minutes on the same machine, in turns. A goal is judged by the median of the rounds.
`;

/** The document with one measure's section replaced or added; the others stay as they were measured. */
export function replaceSection(document: string | null, name: string, section: string): string {
  const [, ...sections] = (document ?? "").split(/^(?=## )/m);
  const isOld = (text: string) => text.startsWith(`## ${name}\n`);
  const all = sections.some(isOld) ? sections.map((text) => (isOld(text) ? section : text)) : [...sections, section];
  return `${[preface, ...all].map((text) => text.trim()).join("\n\n")}\n`;
}
