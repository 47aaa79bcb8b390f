import { expect, test } from "vitest";
import { type ChangeSeen, rankCauses } from "./causes.ts";
import { toMonitor } from "./monitor.ts";

const since = Date.parse("2026-03-02T12:00:00Z");
const minute = 60_000;
const change = (kind: ChangeSeen["kind"], id: string, minutesBefore: number): ChangeSeen => ({
  ...{ kind, id, title: `${kind} ${id}` },
  at: since - minutesBefore * minute,
});
const plain = toMonitor("m", { event: "e" });

test("of equals the nearest before comes first, and each says why", () => {
  const causes = rankCauses(
    [change("deploy", "old", 180), change("deploy", "new", 4), change("push", "p", 4)],
    plain,
    since,
  );
  expect(causes.map(({ id }) => id)).toEqual(["new", "p", "old"]);
  expect(causes[0]).toMatchObject({ minutesBefore: 4, why: "4 minutes before the first bad bucket" });
});

test("within the first bad bucket the order cannot be known, after it nothing is a cause", () => {
  const causes = rankCauses(
    [change("deploy", "inside", -20), change("deploy", "before", 90), change("deploy", "late", -61)],
    plain,
    since,
  );
  expect(causes.map(({ id }) => id)).toEqual(["inside", "before"]);
});

test("a flag that the monitor's own proposal names outranks a nearer one", () => {
  const monitor = toMonitor("m", {
    event: "e",
    propose: { type: "posthog.flag.set", payload: { flag: "new-signup", active: false } },
  });
  const causes = rankCauses([change("flag", "other", 2), change("flag", "new-signup", 15)], monitor, since);
  expect(causes[0]).toMatchObject({ id: "new-signup", why: expect.stringContaining("the monitor itself names it") });
});

test("what is older than six hours is no cause", () => {
  expect(rankCauses([change("deploy", "d", 361)], plain, since)).toEqual([]);
});
