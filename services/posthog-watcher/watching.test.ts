import { expect, test } from "vitest";
import {
  addEvents,
  addHistory,
  dayMs,
  hourMs,
  minuteMs,
  startAt,
  startWatcher,
  type Watcher,
} from "./watcher.fixture.ts";

const hour = startAt - 20 * minuteMs;

/** A project in which much else happens, so that one metric's trouble is not the project's. */
function addProject(watcher: Watcher, until = hour + 30 * dayMs): void {
  addHistory(watcher, "other", { until, value: 300 });
}

test("a drop becomes one finding with its numbers, and is over when the metric is back", async () => {
  await using watcher = await startWatcher();
  addProject(watcher);
  addHistory(watcher, "signed_up");
  await watcher.put("signups", { event: "signed_up", owner: "@growth" });
  expect(await watcher.run()).toMatchObject({ state: "done", outcome: { failed: [] } });
  expect(await watcher.findings()).toEqual([]);

  addEvents(watcher, "signed_up", { from: hour, to: hour + 2 * hourMs, value: 20 });
  addHistory(watcher, "signed_up", { from: hour + 2 * hourMs, until: hour + 9 * hourMs });
  await watcher.later(hourMs);
  const [finding, ...others] = await watcher.findings();
  expect(others).toEqual([]);
  expect(finding).toMatchObject({
    monitor: "signups",
    status: "open",
    severity: "critical",
    owner: "@growth",
    dedupeKey: "signups/down",
    openedAt: new Date(watcher.clock.at).toISOString(),
    evidence: {
      direction: "down",
      value: 120,
      since: new Date(hour).toISOString(),
      query: { text: expect.stringContaining("countIf") },
    },
  });
  expect(finding?.title).toMatch(/^signups: down 8\d %, 120 instead of \d+ an hour$/);
  expect(finding?.evidence.changePercent).toBeLessThan(-75);
  expect(finding?.evidence.chart.length).toBeGreaterThan(40);

  await watcher.later(hourMs);
  for (let hours = 0; hours < 3; hours++) await watcher.later(hourMs);
  const items = await watcher.findings();
  expect(items).toMatchObject([{ id: finding?.id, status: "resolved", observed: { count: 2 } }]);
  const { body } = await watcher.call(`/findings/${finding?.id}`);
  expect(body.events.map(({ kind }) => kind)).toEqual(["opened", "resolved"]);
});

test("what is broken when the watcher comes is found at once, what was broken before is not", async () => {
  await using watcher = await startWatcher();
  addProject(watcher);
  addHistory(watcher, "bought", { until: hour - 10 * dayMs });
  addHistory(watcher, "bought", { from: hour - 10 * dayMs + 4 * hourMs, until: hour - 2 * hourMs });
  await watcher.put("purchases", { event: "bought" });
  await watcher.run();
  expect(await watcher.findings()).toMatchObject([
    { monitor: "purchases", status: "open", evidence: { value: 0, since: new Date(hour - 2 * hourMs).toISOString() } },
  ]);
});

test("a bucket is judged when it is over and has settled, not before", async () => {
  await using watcher = await startWatcher();
  addProject(watcher);
  addHistory(watcher, "signed_up");
  await watcher.put("signups", { event: "signed_up" });
  await watcher.run();
  for (const [minutes, found] of [
    [30, 0],
    [24, 0],
    [2, 1],
  ] as const) {
    await watcher.later(minutes * minuteMs);
    expect(await watcher.findings()).toHaveLength(found);
  }
});

test("a failed query decides nothing, is told as blindness the third time, and changes no finding", async () => {
  await using watcher = await startWatcher();
  addProject(watcher);
  addHistory(watcher, "signed_up");
  await watcher.put("signups", { event: "signed_up" });
  await watcher.run();
  for (const kind of ["status", "truncated", "error_in_200", "cached", "rubbish"] as const) {
    watcher.posthog.control.fail({ kind, times: 2, status: 500, path: "/query/" });
    expect((await watcher.later(hourMs)).outcome.failed).toHaveLength(1);
  }
  expect(await watcher.findings()).toEqual([]);
  const { body } = await watcher.call<{ health: { judgedUntil: string } }>("/monitors/signups");
  expect(body.health).toMatchObject({ state: "blind", failures: 5, judgedUntil: new Date(hour).toISOString() });
  expect(watcher.fleet.ofType("telegram.notify").map(({ payload }) => (payload as { text: string }).text)).toEqual([
    expect.stringContaining("The monitor signups is blind"),
  ]);
  await watcher.run();
  expect((await watcher.findings())[0]).toMatchObject({ monitor: "signups", evidence: { value: 0 } });
  expect((await watcher.call<{ health: { judgedUntil: string } }>("/monitors/signups")).body.health).toMatchObject({
    state: "ok",
    failures: 0,
  });
});

test("too many requests: nothing is asked before the time that PostHog named", async () => {
  await using watcher = await startWatcher();
  addProject(watcher);
  addHistory(watcher, "signed_up");
  await watcher.put("signups", { event: "signed_up" });
  await watcher.run();
  watcher.posthog.control.fail({
    kind: "status",
    times: 1,
    status: 429,
    headers: { "retry-after": "1800" },
    path: "/query/",
  });
  await watcher.later(hourMs);
  const before = watcher.posthog.state.requests.length;
  await watcher.later(20 * minuteMs);
  expect(watcher.posthog.state.requests.length).toBe(before);
  expect((await watcher.later(11 * minuteMs)).outcome.failed).toEqual([]);
});

test("a pause that PostHog asks for is kept by the next run, not waited for in this one", async () => {
  await using watcher = await startWatcher();
  addProject(watcher);
  await watcher.put("signups", { event: "signed_up" });
  await watcher.run();
  const headers = { "retry-after": "1800" };
  watcher.posthog.control.fail({ kind: "status", times: 1, status: 502, headers, path: "/query/" });
  expect((await watcher.later(hourMs)).outcome.failed).toHaveLength(1);
  expect((await watcher.later(hourMs)).outcome.failed).toEqual([]);
});

test("events that come late are waited for: nothing is found but that data is late", async () => {
  await using watcher = await startWatcher();
  const events = ["a", "b", "c", "d", "e"];
  for (const event of events) addHistory(watcher, event, { until: hour + 7 * hourMs, value: 200 });
  const late = watcher.posthog.state.events.between(hour, hour + 2 * hourMs, Number.POSITIVE_INFINITY);
  for (const row of late) row.arrivesAt = row.at + 3 * hourMs;
  for (const event of events) await watcher.put(`m-${event}`, { event });
  await watcher.run();
  for (let hours = 0; hours < 4; hours++) await watcher.later(hourMs);
  const during = await watcher.findings();
  expect(during.map(({ monitor, status }) => [monitor, status])).toEqual([["project", "open"]]);
  for (let hours = 0; hours < 2; hours++) await watcher.later(hourMs);
  expect((await watcher.findings()).map(({ monitor, status }) => [monitor, status])).toEqual([["project", "resolved"]]);
  const { body } = await watcher.call<{ health: { judgedUntil: string } }>("/monitors/m-a");
  expect(body.health.judgedUntil).toBe(new Date(hour + 6 * hourMs).toISOString());
});

test("when nothing arrives any more there is one finding about the project, not one a monitor", async () => {
  await using watcher = await startWatcher();
  for (const event of ["a", "b", "c"]) addHistory(watcher, event, { until: hour + 10 * minuteMs });
  for (const event of ["a", "b", "c"]) await watcher.put(`m-${event}`, { event });
  await watcher.run();
  for (let hours = 0; hours < 3; hours++) await watcher.later(hourMs);
  expect((await watcher.findings()).map(({ monitor, title }) => [monitor, title])).toEqual([
    ["project", expect.stringContaining("No data arrives")],
  ]);
});

test("many monitors of one bucket length share a query; a wrong one makes only itself blind", async () => {
  await using watcher = await startWatcher();
  addProject(watcher);
  const wrong = "SELECT frobnicate(timestamp) t, 1 v FROM events WHERE timestamp >= {from} AND timestamp < {to}";
  for (let index = 0; index < 6; index++) {
    addHistory(watcher, `event-${index}`, { until: hour + hourMs });
    await watcher.put(`m-${index}`, { event: `event-${index}`, where: index === 0 ? { plan: "pro" } : {} });
  }
  await watcher.put("funnel", { funnel: { from: "event-1", to: "event-2" } });
  await watcher.put("wrong", { query: wrong });
  await watcher.run();
  watcher.posthog.state.requests.length = 0;
  const { outcome } = await watcher.later(hourMs);
  expect(outcome.judged.sort()).toEqual(["funnel", "m-0", "m-1", "m-2", "m-3", "m-4", "m-5"]);
  expect(outcome.failed).toEqual([{ monitor: "wrong", error: expect.stringContaining("frobnicate") }]);
  const queries = watcher.posthog.state.requests.filter(
    ({ method, path }) => method === "POST" && path.endsWith("/query/"),
  );
  expect(queries.map(({ body }) => (body as { name: string }).name).sort()).toEqual([
    "signalbox:7 monitors",
    "signalbox:heartbeat",
    "signalbox:wrong",
  ]);
});

test("the shorthand, a written query and a saved insight see the same series", async () => {
  await using watcher = await startWatcher();
  addProject(watcher);
  addHistory(watcher, "signed_up", { until: hour - hourMs });
  const trend = { kind: "TrendsQuery", series: [{ kind: "EventsNode", event: "signed_up" }], interval: "hour" };
  watcher.posthog.control.addInsight({ short_id: "trend", query: { kind: "InsightVizNode", source: trend } });
  const query =
    "SELECT toStartOfHour(timestamp) t, count() v FROM events WHERE event = 'signed_up' AND timestamp >= {from} AND timestamp < {to} GROUP BY t ORDER BY t";
  await watcher.put("short", { event: "signed_up" });
  await watcher.put("written", { query });
  await watcher.put("saved", { insight: "trend" });
  await watcher.run();
  const found = await watcher.findings();
  expect(found.map(({ monitor }) => monitor).sort()).toEqual(["saved", "short", "written"]);
  expect(new Set(found.map(({ evidence }) => `${evidence.value} ${evidence.expected}`)).size).toBe(1);
});

test("an error that nobody has seen is a finding of its own, and stays one while it goes on", async () => {
  await using watcher = await startWatcher();
  addProject(watcher);
  const errors = (id: string, from: number, to: number) =>
    watcher.posthog.control.addSeries({
      event: "$exception",
      from,
      to,
      stepSeconds: 600,
      value: 3,
      properties: { $exception_issue_id: id },
    });
  errors("known", hour - 20 * dayMs, hour + dayMs);
  watcher.posthog.control.addIssue({ id: "fresh", name: "TypeError: x is undefined" });
  await watcher.put("errors", { errors: { minOccurrences: 5 }, resolve: { for: 2 } });
  await watcher.run();
  expect(await watcher.findings()).toEqual([]);
  errors("fresh", hour, hour + 3 * hourMs);
  for (let hours = 0; hours < 3; hours++) await watcher.later(hourMs);
  expect(await watcher.findings()).toMatchObject([
    {
      title: "errors: a new error, TypeError: x is undefined, 18 times",
      status: "open",
      evidence: { series: "fresh" },
      observed: { count: 3 },
    },
  ]);
  for (let hours = 0; hours < 2; hours++) await watcher.later(hourMs);
  expect(await watcher.findings("?status=resolved")).toHaveLength(1);
});

test("two watchers at once make one finding", async () => {
  await using first = await startWatcher();
  addProject(first);
  addHistory(first, "signed_up", { until: hour - hourMs });
  await first.put("signups", { event: "signed_up" });
  const { database, posthog, fleet, clock } = first;
  await using second = await startWatcher({ shared: { database, posthog, fleet, clock } });
  const runs = [first, second].flatMap(({ url }) =>
    Array.from({ length: 3 }, () =>
      fetch(`${url}/run/watch`, {
        method: "POST",
        headers: { "x-internal-key": "key-of-now", "content-type": "application/json" },
        body: JSON.stringify({ type: "watch.run", payload: {} }),
      }),
    ),
  );
  for (const response of await Promise.all(runs)) expect(response.status).toBe(200);
  expect(await first.findings()).toHaveLength(1);
  expect([first, second].filter(({ app }) => app.isLeading())).toHaveLength(1);
});

test("after a restart it goes on where it was", async () => {
  await using first = await startWatcher();
  addProject(first);
  addHistory(first, "signed_up", { until: hour + hourMs });
  await first.put("signups", { event: "signed_up" });
  await first.run();
  await first.stop();
  const { database, posthog, fleet, clock } = first;
  clock.at += 2 * hourMs;
  await using second = await startWatcher({ shared: { database, posthog, fleet, clock } });
  posthog.state.requests.length = 0;
  await second.run();
  expect(await second.findings()).toMatchObject([
    { monitor: "signups", evidence: { since: new Date(hour + hourMs).toISOString() } },
  ]);
  const asked = posthog.state.requests.map(
    ({ body }) => (body as { query: { values: { p2?: string } } } | null)?.query?.values,
  );
  expect(asked.some((values) => values?.p2 === new Date(hour - 3 * hourMs).toISOString())).toBe(true);
});
