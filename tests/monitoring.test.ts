import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { freshDatabase } from "@signalbox/testing/database.ts";
import { eventually } from "@signalbox/testing/eventually.ts";
import { repositoryRoot } from "@signalbox/testing/repository.ts";
import { type ServiceProcess, startService } from "@signalbox/testing/service-process.ts";
import { load } from "js-yaml";
import { beforeAll, expect, test } from "vitest";
import { parsePromql } from "./promql.ts";

/** By family: its type, and the labels that its series have been seen with. */
type Families = Map<string, { type: string; labels: Set<string>; series: number }>;

const families: Families = new Map();
const credentials = { BASIC_AUTH_USER: "operator", BASIC_AUTH_PASS: "a-test-password", INTERNAL_KEY: "a-test-key" };
const asService = { "x-internal-key": credentials.INTERNAL_KEY, "content-type": "application/json" };

/** Real services, a little of everything, and then all that they expose. */
beforeAll(async () => {
  await using database = await freshDatabase();
  const running: ServiceProcess[] = [];
  const start = async (name: string, env: Record<string, string>) => {
    const service = await startService({ main: `services/${name}/main.ts`, env: { ...credentials, ...env } });
    running.push(service);
    return service.url;
  };
  try {
    const logging = await start("logging", { DATABASE_URL: database.url });
    const orchestrator = await start("orchestrator", { DATABASE_URL: database.url, LOGGING_URL: logging });
    const echo = await start("echo-agent", { ORCHESTRATOR_URL: orchestrator, LOGGING_URL: logging });
    await eventually(async () => (await post(orchestrator, "/task", { type: "echo", payload: {} })) === 201);
    await post(orchestrator, "/task", { type: "echo", payload: { failPermanently: true } });
    await post(orchestrator, "/webhooks/github", {});
    await eventually(async () => /kind="failed"/.test(await read(orchestrator)));
    for (const url of [logging, orchestrator, echo]) learn(await read(url));
  } finally {
    await Promise.all(running.map((service) => service.stop("SIGKILL")));
  }
});

async function post(url: string, path: string, body: unknown): Promise<number> {
  const response = await fetch(url + path, { method: "POST", headers: asService, body: JSON.stringify(body) });
  await response.body?.cancel();
  return response.status;
}

async function read(url: string): Promise<string> {
  return (await fetch(`${url}/metrics`, { headers: asService })).text();
}

function learn(text: string): void {
  for (const line of text.split("\n")) {
    const [, name = "", type = ""] = /^# TYPE (\S+) (\S+)$/.exec(line) ?? [];
    if (name !== "" && !families.has(name)) families.set(name, { type, labels: new Set(), series: 0 });
    const [, series = "", labels = ""] = /^([a-z_A-Z0-9]+)(?:\{(.*)\})? \S+$/.exec(line) ?? [];
    const family = families.get(series) ?? families.get(toFamily(series));
    if (series === "" || !family) continue;
    family.series++;
    for (const [, label = ""] of labels.matchAll(/([a-zA-Z_]+)="/g)) family.labels.add(label);
  }
}

function toFamily(series: string): string {
  return series.replace(/_(?:bucket|sum|count)$/, "");
}

async function readText(name: string): Promise<string> {
  return readFile(join(repositoryRoot, "infra", "monitoring", name), "utf8");
}

type Rule = {
  alert: string;
  expr: string;
  for?: string;
  labels: { severity: string };
  annotations: Record<string, string>;
};
type Panel = { title: string; type: string; targets?: { expr: string; legendFormat: string }[] };

async function readRules(): Promise<Rule[]> {
  const { groups } = load(await readText("alerts.yaml")) as { groups: { rules: Rule[] }[] };
  return groups.flatMap(({ rules }) => rules);
}

async function readPanels(): Promise<Panel[]> {
  return (JSON.parse(await readText("grafana-dashboard.json")) as { panels: Panel[] }).panels;
}

/** What Prometheus itself adds. */
const given = new Map([["up", ["job", "instance"]]]);
const givenLabels = ["job", "instance", "le"];

/** What is wrong with an expression, a line each. A family without any series yet can only be judged by its name. */
function judge(expression: string, shown: readonly string[]): string[] {
  const { selectors, groupedBy } = parsePromql(expression);
  const labelsOf = (metric: string) => {
    const family = families.get(metric) ?? families.get(toFamily(metric));
    if (!family) return given.get(metric) ?? null;
    return family.series === 0 ? "any" : [...family.labels, ...givenLabels];
  };
  return selectors.flatMap(({ metric, labels }) => {
    const known = labelsOf(metric);
    if (known === null) return [`${metric} does not exist`];
    if (known === "any") return [];
    return [...labels, ...groupedBy, ...shown]
      .filter((label) => !known.includes(label))
      .map((label) => `${metric} has no label ${label}`);
  });
}

test("every alert asks for metrics and labels that exist, and says what to do", async () => {
  const rules = await readRules();
  const shownIn = ({ annotations }: Rule) =>
    [
      ...Object.values(annotations)
        .join(" ")
        .matchAll(/\{\{ \$labels\.(\w+) \}\}/g),
    ].map(([, label = ""]) => label);
  expect(rules.flatMap((rule) => judge(rule.expr, shownIn(rule)).map((what) => `${rule.alert}: ${what}`))).toEqual([]);
  expect(new Set(rules.map(({ alert }) => alert)).size).toBe(rules.length);
  for (const { alert, labels, annotations } of rules) {
    expect(alert).toMatch(/^Signalbox[A-Z]/);
    expect(labels.severity).toMatch(/^(?:warning|critical)$/);
    expect(annotations.summary?.length, alert).toBeGreaterThan(10);
    expect(annotations.description?.length, alert).toBeGreaterThan(10);
  }
});

test("an alert names only labels that its expression leaves", async () => {
  for (const { alert, expr, annotations } of await readRules()) {
    const left = /^(?:sum|max)\(/.test(expr) ? [] : null;
    const grouped = parsePromql(expr).groupedBy;
    const shown = [...JSON.stringify(annotations).matchAll(/\$labels\.(\w+)/g)].map(([, label = ""]) => label);
    for (const label of shown) if (left || grouped.length > 0) expect(grouped, alert).toContain(label);
  }
});

test("every panel asks for metrics and labels that exist", async () => {
  const panels = (await readPanels()).filter(({ type }) => type !== "row");
  const wrong = panels.flatMap(({ title, targets = [] }) =>
    targets.flatMap(({ expr, legendFormat }) => {
      const shown = [...legendFormat.matchAll(/\{\{(\w+)\}\}/g)].map(([, label = ""]) => label);
      return judge(expr, shown).map((what) => `${title}: ${what}`);
    }),
  );
  expect(wrong).toEqual([]);
  expect(panels.length).toBeGreaterThan(20);
  expect(panels.every(({ targets = [] }) => targets.length > 0)).toBe(true);
});

test("names follow Prometheus' conventions, and what we count is on the board or in an alert", async () => {
  const own = [...families].filter(([name]) => /^(?:signalbox|agent|http)_/.test(name));
  for (const [name, { type }] of own) {
    expect(name).toMatch(/^[a-z]+(?:_[a-z]+)+$/);
    expect(name.endsWith("_total"), name).toBe(type === "counter");
    if (type === "histogram") expect(name).toMatch(/_(?:seconds|bytes|rows)$/);
  }
  const used = (await readText("grafana-dashboard.json")) + (await readText("alerts.yaml"));
  const unused = own.map(([name]) => name).filter((name) => !used.includes(name));
  expect(unused.sort()).toEqual(
    [
      "signalbox_log_queue_records",
      "signalbox_log_spool_bytes",
      "signalbox_log_waiting_bytes",
      "signalbox_orchestrators",
      "signalbox_outgoing_delivery_seconds",
      "signalbox_log_dropped_days_total",
    ].sort(),
  );
});

test("no label is an id, a path or an address: series stay bounded", () => {
  const allowed = [
    "service",
    "method",
    "route",
    "status",
    "kind",
    "type",
    "outcome",
    "reason",
    "source",
    "agent",
    "pool",
    "state",
  ];
  for (const [name, { labels }] of families) {
    if (!/^(?:signalbox|agent|http)_/.test(name)) continue;
    for (const label of labels) if (label !== "le") expect(allowed, name).toContain(label);
  }
});

test.each(["sum(", "foo(bar)", "sum by (a (b)", "rate(x[5x])", "", "sum()"])("%j is no expression", (text) => {
  expect(() => parsePromql(text)).toThrow();
});
