import { expect, test } from "vitest";
import { judgeFrames } from "./frame-verdict.ts";
import type { Shown } from "./watchers.ts";

/** Letters are frames, a dash is a gap. */
const show = (text: string): Shown[] =>
  [...text].map((letter) => (letter === "-" ? { kind: "gap" } : { kind: "event", what: letter }));

test.each([
  ["all of them", "abcd", "abcd", { missing: 0, gaps: 0, wrong: null }],
  ["nothing where there is nothing", "", "", { missing: 0, gaps: 0, wrong: null }],
  ["one that is missing", "abd", "abcd", { missing: 1, gaps: 0, wrong: "c" }],
  ["the last ones missing", "ab", "abcd", { missing: 2, gaps: 0, wrong: "c" }],
  ["one that came twice", "abbcd", "abcd", { missing: 1, gaps: 0, wrong: "c" }],
  ["two that are swapped", "acbd", "abcd", { missing: 1, gaps: 0, wrong: "b" }],
  ["one that nobody expected", "abxcd", "abcd", { missing: 1, gaps: 0, wrong: "c" }],
  ["a gap that covers what is missing", "a-d", "abcd", { missing: 2, gaps: 1, wrong: null }],
  ["a gap without a loss", "ab-cd", "abcd", { missing: 0, gaps: 1, wrong: null }],
  ["a gap at the end", "ab-", "abcd", { missing: 2, gaps: 1, wrong: null }],
  ["a loss at another place than the gap", "a-bd", "abcd", { missing: 1, gaps: 1, wrong: "c" }],
])("%s", (_what, shown, expected, verdict) => {
  expect(judgeFrames(show(shown), [...expected])).toEqual(verdict);
});
