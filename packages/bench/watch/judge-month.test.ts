import { hourMs, monthStartsAt, planMonth } from "@signalbox/testing/posthog-stand-in/month.ts";
import { expect, test } from "vitest";
import { judgeMonth, type SeenFinding } from "./judge-month.ts";

const from = monthStartsAt + 100 * hourMs;
const incident = {
  series: "a",
  kind: "drop" as const,
  from,
  to: from + 5 * hourMs,
  factor: 0.3,
  cause: { kind: "deploy" as const, name: "api 1a2b3c", at: from },
};
const failure = { from: from + 50 * hourMs, to: from + 52 * hourMs, kind: "status" as const, status: 500 };
const plan = { ...planMonth(1), incidents: [incident], apiFailures: [failure], lateArrivals: [] };

const finding = (monitor: string, hour: number, cause = "render.deploy, api 1a2b3c"): SeenFinding => {
  const at = new Date(from + hour * hourMs).toISOString();
  const evidence = { since: at, at, direction: "down" };
  return { monitor, title: "", openedAt: at, evidence, probableCauses: [{ kind: "deploy", title: cause }] };
};

test("a finding of the right series in time is a hit, with its delay in buckets and its cause", () => {
  expect(judgeMonth(plan, [finding("a", 1)])).toMatchObject({
    found: 1,
    delays: [2],
    caused: 1,
    rightlyNamed: 1,
    unexplained: [],
    duplicates: 0,
  });
});

test("another series, another time and a second finding are what they are", () => {
  const judged = judgeMonth(plan, [
    finding("a", 0),
    finding("a", 2),
    finding("b", 1),
    finding("a", 51, "x"),
    finding("project", 3),
  ]);
  expect(judged).toMatchObject({ found: 1, duplicates: 1, fromFailures: 1, aboutProject: 1, aboutLateData: 0 });
  expect(judged.unexplained.map(({ monitor }) => monitor)).toEqual(["b", "a"]);
});

test("what was not found is named", () => {
  expect(judgeMonth(plan, [])).toMatchObject({ found: 0, of: 1, missed: [incident], delays: [] });
});
