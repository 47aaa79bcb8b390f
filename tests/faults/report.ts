import type { FrameCounts } from "./check-frames.ts";
import type { TaskCounts } from "./check-tasks.ts";

export type RoundRow = TaskCounts &
  FrameCounts & {
    label: string;
    faults: readonly string[];
    injected: number;
    recoverySeconds: number;
    maxMb: number;
    violations: number;
  };

const headings = [
  "fault",
  "rounds",
  "injected",
  "tasks",
  "lost",
  "doubled",
  "order broken",
  "frames lost",
  "gaps",
  "recovery s (median / max)",
  "retries",
  "discards",
  "max RSS MB",
  "violations",
];

/** One line a fault, over all its rounds, and one for all. */
export function toTable(rounds: readonly RoundRow[]): string {
  const groups = [...Map.groupBy(rounds, ({ faults }) => faults.join(" + "))].sort();
  const lines = groups.map(([fault, rows]) => toLine(fault, rows));
  if (groups.length > 1) lines.push(toLine("all", rounds));
  const widths = headings.map((heading, at) => Math.max(heading.length, ...lines.map((line) => line[at]?.length ?? 0)));
  const write = (cells: readonly string[]) =>
    `| ${cells.map((cell, at) => (at === 0 ? cell.padEnd(widths[at] ?? 0) : cell.padStart(widths[at] ?? 0))).join(" | ")} |`;
  const rule = `|${widths.map((width) => "-".repeat(width + 2)).join("|")}|`;
  return [write(headings), rule, ...lines.map(write)].join("\n");
}

function toLine(fault: string, rows: readonly RoundRow[]): string[] {
  const sum = (pick: (row: RoundRow) => number) => String(rows.reduce((total, row) => total + pick(row), 0));
  const seconds = rows.map(({ recoverySeconds }) => recoverySeconds).sort((a, b) => a - b);
  const median = seconds[Math.floor((seconds.length - 1) / 2)] ?? 0;
  const recovery = `${median.toFixed(1)} / ${(seconds.at(-1) ?? 0).toFixed(1)}`;
  return [
    fault,
    String(rows.length),
    sum((row) => row.injected),
    sum((row) => row.tasks),
    sum((row) => row.lost),
    sum((row) => row.doubled),
    sum((row) => row.disordered),
    sum((row) => row.framesLost),
    sum((row) => row.gaps),
    recovery,
    sum((row) => row.retries),
    sum((row) => row.discards),
    Math.max(...rows.map(({ maxMb }) => maxMb)).toFixed(0),
    sum((row) => row.violations),
  ];
}
