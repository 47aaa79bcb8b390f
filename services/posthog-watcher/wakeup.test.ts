import { expect, test } from "vitest";
import { listDue, type Wakeups } from "./wakeup.ts";
import { addHistory, dayMs, hourMs, minuteMs, startAt, startWatcher } from "./watcher.fixture.ts";

const at = (text: string) => Date.parse(`2026-03-${text}Z`);
const wakeups = (times: string[], more: Partial<Wakeups> = {}): Wakeups => ({
  ...{ enabled: true, items: [{ title: "t", prompt: "p", times }] },
  ...more,
});
const due = (given: Wakeups, after: number | null, now: number) =>
  listDue(given, after, now).map(({ dueAt, isLate }) => [new Date(dueAt).toISOString().slice(8, 16), isLate]);

test("a time of day is due once a day, when it comes", () => {
  const daily = wakeups(["08:00", "20:30"]);
  expect(due(daily, at("02T07:59:45"), at("02T08:00:00"))).toEqual([["02T08:00", false]]);
  expect(due(daily, at("02T08:00:00"), at("02T08:00:15"))).toEqual([]);
  expect(due(daily, at("02T20:29:59"), at("02T20:30:10"))).toEqual([["02T20:30", false]]);
  expect(due(daily, null, at("02T12:00:00"))).toEqual([]);
});

test("of what was missed the newest is made up for, once and late, or nothing", () => {
  const daily = wakeups(["08:00", "20:30"]);
  expect(due(daily, at("01T07:00:00"), at("02T07:00:00"))).toEqual([["01T20:30", true]]);
  expect(due({ ...daily, missed: "skip" }, at("01T07:00:00"), at("02T07:00:00"))).toEqual([]);
  expect(due({ ...daily, enabled: false }, at("01T07:00:00"), at("02T07:00:00"))).toEqual([]);
  expect(due(daily, at("01T07:00:00"), at("09T07:00:00"))).toEqual([["08T20:30", true]]);
});

test("each wakeup is one task over all watchers, and the digest says what is and what waits", async () => {
  await using first = await startWatcher({ env: { POSTHOG_MODE: "propose" } });
  const hour = startAt - 20 * minuteMs;
  addHistory(first, "other", { until: hour + 30 * dayMs, value: 300 });
  addHistory(first, "signed_up", { until: hour - hourMs });
  await first.put("signups", { event: "signed_up", propose: { type: "render.rollback", payload: { serviceId: "s" } } });
  await first.run();
  const item = { title: "morning", prompt: "What changed?", times: ["12:30"] };
  expect((await first.call("/wakeups", { method: "PUT", body: { enabled: true, items: [item] } })).status).toBe(200);
  const { database, posthog, fleet, clock } = first;
  await using second = await startWatcher({ shared: { database, posthog, fleet, clock } });
  clock.at = hour + 31 * minuteMs;
  for (const watcher of [first, second]) await watcher.run();
  for (const watcher of [first, second]) await watcher.run();
  const [task, ...more] = fleet.ofType("watch.wakeup");
  expect(more).toEqual([]);
  expect(task?.payload).toEqual({
    title: "morning",
    prompt: "What changed?",
    at: new Date(hour + 30 * minuteMs).toISOString(),
    isLate: false,
  });
  const { body } = await second.call<{ result: { text: string } }>("/run/wakeup", {
    body: { type: "watch.wakeup", payload: task?.payload },
    as: "service",
  });
  expect(body.result.text).toMatch(
    /\*\*morning\*\*\nWhat changed\?[\s\S]*\*\*New\*\*\n• critical, open: signups: down 100 %[\s\S]*Waits for approval\*\*\n• render\.rollback/,
  );
});

test("a wakeup's own query is answered in the digest, and a wrong one says so", async () => {
  await using watcher = await startWatcher();
  addHistory(watcher, "viewed", { from: startAt - dayMs, until: startAt, value: 10 });
  const ask = async (query: string) =>
    (
      await watcher.call<{ result: { text: string } }>("/run/wakeup", {
        body: { payload: { title: "t", prompt: "p", query } },
        as: "service",
      })
    ).body.result.text;
  expect(
    await ask("SELECT event, count() AS n FROM events WHERE timestamp >= {from} AND timestamp < {to} GROUP BY event"),
  ).toMatch(/• event \| n\n• viewed \| \d+/);
  expect(await ask("SELECT nope(1) FROM events WHERE timestamp >= {from}")).toContain("could not be answered");
});

test("wakeups are replaced as a whole, by who saw them, without two of one title", async () => {
  await using watcher = await startWatcher();
  const { body } = await watcher.call("/wakeups");
  expect(body).toMatchObject({ enabled: true, items: [{ title: "daily digest", times: ["08:00"] }] });
  const put = (items: object[], headers = {}) =>
    watcher.call("/wakeups", { method: "PUT", body: { enabled: false, items }, headers });
  const item = { title: "t", prompt: "p", times: ["08:00"] };
  expect((await put([item, item])).status).toBe(400);
  expect((await put([{ ...item, times: ["8:00"] }])).status).toBe(400);
  const first = await put([item], { "if-match": '"0"' });
  expect(first.status).toBe(200);
  expect((await put([], { "if-match": '"0"' })).status).toBe(409);
  expect((await put([], { "if-match": first.etag ?? "" })).status).toBe(200);
});
