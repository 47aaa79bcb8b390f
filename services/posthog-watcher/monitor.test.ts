import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { repositoryRoot } from "@signalbox/testing/repository.ts";
import { expect, test } from "vitest";
import { loadMonitorFiles } from "./loops/monitor-files.ts";
import { toMonitor } from "./monitor.ts";
import { type Pins, toPins } from "./monitor-check.ts";

const noPins: Pins = { events: [], properties: [], insights: [], flags: [] };

async function load(files: Record<string, string>, pins = noPins) {
  const folder = await mkdtemp(join(tmpdir(), "signalbox-monitors-"));
  try {
    for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text);
    return loadMonitorFiles(folder, pins).map(({ name }) => name);
  } catch (error) {
    return (error as Error).message.replaceAll(`${folder}/`, "").split("\n").slice(1);
  } finally {
    await rm(folder, { recursive: true });
  }
}

const full = `name: signup-rate
query: |
  SELECT toStartOfHour(timestamp) t, count() v, uniq(person_id) n FROM events
  WHERE event = 'signed_up' AND timestamp >= {from} AND timestamp < {to} GROUP BY t ORDER BY t
bucket: 1h
schedule: every 1h
settle: 15m
fill: zero
heartbeat: any-event
baseline: { kind: seasonal, season: week, history: 8w, minHistory: 2w }
direction: down
trigger: { score: 4, minChangePercent: 30, minVolume: 50, for: 2 }
resolve: { score: 2, for: 3 }
severity: { warning: 4, critical: 8 }
cooldown: 6h
group: signup
owner: "@growth"
propose: { type: posthog.flag.set, payload: { flag: new-signup, active: false }, when: critical }
`;

test("a monitor may say everything, or next to nothing", async () => {
  expect(await load({ "signup-rate.yaml": full, "views.yml": "event: viewed\n" })).toEqual(["signup-rate", "views"]);
});

test("the monitors that are shipped are good", () => {
  expect(loadMonitorFiles(join(repositoryRoot, "infra", "monitors"), noPins).length).toBeGreaterThanOrEqual(4);
});

test("what is wrong is named with file and line, all of it at once", async () => {
  const problems = await load({
    "a.yaml": "event: e\nbucket: 1h\ntrigger:\n  scor: 4\n",
    "b.yaml": "event: e\n  bucket: 1h\n",
    "c.yaml": "bucket: 1h\n",
    "d.yaml": "name: other\nevent: e\n",
  });
  expect(problems).toEqual([
    expect.stringMatching(/^a\.yaml:4 trigger\.scor /),
    expect.stringMatching(/^b\.yaml:2 is not valid YAML/),
    expect.stringMatching(/^c\.yaml:1 the monitor must have one of query, insight/),
    "d.yaml:1 name is not the monitor's name, d",
  ]);
});

test.each([
  ["event: e\nfunnel: { from: a, to: b }\n", "funnel stands beside event"],
  ["query: SELECT 1 FROM events WHERE timestamp >= {from}\n", "query must have {to}"],
  ["event: e\nbaseline: { kind: limits }\n", "trigger must have above or below"],
  ["event: e\nbaseline: { kind: novelty }\ntrigger: { above: 3 }\n", "belong to a baseline of limits"],
  ["event: e\nbaseline: { kind: signatures }\n", "signatures belongs to errors"],
  ["funnel: { from: a, to: b }\nmeasure: people\n", "measure is only for an event"],
  ["event: e\nsettle: 15 minutes\n", "settle"],
])("%j is refused", async (text, reason) => {
  expect((await load({ "m.yaml": text }))[0]).toContain(reason);
});

test("what is pinned narrows every monitor", async () => {
  const pins = toPins({ events: ["signed_up"], properties: ["$host=app.example.com"], insights: [], flags: [] });
  const problems = await load(
    { "a.yaml": "event: viewed\n", "signup-rate.yaml": full, "c.yaml": "insight: abc\n" },
    pins,
  );
  expect(problems).toEqual([
    expect.stringContaining("a.yaml:1 event is not among those that are pinned: signed_up"),
    expect.stringContaining("c.yaml:1 insight cannot be narrowed"),
    expect.stringContaining("signup-rate.yaml:2 query must have {pinned}"),
  ]);
  expect(pins.properties).toEqual([{ name: "$host", value: "app.example.com" }]);
});

test("what a definition leaves open follows from what it watches", () => {
  expect(toMonitor("m", { event: "e" })).toMatchObject({
    detector: "seasonal",
    noise: "count",
    fill: "zero",
    bucketMs: 3_600_000,
  });
  expect(toMonitor("m", { funnel: { from: "a", to: "b" } })).toMatchObject({
    detector: "seasonal",
    noise: "share",
    fill: "skip",
  });
  expect(toMonitor("m", { errors: {} })).toMatchObject({ detector: "signatures", rule: { score: 1 } });
  expect(toMonitor("m", { event: "e", trigger: { below: 3 } })).toMatchObject({
    detector: "limits",
    limits: { below: 3 },
  });
  expect(toMonitor("m", { event: "e", severity: "warning" }).rule).toMatchObject({
    warning: 0,
    critical: Number.POSITIVE_INFINITY,
  });
});
