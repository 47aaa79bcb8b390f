import { expect, test } from "vitest";
import type { Finding } from "./measure.ts";
import { judge, replaceSection, toTable } from "./report.ts";

const atMost25 = { kind: "at most", value: 25 } as const;
const atLeastHalf = { kind: "at least", value: 0.5 } as const;

test("a goal is judged by the median, and its own value is still good", () => {
  const latency: Finding = { what: "latency", unit: "ms", goal: atMost25, rounds: [400, 25, 3] };
  expect(judge(latency)).toBe("ok");
  expect(judge({ ...latency, rounds: [26, 25.5, 3] })).toBe("missed");
  expect(judge({ ...latency, unit: "x", goal: atLeastHalf, rounds: [0.49] })).toBe("missed");
  expect(judge({ ...latency, unit: "x", goal: atLeastHalf, rounds: [0.5] })).toBe("ok");
  expect(judge({ ...latency, goal: null })).toBe("");
});

test("a table shows what has a goal first, each with its spread", () => {
  const table = toTable([
    { what: "beside", unit: "/s", goal: null, rounds: [1234.5] },
    { what: "latency", unit: "ms", goal: atMost25, rounds: [12.34, 8, 99.99] },
  ]);
  expect(table.split("\n")).toEqual([
    "| measure | goal          | median (min to max)     | rounds | verdict |",
    "| ------- | ------------- | ----------------------- | ------ | ------- |",
    "| latency | at most 25 ms | 12.3 ms (8.00 to 100.0) | 3      | ok      |",
    "| beside  |               | 1235 /s (1235 to 1235)  | 1      |         |",
  ]);
});

test("a new section takes the place of its old one and leaves the others alone", () => {
  const first = replaceSection(null, "fleet", "## fleet\n\nold\n");
  const both = replaceSection(first, "queue", "## queue\n\nkept\n");
  const again = replaceSection(both, "fleet", "## fleet\n\nnew\n");
  expect(again).toMatch(/^# Benchmarks\n[\s\S]*\n## fleet\n\nnew\n\n## queue\n\nkept\n$/);
  expect(again).not.toContain("old");
});
