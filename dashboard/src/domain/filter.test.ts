import { expect, test } from "vitest";
import { toLog, toTask } from "../../test/records.ts";
import {
  isFixed,
  matchesRow,
  parseFilter,
  parseSearch,
  toApi,
  toSearch,
  withToggled,
  withValues,
  writeFilter,
} from "./filter.ts";
import { logVocabulary, taskVocabulary } from "./vocabularies.ts";

const now = Date.parse("2026-11-21T12:00:00.000Z");
const trace = "4bf92f3577b34da6a3ce929d0e0e4736";
const terms = (text: string) => parseFilter(text, taskVocabulary).terms;
const logTerms = (text: string) => parseFilter(text, logVocabulary).terms;
const problemOf = (text: string) => parseFilter(text, taskVocabulary).problems[0]?.message ?? null;

test("the language reads keys, lists, exclusions, levels and exact words", () => {
  expect(terms('status:failed,waiting -source:github "exact words"')).toEqual([
    { param: "status", values: ["failed", "waiting"], negated: false },
    { param: "source", values: ["github"], negated: true },
    { param: "q", values: ["exact words"], negated: false },
  ]);
  expect(logTerms("level>=warn")).toEqual([{ param: "level", values: ["warn"], negated: false }]);
});

test.for([
  'status:failed type:render.deploy "exact words"',
  `trace:${trace} -source:github,api`,
  'correlation:"order 17, part 2" plain',
  '"status:failed" -"not this"',
  "since:1h until:2026-11-21T12:00:00Z",
])("writing what was read gives the same text: %s", (text) => {
  expect(writeFilter(terms(text), taskVocabulary)).toBe(text);
});

test.for(['status:failed,waiting -source:github "a b"', 'correlation:"a, b" -type:echo', `trace:${trace} since:24h`])(
  "the address holds the whole filter: %s",
  (text) => {
    const search = toSearch(terms(text), taskVocabulary, new URLSearchParams());
    expect(parseSearch(search, taskVocabulary)).toEqual({ terms: terms(text), problems: [] });
  },
);

test("the address uses the API's names and leaves other parameters alone", () => {
  const search = toSearch(
    terms(`status:failed,waiting trace:${trace} -source:x`),
    taskVocabulary,
    new URLSearchParams("tab=logs"),
  );
  expect(search.toString()).toBe(`status=failed%2Cwaiting&traceId=${trace}&-source=x&tab=logs`);
});

test.for([
  ["staus:failed", /no filter “staus”/],
  ["status:broken", /status is one of queued/],
  ["status:", /needs a value/],
  ["trace:4bf9", /32 hexadecimal/],
  ["since:yesterday", /a span such as 1h/],
  ["type>=echo", /Only level takes/],
] as const)("%s is a problem, not ignored", ([text, expected]) => {
  expect(problemOf(text)).toMatch(expected);
});

test("what the API takes goes to it, the rest stays with the page", () => {
  const { query, local } = toApi(
    terms("status:failed,waiting type:a,b -source:x since:1h first second"),
    taskVocabulary,
    now,
  );
  expect(query).toEqual({ status: "failed,waiting", since: "2026-11-21T11:00:00.000Z", q: "first" });
  expect(local.map(({ param, values }) => [param, values])).toEqual([
    ["type", ["a", "b"]],
    ["source", ["x"]],
    ["q", ["second"]],
  ]);
});

test("a live row is judged as the API would judge it", () => {
  const task = toTask({
    type: "render.deploy",
    status: "failed",
    payload: { commitId: "8f2c1d0" },
    createdAt: "2026-11-21T11:30:00.000Z",
  });
  const fits = (text: string) => matchesRow(task, terms(text), taskVocabulary, now);
  expect(fits("status:failed,waiting type:render.deploy 8F2C")).toBe(true);
  expect(fits("status:completed")).toBe(false);
  expect(fits("-type:render.deploy")).toBe(false);
  expect(fits("since:1h")).toBe(true);
  expect(fits("since:15m")).toBe(false);
  expect(fits("correlation:order-17")).toBe(false);
});

test("a level means that level and above", () => {
  const fits = (level: "info" | "warn" | "error") =>
    matchesRow(toLog({ level }), logTerms("level>=warn"), logVocabulary, now);
  expect([fits("info"), fits("warn"), fits("error")]).toEqual([false, true, true]);
});

test("a range with an end is fixed, a sliding one is live", () => {
  expect(isFixed(terms("since:1h"))).toBe(false);
  expect(isFixed(terms("since:1h until:2026-11-21T12:00:00Z"))).toBe(true);
});

test("setting a key replaces it and keeps the others", () => {
  expect(writeFilter(withValues(terms("status:failed type:echo"), "status", ["queued"]), taskVocabulary)).toBe(
    "type:echo status:queued",
  );
  expect(writeFilter(withValues(terms("status:failed type:echo"), "status", []), taskVocabulary)).toBe("type:echo");
  const both = withToggled(terms("status:failed type:echo"), "status", "queued");
  expect(writeFilter(both, taskVocabulary)).toBe("type:echo status:failed,queued");
  expect(writeFilter(withToggled(both, "status", "failed"), taskVocabulary)).toBe("type:echo status:queued");
});
