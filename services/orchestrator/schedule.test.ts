import fc from "fast-check";
import { expect, test } from "vitest";
import { judgeTiming, maxFires, nextFireMs, planFires, type Timing } from "./schedule.ts";

const at = (text: string) => Date.parse(text);
const iso = (ms: number | null) => (ms === null ? null : new Date(ms).toISOString());
const berlin = (cron: string): Timing => ({ kind: "cron", cron, timezone: "Europe/Berlin" });
const fires = (timing: Timing, from: string, count: number) => {
  const found: (string | null)[] = [];
  for (let ms: number | null = at(from); found.length < count && ms !== null; ) {
    ms = nextFireMs(timing, ms);
    found.push(iso(ms));
  }
  return found;
};

test("a local time that spring leaves out fires at the first instant after the gap", () => {
  expect(fires(berlin("30 2 * * *"), "2026-03-27T12:00:00Z", 3)).toEqual([
    "2026-03-28T01:30:00.000Z",
    "2026-03-29T01:00:00.000Z",
    "2026-03-30T00:30:00.000Z",
  ]);
});

test("a local time that autumn brings twice fires once", () => {
  expect(fires(berlin("30 2 * * *"), "2026-10-24T12:00:00Z", 2)).toEqual([
    "2026-10-25T00:30:00.000Z",
    "2026-10-26T01:30:00.000Z",
  ]);
});

test("an interval counts from its anchor and never drifts", () => {
  const timing: Timing = { kind: "every", everyMs: 60_000, anchorMs: at("2026-01-01T00:00:07Z") };
  expect(fires(timing, "2026-01-01T00:00:07Z", 2)).toEqual(["2026-01-01T00:01:07.000Z", "2026-01-01T00:02:07.000Z"]);
  expect(iso(nextFireMs(timing, at("2026-01-05T12:00:00Z")))).toBe("2026-01-05T12:00:07.000Z");
});

test.each([
  ["skip", ["2026-01-01T10:00:00.000Z"]],
  ["once", ["2026-01-01T10:00:00.000Z"]],
  ["all", ["2026-01-01T08:00:00.000Z", "2026-01-01T09:00:00.000Z", "2026-01-01T10:00:00.000Z"]],
] as const)("after an absence %s makes these fires when the last is on time", (missed, expected) => {
  const plan = planFires(berlin("0 * * * *"), missed, at("2026-01-01T08:00:00Z"), at("2026-01-01T10:00:03Z"));
  expect(plan.fires.map(iso)).toEqual(expected);
  expect(iso(plan.nextMs)).toBe("2026-01-01T11:00:00.000Z");
});

test.each([
  ["skip", []],
  ["once", ["2026-01-01T10:00:00.000Z"]],
  ["all", ["2026-01-01T08:00:00.000Z", "2026-01-01T09:00:00.000Z", "2026-01-01T10:00:00.000Z"]],
] as const)("after an absence %s makes these fires when all are late", (missed, expected) => {
  const plan = planFires(berlin("0 * * * *"), missed, at("2026-01-01T08:00:00Z"), at("2026-01-01T10:20:00Z"));
  expect(plan.fires.map(iso)).toEqual(expected);
});

test("a year of missed seconds is not walked through, and all of them come in portions", () => {
  const timing = berlin("* * * * * *");
  const now = at("2027-01-01T00:00:00.500Z");
  expect(planFires(timing, "once", at("2026-01-01T00:00:00Z"), now).fires.map(iso)).toEqual([
    "2027-01-01T00:00:00.000Z",
  ]);
  const all = planFires(timing, "all", at("2026-01-01T00:00:00Z"), now);
  expect(all.fires).toHaveLength(maxFires);
  expect(iso(all.nextMs)).toBe("2026-01-01T00:01:40.000Z");
});

test("once for a yearly fire that was missed names that fire", () => {
  const plan = planFires(berlin("0 0 1 1 *"), "once", at("2025-12-31T23:00:00Z"), at("2026-06-01T00:00:00Z"));
  expect(plan.fires.map(iso)).toEqual(["2025-12-31T23:00:00.000Z"]);
});

test("at fires once, and late only when it is asked to", () => {
  const timing: Timing = { kind: "at", atMs: at("2026-01-01T00:00:00Z") };
  expect(planFires(timing, "skip", timing.atMs, timing.atMs + 4_000)).toEqual({ fires: [timing.atMs], nextMs: null });
  expect(planFires(timing, "skip", timing.atMs, timing.atMs + 6_000)).toEqual({ fires: [], nextMs: null });
  expect(planFires(timing, "once", timing.atMs, timing.atMs + 60_000).fires).toEqual([timing.atMs]);
});

test("the next due time is always ahead of now, unless all missed fires are still to come", () => {
  const crons = ["* * * * *", "*/7 3 * * *", "0 0 29 2 *", "15 10 * * MON-FRI", "0 12 1 */3 *"];
  fc.assert(
    fc.property(
      fc.record({
        cron: fc.constantFrom(...crons),
        timezone: fc.constantFrom("UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe"),
        missed: fc.constantFrom("skip" as const, "once" as const),
        from: fc.integer({ min: at("2026-01-01"), max: at("2027-12-31") }),
        late: fc.integer({ min: 0, max: 40 * 86_400_000 }),
      }),
      ({ cron, timezone, missed, from, late }) => {
        const timing: Timing = { kind: "cron", cron, timezone };
        const due = nextFireMs(timing, from);
        if (due === null) return;
        const plan = planFires(timing, missed, due, due + late);
        expect(plan.nextMs === null || plan.nextMs > due + late).toBe(true);
        expect(plan.fires.length).toBeLessThanOrEqual(missed === "once" ? 1 : 6);
        if (missed === "once") expect(plan.fires).toHaveLength(1);
      },
    ),
    { numRuns: 150 },
  );
});

test.each([
  [{ cron: "61 * * * *" }, "cron"],
  [{ cron: "* * *" }, "cron"],
  [{ cron: "0 0 31 2 *" }, "cron"],
  [{ cron: "2090-01-01T00:00:00Z" }, "cron"],
  [{ cron: "* * * * *", timezone: "Mars/Olympus" }, "timezone"],
  [{ everySeconds: 60, timezone: "Mars/Olympus" }, "timezone"],
])("a timing that cannot be (%j) is explained", (given, member) => {
  const none = { cron: null, everySeconds: null, at: null, timezone: "Europe/Berlin" };
  expect(judgeTiming({ ...none, ...given })).toMatchObject({ member });
});
