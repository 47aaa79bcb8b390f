import { expect, test } from "vitest";
import { dayMs, expectedOf, monthEndsAt, monthSeeds, monthSizes, monthStartsAt, planMonth } from "./month.ts";
import { generateTraffic } from "./traffic.ts";

test("the same seed plans the same month, another seed another one", () => {
  expect(planMonth(3)).toEqual(planMonth(3));
  expect(planMonth(3).incidents).not.toEqual(planMonth(4).incidents);
});

test.each(monthSeeds.judging)("the month of seed %i is as large as was agreed on", (seed) => {
  const plan = planMonth(seed);
  expect([plan.series.length, plan.incidents.length]).toEqual([40, 25]);
  expect(plan.incidents.filter(({ kind }) => kind === "small")).toHaveLength(monthSizes.small);
  expect(new Set(plan.series.map(({ name }) => name)).size).toBe(40);
  for (const { from, to } of plan.incidents) expect(from > monthStartsAt && to < monthEndsAt).toBe(true);
});

test("what happens is what is expected, give or take, and less during a drop", () => {
  const plan = planMonth(1);
  const totals = new Map<string, number>();
  const day = monthStartsAt + 10 * dayMs;
  const [series] = plan.series;
  for (const { at, event, count = 1 } of generateTraffic({
    ...plan,
    series: plan.series.slice(0, 1),
    incidents: [],
    holidays: [],
  })) {
    if (at >= day && at < day + dayMs) totals.set(event, (totals.get(event) ?? 0) + count);
  }
  if (!series) throw new Error("no series");
  const expected = Array.from({ length: 24 }, (_, hour) => expectedOf(series, day + hour * 3_600_000)).reduce(
    (a, b) => a + b,
    0,
  );
  expect((totals.get(series.name) ?? 0) / expected).toBeGreaterThan(0.85);
  expect((totals.get(series.name) ?? 0) / expected).toBeLessThan(1.15);
});
