import { expect, test } from "vitest";
import { startPosthogStandIn } from "./server.ts";

const noon = Date.parse("2026-03-02T12:00:00Z");
const hourMs = 3_600_000;
const range = { from: new Date(noon - 24 * hourMs).toISOString(), to: new Date(noon).toISOString() };

type StandIn = Awaited<ReturnType<typeof startPosthogStandIn>>;

const start = (options = {}) => startPosthogStandIn({ now: () => noon, ...options });

async function ask(standIn: StandIn, path: string, options: { method?: string; body?: unknown; key?: string } = {}) {
  const { method = options.body === undefined ? "GET" : "POST", body, key = standIn.apiKey } = options;
  const response = await fetch(`${standIn.url}/api/projects/${standIn.projectId}${path}`, {
    method,
    headers: { authorization: `Bearer ${key}`, "content-type": "application/json" },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  return { status: response.status, headers: response.headers, body: await response.json().catch(() => null) };
}

const hogql = (query: string, values: object = range, more: object = {}) => ({
  query: { kind: "HogQLQuery", query, values },
  refresh: "force_blocking",
  ...more,
});

const inRange = "timestamp >= {from} AND timestamp < {to}";

test("a HogQL query counts, groups, filters and orders what has arrived", async () => {
  await using standIn = await start();
  standIn.control.addEvents([
    { at: noon - 3 * hourMs, event: "signed_up", person: "ann", properties: { plan: "pro", price: 10 } },
    { at: noon - 3 * hourMs + 1, event: "signed_up", person: "ann", properties: { plan: "free" } },
    { at: noon - 2 * hourMs, event: "signed_up", count: 40, persons: 30, properties: { plan: "pro", price: 5 } },
    { at: noon - 2 * hourMs, event: "viewed", count: 7 },
    { at: noon - hourMs, event: "signed_up", arrivesAt: noon + 1 },
  ]);
  const query = `SELECT toStartOfHour(timestamp) AS t, count() AS v, uniq(person_id) n, countIf(properties.plan = 'pro') AS pro,
    sum(properties.price) AS paid FROM events WHERE event IN ({e}, 'nothing') AND ${inRange} GROUP BY t HAVING v > 0 ORDER BY t DESC LIMIT 10`;
  const { status, body } = await ask(standIn, "/query/", { body: hogql(query, { ...range, e: "signed_up" }) });
  expect(status).toBe(200);
  expect(body).toMatchObject({
    columns: ["t", "v", "n", "pro", "paid"],
    is_cached: false,
    error: null,
    hasMore: false,
  });
  expect(body.results).toEqual([
    ["2026-03-02T10:00:00Z", 40, 30, 40, 200],
    ["2026-03-02T09:00:00Z", 2, 1, 1, 10],
  ]);
});

test("buckets can be numbers, and an aggregate without GROUP BY is one row, even of nothing", async () => {
  await using standIn = await start();
  const numbers = `SELECT intDiv(toUnixTimestamp(timestamp), 3600) * 3600 AS t, count() FROM events WHERE ${inRange} GROUP BY t`;
  const latest = `SELECT max(timestamp), count() FROM events WHERE ${inRange}`;
  expect((await ask(standIn, "/query/", { body: hogql(latest) })).body.results).toEqual([[null, 0]]);
  standIn.control.addEvents([{ at: noon - hourMs + 5_000, event: "viewed", count: 3 }]);
  expect((await ask(standIn, "/query/", { body: hogql(numbers) })).body.results).toEqual([
    [(noon - hourMs) / 1_000, 3],
  ]);
});

test.each([
  ["SELECT count() FROM events", "no lower bound"],
  [`SELECT frobnicate(1) FROM events WHERE ${inRange}`, "Unsupported function call 'frobnicate(...)'"],
  [`SELECT nothing FROM events WHERE ${inRange}`, "Unable to resolve field: nothing"],
  [`SELECT count() FROM persons WHERE ${inRange}`, 'Unknown table "persons"'],
  [`SELECT count( FROM events WHERE ${inRange}`, "Syntax error at position"],
  ["SELECT count() FROM events WHERE timestamp > {since}", "Placeholder 'since' is not available"],
])("a query that PostHog would not take is refused with its reason: %s", async (query, reason) => {
  await using standIn = await start();
  const { status, body } = await ask(standIn, "/query/", { body: hogql(query) });
  expect([status, body.type, body.attr]).toEqual([400, "validation_error", "query"]);
  expect(body.detail).toContain(reason);
});

test("a body is judged: no unknown member, no unknown refresh", async () => {
  await using standIn = await start();
  const good = `SELECT count() FROM events WHERE ${inRange}`;
  for (const more of [{ refesh: "async" }, { refresh: "now" }]) {
    expect((await ask(standIn, "/query/", { body: hogql(good, range, more) })).status).toBe(400);
  }
  expect((await ask(standIn, "/query", { body: hogql(good) })).status).toBe(404);
});

test("a wrong key is 401, a key without the scope 403, another project 403", async () => {
  await using standIn = await start({ scopes: ["query:read"] });
  const body = hogql(`SELECT count() FROM events WHERE ${inRange}`);
  expect((await ask(standIn, "/query/", { body, key: "phx_wrong" })).status).toBe(401);
  expect((await ask(standIn, "/query/", { body })).status).toBe(200);
  const flags = await ask(standIn, "/feature_flags/");
  expect([flags.status, flags.body.detail]).toEqual([403, "API key missing required scope 'feature_flag:read'"]);
  const other = await fetch(`${standIn.url}/api/projects/1/query/`, {
    headers: { authorization: `Bearer ${standIn.apiKey}` },
  });
  expect(other.status).toBe(403);
});

test("an asynchronous query is complete after some polls, and forgotten 20 minutes later", async () => {
  let now = noon;
  await using standIn = await startPosthogStandIn({ now: () => now, asyncPolls: 2 });
  const body = hogql(`SELECT count() FROM events WHERE ${inRange}`, range, {
    refresh: "force_async",
    client_query_id: "q1",
  });
  const first = await ask(standIn, "/query/", { body });
  expect([first.status, first.body.query_status.complete]).toEqual([202, false]);
  const polls = [];
  for (let poll = 0; poll < 3; poll++) polls.push((await ask(standIn, "/query/q1/")).body.query_status);
  expect(polls.map(({ complete }) => complete)).toEqual([false, false, true]);
  expect(polls[2].results.results).toEqual([[0]]);
  now += 21 * 60_000;
  expect((await ask(standIn, "/query/q1/")).status).toBe(404);
});

test("the limits are PostHog's: the 241st query of a minute waits", async () => {
  let now = noon;
  await using standIn = await startPosthogStandIn({ now: () => now });
  const body = hogql(`SELECT count() FROM events WHERE ${inRange}`);
  standIn.state.spending.set(
    "query",
    Array.from({ length: 239 }, () => noon - 10_000),
  );
  expect((await ask(standIn, "/query/", { body })).status).toBe(200);
  const refused = await ask(standIn, "/query/", { body });
  expect([refused.status, refused.headers.get("retry-after")]).toEqual([429, "50"]);
  now += 51_000;
  expect((await ask(standIn, "/query/", { body })).status).toBe(200);
});

test("a flag's version alone protects nothing; with the original it does", async () => {
  await using standIn = await start();
  const flag = standIn.control.addFlag({ key: "new-signup" });
  standIn.control.setFlag("new-signup", { active: false });
  const path = `/feature_flags/${flag.id}/`;
  const patch = (body: object) => ask(standIn, path, { method: "PATCH", body });
  expect((await patch({ active: true, version: 1 })).status).toBe(200);
  standIn.control.setFlag("new-signup", { active: false });
  const late = await patch({ active: true, version: 1, original_flag: { active: true } });
  expect([late.status, late.body.code]).toEqual([409, "conflict"]);
  expect((await ask(standIn, "/feature_flags/?search=signup")).body.results).toMatchObject([
    { active: false, version: 4 },
  ]);
});

test("annotations have no idempotency; they can be searched", async () => {
  await using standIn = await start();
  const body = { content: "deploy api 1a2b3c4", date_marker: new Date(noon).toISOString(), scope: "project" };
  for (let times = 0; times < 2; times++) expect((await ask(standIn, "/annotations/", { body })).status).toBe(201);
  expect((await ask(standIn, "/annotations/?search=1a2b3c4")).body.count).toBe(2);
  expect(standIn.control.writes()).toHaveLength(2);
});

test("a saved insight is found by its short id, and its query can be run", async () => {
  await using standIn = await start();
  standIn.control.addSeries({ event: "viewed", from: noon - 3 * hourMs, to: noon, stepSeconds: 600, value: 5 });
  const query = {
    kind: "TrendsQuery",
    series: [{ kind: "EventsNode", event: "viewed" }],
    interval: "hour",
    dateRange: { date_from: "-3h" },
  };
  standIn.control.addInsight({ short_id: "abc", query });
  const found = await ask(standIn, "/insights/?short_id=abc");
  const ran = await ask(standIn, "/query/", { body: { query: found.body.results[0].query } });
  expect(ran.body.results).toMatchObject([{ label: "viewed", data: [30, 30, 30] }]);
});

test("issues of error tracking are counted from their exceptions", async () => {
  await using standIn = await start();
  standIn.control.addIssue({ id: "i1", name: "TypeError" });
  standIn.control.addEvents([
    { at: noon - hourMs, event: "$exception", count: 9, persons: 4, properties: { $exception_issue_id: "i1" } },
  ]);
  const query = {
    kind: "ErrorTrackingQuery",
    dateRange: { date_from: "-1d" },
    orderBy: "occurrences",
    volumeResolution: 0,
  };
  const { body } = await ask(standIn, "/query/", { body: { query } });
  expect(body.results).toMatchObject([{ id: "i1", name: "TypeError", aggregations: { occurrences: 9, users: 4 } }]);
  expect((await ask(standIn, "/error_tracking/issues/i1/")).body).toMatchObject({ status: "active" });
});

test("it misbehaves on demand: refused, cut off, cached, an error with status 200", async () => {
  await using standIn = await start();
  const body = hogql(`SELECT count() FROM events WHERE ${inRange}`);
  const fail = (fault: object) =>
    fetch(`${standIn.url}/__control/faults`, {
      method: "POST",
      body: JSON.stringify({ times: 1, path: "/query/", ...fault }),
    });
  await fail({ kind: "status", status: 429, headers: { "retry-after": "7" } });
  const limited = await ask(standIn, "/query/", { body });
  expect([limited.status, limited.headers.get("retry-after")]).toEqual([429, "7"]);
  await fail({ kind: "truncated" });
  expect((await ask(standIn, "/query/", { body }).catch(() => ({ body: null }))).body).toBeNull();
  await fail({ kind: "cached" });
  expect((await ask(standIn, "/query/", { body })).body.is_cached).toBe(true);
  await fail({ kind: "error_in_200" });
  expect((await ask(standIn, "/query/", { body })).body).toMatchObject({
    results: null,
    error: expect.stringContaining("execution time"),
  });
  expect((await ask(standIn, "/query/", { body })).body.results).toEqual([[0]]);
});
