import { expect, test } from "vitest";
import type { Finding } from "./finding.ts";
import { toMonitor } from "./monitor.ts";
import { type News, planMessages } from "./notices.ts";
import { findForbidden, planProposals, toUndo } from "./proposals.ts";

const evidence = { since: "2026-03-02T12:00:00.000Z", score: -9.12, notes: [] } as unknown as Finding["evidence"];
const cause = {
  kind: "deploy" as const,
  id: "d1",
  title: "render.deploy, api",
  at: "",
  minutesBefore: 4,
  likelihood: 0.9,
  why: "4 minutes before",
};

function news(id: string, more: Partial<Finding> = {}, what: News["what"] = "opened"): News {
  const finding = {
    ...{
      id,
      monitor: id,
      status: "open",
      severity: "warning",
      title: `${id} is down`,
      evidence,
      probableCauses: [],
      group: null,
    },
    ...{ owner: null, runbook: null, note: null, version: 1 },
    ...more,
  } as unknown as Finding;
  return { finding, what, proposals: [] };
}

test("findings of one group, or with one likeliest cause, are one message", () => {
  const grouped = ["a", "b"].map((id) => news(id, { group: "signup" }));
  const caused = ["c", "d"].map((id) => news(id, { probableCauses: [cause] }));
  const messages = planMessages([...grouped, ...caused, news("e")], "run");
  expect(messages.map(({ text }) => text.split("\n")[0])).toEqual([
    "**2 findings at once**",
    "**2 findings at once**",
    "**e is down**",
  ]);
  expect(messages[1]?.text).toContain("near in time to all: render.deploy, api");
});

test("more than five at once are one message with a list, as severe as the worst", () => {
  const many = Array.from({ length: 6 }, (_, index) =>
    news(`m${index}`, { severity: index === 3 ? "critical" : "info" }),
  );
  const messages = planMessages(many, "run");
  expect(messages).toMatchObject([
    { severity: "critical", findingId: null, text: expect.stringContaining("• m5 is down") },
  ]);
});

test("what a person has taken or put off is not told again, but its end is", () => {
  expect(planMessages([news("a", { status: "acknowledged" }, "worsened")], "run")).toEqual([]);
  expect(planMessages([news("a", { status: "resolved", note: "back" }, "resolved")], "run")).toMatchObject([
    { severity: "info", text: "Over: a is down (back)" },
  ]);
});

test("the same news has the same key, other news of the finding another one", () => {
  const [first] = planMessages([news("a")], "run-1");
  const [again] = planMessages([news("a")], "run-2");
  const [worse] = planMessages([news("a", { version: 2 }, "worsened")], "run-3");
  expect(again?.dedupeKey).toBe(first?.dedupeKey);
  expect(worse?.dedupeKey).not.toBe(first?.dedupeKey);
  expect(worse?.incident).toBe(first?.incident);
});

const consent = {
  ...{
    mode: "execute" as const,
    allow: ["posthog.flag.set"],
    mayAct: ["posthog" as const],
    flags: [],
    isStopped: false,
    isBusy: false,
  },
  ...{ leftToday: 3, seenFlags: new Map() },
};
const flag = (name: string) => ({ type: "posthog.flag.set", payload: { flag: name, active: false } });
const kinds = (more: object, propose: object[] = [flag("a"), flag("b")]) =>
  planProposals(
    toMonitor("m", { event: "e", propose: propose as never }),
    { id: "f", title: "t", severity: "critical", evidence },
    { ...consent, ...more },
  ).map(({ kind }) => kind);

test("one unasked action at a time, within the day's budget, with the brake off; all else waits", () => {
  expect(kinds({})).toEqual(["execute", "propose"]);
  expect(kinds({ isBusy: true })).toEqual(["propose", "propose"]);
  expect(kinds({ leftToday: 0 })).toEqual(["propose", "propose"]);
  expect(kinds({ isStopped: true })).toEqual(["propose", "propose"]);
  expect(kinds({ allow: [] })).toEqual(["propose", "propose"]);
  expect(kinds({ mode: "propose" })).toEqual(["propose", "propose"]);
  expect(kinds({ mode: "observe" })).toEqual([]);
});

test("an integration that may not act and a flag that is not pinned are not even proposed", () => {
  expect(kinds({ mayAct: [] })).toEqual(["not_proposed", "not_proposed"]);
  expect(kinds({ flags: ["b"] })).toEqual(["not_proposed", "execute"]);
  expect(kinds({ mayAct: [] }, [{ type: "report.build" }])).toEqual(["propose"]);
});

test("nothing of render may be listed, and only a whole undo is one", () => {
  expect(findForbidden(["posthog.flag.set", "render.deploy"])).toEqual(["render.deploy"]);
  expect(toUndo({ undo: { type: "x", payload: { a: 1 } } })).toEqual({ type: "x", payload: { a: 1 } });
  for (const result of [null, {}, { undo: null }, { undo: { type: 1 } }]) expect(toUndo(result)).toBeNull();
});
