import type { Shown } from "./watchers.ts";

/** How many of the expected frames are missing, how many gaps were told, and the first frame that is wrong. */
export type Verdict = { missing: number; gaps: number; wrong: string | null };

/** `wrong` is the first frame that should have been shown and was not, without any gap to cover it. */
export function judgeFrames(shown: readonly Shown[], expected: readonly string[]): Verdict {
  const parts = splitAtGaps(shown);
  const gaps = parts.length - 1;
  let at = 0;
  let covered = 0;
  for (const [place, part] of parts.entries()) {
    if (place > 0) {
      const next = part[0] === undefined ? expected.length : expected.indexOf(part[0], at);
      covered += Math.max(0, next - at);
      at = Math.max(at, next);
    }
    const bad = part.findIndex((what, offset) => what !== expected[at + offset]);
    if (bad >= 0)
      return { gaps, missing: countMissing(parts, expected), wrong: expected[at + bad] ?? part[bad] ?? null };
    at += part.length;
  }
  const rest = expected.length - at;
  return { gaps, missing: covered + rest, wrong: rest > 0 ? (expected[at] ?? null) : null };
}

function splitAtGaps(shown: readonly Shown[]): string[][] {
  const parts: string[][] = [[]];
  for (const frame of shown) {
    if (frame.kind === "gap") parts.push([]);
    else parts.at(-1)?.push(frame.what);
  }
  return parts;
}

/** Of frames that came twice or at a wrong place each counts as one. */
function countMissing(parts: readonly string[][], expected: readonly string[]): number {
  const seen = new Set(parts.flat());
  return Math.max(1, expected.filter((what) => !seen.has(what)).length);
}
