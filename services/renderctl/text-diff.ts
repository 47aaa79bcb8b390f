/* The difference of two texts as a unified diff, as `git apply` and `patch` take it. */

const around = 3;

type Line = { sign: " " | "-" | "+"; text: string };

/** Empty when the texts are equal. */
export function toUnifiedDiff(path: string, before: string, after: string): string {
  if (before === after) return "";
  const lines = align(toLines(before), toLines(after));
  const hunks = toHunks(lines).map(({ from, to }) => render(lines, from, to));
  return `--- a/${path}\n+++ b/${path}\n${hunks.join("")}`;
}

/** With their ends, so that a last line without one is another line. */
const toLines = (text: string): string[] => text.match(/[^\n]*\n|[^\n]+$/g) ?? [];

/** By the longest common subsequence of what lies between the common beginning and end. */
function align(before: readonly string[], after: readonly string[]): Line[] {
  let head = 0;
  while (head < before.length && head < after.length && before[head] === after[head]) head++;
  let tail = 0;
  const rest = Math.min(before.length, after.length) - head;
  while (tail < rest && before.at(-1 - tail) === after.at(-1 - tail)) tail++;
  const same = (lines: readonly string[]): Line[] => lines.map((text) => ({ sign: " ", text }));
  const middle = alignMiddle(before.slice(head, before.length - tail), after.slice(head, after.length - tail));
  return [...same(before.slice(0, head)), ...middle, ...same(tail === 0 ? [] : before.slice(-tail))];
}

function alignMiddle(before: readonly string[], after: readonly string[]): Line[] {
  const longest = measure(before, after);
  const lines: Line[] = [];
  let [i, j] = [0, 0];
  while (i < before.length && j < after.length) {
    const [old, young] = [before[i] ?? "", after[j] ?? ""];
    if (old === young) {
      lines.push({ sign: " ", text: old });
      [i, j] = [i + 1, j + 1];
    } else if (longest(i + 1, j) >= longest(i, j + 1)) {
      lines.push({ sign: "-", text: old });
      i++;
    } else {
      lines.push({ sign: "+", text: young });
      j++;
    }
  }
  const gone: Line[] = before.slice(i).map((text) => ({ sign: "-", text }));
  return [...lines, ...gone, ...after.slice(j).map((text): Line => ({ sign: "+", text }))];
}

/** How many lines the texts have in common, in order, from one line of each on. */
function measure(before: readonly string[], after: readonly string[]): (i: number, j: number) => number {
  const width = after.length + 1;
  const lengths = new Uint32Array((before.length + 1) * width);
  const at = (i: number, j: number) => lengths[i * width + j] ?? 0;
  for (let i = before.length - 1; i >= 0; i--) {
    for (let j = after.length - 1; j >= 0; j--) {
      lengths[i * width + j] = before[i] === after[j] ? at(i + 1, j + 1) + 1 : Math.max(at(i + 1, j), at(i, j + 1));
    }
  }
  return at;
}

function toHunks(lines: readonly Line[]): { from: number; to: number }[] {
  const hunks: { from: number; to: number }[] = [];
  for (const [at, { sign }] of lines.entries()) {
    if (sign === " ") continue;
    const [from, to] = [Math.max(0, at - around), Math.min(lines.length, at + around + 1)];
    const last = hunks.at(-1);
    if (last && from <= last.to) last.to = to;
    else hunks.push({ from, to });
  }
  return hunks;
}

function render(lines: readonly Line[], from: number, to: number): string {
  const count = (part: readonly Line[], sign: "-" | "+") =>
    part.filter((line) => line.sign === " " || line.sign === sign).length;
  const part = lines.slice(from, to);
  const range = (sign: "-" | "+") => {
    const size = count(part, sign);
    // An empty range is named by the line before it.
    return `${count(lines.slice(0, from), sign) + (size === 0 ? 0 : 1)},${size}`;
  };
  const body = part.map(
    ({ sign, text }) => `${sign}${text.endsWith("\n") ? text : `${text}\n\\ No newline at end of file\n`}`,
  );
  return `@@ -${range("-")} +${range("+")} @@\n${body.join("")}`;
}
