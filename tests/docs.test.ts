import { execFile } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { repositoryRoot } from "@signalbox/testing/repository.ts";
import type { RunningProcess } from "@signalbox/testing/service-process.ts";
import { load } from "js-yaml";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Client, connectClient, type FleetPlace, fleetPlace, readFleetFile, runStart } from "./fleet.fixture.ts";

/*
 * What the documentation tells people to type. Every block of shell is carried out against a real fleet, but for the commands that other
 * tests carry out, which are named here with that test; a command that is in neither group fails.
 */

const read = (path: string) => readFileSync(join(repositoryRoot, path), "utf8");
const pages = [
  "README.md",
  "SECURITY.md",
  ...readdirSync(join(repositoryRoot, "docs")).map((name) => `docs/${name}`),
].filter((path) => path.endsWith(".md"));

/** Commands that start a fleet, take minutes or change the repository, with the test that carries them out. */
const elsewhere: [RegExp, string][] = [
  [/^(?:[A-Z_]+=\S+ )*npx pnpm start\b/, "packages/cli/start.test.ts"],
  [/^npx pnpm (?:test|check|vitest)\b/, ".ci/run"],
  [/^npx pnpm dev\b/, "packages/cli/start.test.ts"],
  [/^npx pnpm generate\b/, "tests/drift.test.ts"],
  [/^npx pnpm bench\b/, "packages/bench/report.test.ts"],
  [/^npx pnpm demo\b/, "tests/demo.test.ts"],
  [/^npx pnpm rehearse\b/, "tests/rehearsal.test.ts"],
  [/^npx pnpm new-agent\b/, "packages/cli/new-agent.test.ts"],
  [/^npx pnpm signalbox run (?:greeter|word-counter)\.run\b/, "packages/cli/new-agent.test.ts"],
  [
    /^(?:export \$\(grep INTERNAL_KEY|python3 reverser|npx pnpm signalbox run text\.reverse)/,
    "tests/agents-page.test.ts",
  ],
  [/^npx pnpm signalbox restore\b/, "tests/backup.test.ts"],
  [/^DATABASE_URL=\S+ npx pnpm signalbox backup\b/, "packages/cli/backup/round-trip.test.ts"],
  [/^git pull$/, "tests/migrations.test.ts"],
];

let place: FleetPlace;
let fleet: RunningProcess;
let client: Client;

beforeAll(async () => {
  place = await fleetPlace();
  fleet = runStart(place);
  await fleet.says(/Ready after/, 90_000);
  client = await connectClient(place);
}, 120_000);

afterAll(async () => {
  await fleet?.stop();
  await place?.[Symbol.asyncDispose]();
});

/** The lines of all blocks of shell of a page, without remarks. */
function linesOf(page: string): string[] {
  const blocks = [...read(page).matchAll(/```sh\n([\s\S]*?)```/g)].map(([, block = ""]) => block);
  return blocks.flatMap((block) => block.split("\n").map(withoutRemark)).filter((line) => line !== "");
}

function withoutRemark(line: string): string {
  return line.replace(/(?:^|\s{2,})#.*$|^#.*$/, "").trim();
}

const isElsewhere = (line: string) => elsewhere.some(([pattern]) => pattern.test(line));

/** The same for this fleet: its home, its ports, and the program itself instead of its launcher. */
function toLocal(line: string): string {
  const program = `"${process.execPath}" "${join(repositoryRoot, "packages/cli/signalbox.ts")}"`;
  const local = line
    .replaceAll("npx pnpm signalbox", program)
    .replaceAll(".signalbox/", `${place.home}/`)
    .replaceAll(/localhost:4(\d{3})/g, (_found, offset) => `localhost:${place.portBase + Number(offset)}`);
  // What follows for ever is followed for a moment.
  return / -f\b/.test(line) ? `timeout 2 ${local} || [ $? -eq 124 ]` : local;
}

const run = promisify(execFile);

async function bash(lines: string[]): Promise<string> {
  const script = ["set -eo pipefail", "shopt -s expand_aliases", ...lines].join("\n");
  const env = { PATH: process.env.PATH, HOME: place.home, SIGNALBOX_HOME: place.home };
  const { stdout, stderr } = await run("bash", ["-c", script], { env, cwd: place.home, timeout: 120_000 });
  return stdout + stderr;
}

const withCommands = pages.filter((page) => linesOf(page).some((line) => !isElsewhere(line)));

test.each(withCommands)(
  "the commands of %s do what they say",
  async (page) => {
    const lines = linesOf(page).filter((line) => !isElsewhere(line));
    expect(lines.filter((line) => !/^(?:npx pnpm signalbox|box |id=\$\(box|export |alias )/.test(line))).toEqual([]);
    // What the reader has set up on the front page, the other pages may use.
    const own = lines.map(toLocal);
    expect(await bash(own)).not.toMatch(/^\{"error":/m);
  },
  180_000,
);

test("the front page shows what a start really says", async () => {
  const [, sample = ""] = /```\n(Signalbox is starting[\s\S]*?)```/.exec(read("README.md")) ?? [];
  const migrations = readdirSync(join(repositoryRoot, "migrations")).filter((name) => /^\d{4}_.*\.sql$/.test(name));
  expect(sample).toContain(`${migrations.length} migrations applied`);
  const lines = [...sample.matchAll(/^ {2}(\S+) +(?:http:\S+ +running|off: (.+))$/gm)];
  const { services } = (await readFleetFile(place)) as unknown as { services: Record<string, { reason?: string }> };
  const shown = Object.fromEntries(lines.map(([, name = "", reason]) => [name, reason]));
  const examples = ["page-agent", "log-report"];
  const real = Object.entries(services).filter(([name]) => !examples.includes(name));
  expect(shown).toEqual({
    ...Object.fromEntries(real.map(([name, { reason }]) => [name, reason])),
    dashboard: undefined,
  });
});

test("what is carried out elsewhere is", () => {
  for (const [, path] of elsewhere) expect(existsSync(join(repositoryRoot, path)), path).toBe(true);
});

test("every command that a sentence names exists, with its options", async () => {
  const named = pages.flatMap((page) =>
    [...read(page).matchAll(/`(?:npx )?pnpm (?!<)([^`<]*)[^`]*`/g)].map(([, words = ""]) =>
      words.replace(/\s+/g, " ").trim(),
    ),
  );
  const { scripts } = JSON.parse(read("package.json")) as { scripts: Record<string, string> };
  const programs = named.flatMap((words) => /^exec node (\S+)/.exec(words)?.[1] ?? []);
  expect(programs.filter((path) => !existsSync(join(repositoryRoot, path)))).toEqual([]);
  const used = named
    .filter((words) => !words.startsWith("exec "))
    .map((words) => words.replace(/^run /, "").split(/\s+/)[0] ?? "");
  expect(used.filter((name) => !(name in scripts))).toEqual([]);
  const spoken = named.filter((words) => words.startsWith("signalbox ")).map((words) => words.split(/\s+/)[1] ?? "");
  for (const command of new Set(spoken))
    expect(await bash([toLocal(`npx pnpm signalbox ${command} --help`)])).toContain(command);
});

/** `/task/:id`, `/task/{id}` and `/task/<id>` are one path. */
const toShape = (path: string) => path.replace(/:\w+|\{\w+\}|<[^>]+>/g, "*");

test("every call that a sentence names is one that a service takes", () => {
  const folder = "docs/reference/openapi";
  const taken = readdirSync(join(repositoryRoot, folder)).flatMap((name) => {
    const { paths } = JSON.parse(read(`${folder}/${name}`)) as { paths: Record<string, object> };
    return Object.entries(paths).flatMap(([path, calls]) =>
      Object.keys(calls).map((method) => `${method.toUpperCase()} ${toShape(path)}`),
    );
  });
  const named = pages.flatMap((page) =>
    [...read(page).matchAll(/`((?:GET|POST|PATCH|PUT|DELETE)\s\/[^`?\s]*(?: [a-z]+>[^`?\s]*)?)/g)].map(
      ([, call = ""]) => toShape(call.replace(/\s/, " ")).replace(/\/$/, ""),
    ),
  );
  expect(named.length).toBeGreaterThan(50);
  expect([...new Set(named)].filter((call) => !taken.includes(call) && !call.includes("…"))).toEqual([]);
});

test("every setting that a sentence names is one that something reads", () => {
  const named = pages
    .filter((page) => page !== "docs/benchmarks.md")
    .flatMap((page) =>
      [...read(page).matchAll(/`([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+)(?:=[^`]*)?`/g)].map(([, key]) => key ?? ""),
    );
  const known = `${read(".env.example")}${["packages", "services", "tests"].map(codeOf).join("\n")}`;
  expect([...new Set(named)].filter((key) => !known.includes(key))).toEqual([]);
});

/** Linked packages lead in circles, so their folder is not entered. */
function codeOf(folder: string): string {
  const entries = readdirSync(join(repositoryRoot, folder), { withFileTypes: true });
  const texts = entries.map((entry) => {
    const path = `${folder}/${entry.name}`;
    if (entry.isDirectory()) return entry.name === "node_modules" ? "" : codeOf(path);
    return path.endsWith(".ts") && path !== "tests/docs.test.ts" ? read(path) : "";
  });
  return texts.join("\n");
}

test("decisions by id, as runbooks name them, are taken", async () => {
  const slow = await client.createTask({ delayMs: 60_000 });
  const failed = await client.createTask({ failPermanently: true });
  await client.whenEnded(failed.id);
  const waiting = await client.createTask({}, { approval: { required: true } });
  const lines = [
    `npx pnpm signalbox task cancel ${slow.id} --reason "enough"`,
    `npx pnpm signalbox task retry ${failed.id}`,
    `npx pnpm signalbox task approve ${waiting.id} --if-version 1`,
    `npx pnpm signalbox logs --trace ${failed.traceId}`,
    "npx pnpm signalbox logs --service echo-agent --level warn",
  ];
  await bash(lines.map(toLocal));
});

test("every link leads somewhere", () => {
  const broken = pages.flatMap((page) =>
    [...read(page).matchAll(/\]\((?!https?:|#)([^)#\s]+)(?:#[^)]*)?\)/g)]
      .map(([, target = ""]) => target)
      .filter((target) => !existsSync(join(repositoryRoot, dirname(page), target)))
      .map((target) => `${page}: ${target}`),
  );
  expect(broken).toEqual([]);
});

test("no page is left alone, and every service has one", () => {
  const linked = pages.flatMap((page) =>
    [...read(page).matchAll(/\]\(([^)#\s]+\.md)/g)].map(([, target = ""]) => join(dirname(page), target)),
  );
  expect(pages.filter((page) => page.startsWith("docs/") && !linked.includes(page))).toEqual([]);
  const hasPage = (name: string) =>
    [`docs/${name}.md`, `services/${name}/README.md`].some((path) => existsSync(join(repositoryRoot, path)));
  expect(listServices().filter((name) => !hasPage(name))).toEqual([]);
});

function listServices(): string[] {
  return readdirSync(join(repositoryRoot, "services")).filter((name) =>
    existsSync(join(repositoryRoot, "services", name, "main.ts")),
  );
}

type Alerts = { groups: { rules: { alert: string; annotations: { runbook?: string } }[] }[] };

test("every alert has a runbook, and every runbook an alert", () => {
  const alerts = (load(read("infra/monitoring/alerts.yaml")) as Alerts).groups.flatMap(({ rules }) => rules);
  const page = read("docs/runbooks.md");
  const headings = [...page.matchAll(/^## (Signalbox\w+)$/gm)].map(([, name]) => name);
  expect(headings.sort()).toEqual(alerts.map(({ alert }) => alert).sort());
  for (const { alert, annotations } of alerts)
    expect(annotations.runbook).toBe(`docs/runbooks.md#${alert.toLowerCase()}`);
});

type Job = {
  "timeout-minutes"?: number;
  steps: { run?: string; uses?: string; with?: Record<string, unknown> }[];
};
type Workflow = { permissions?: Record<string, string>; jobs: Record<string, Job> };

function readWorkflows(): { text: string; workflow: Workflow }[] {
  const folder = ".github/workflows";
  return readdirSync(join(repositoryRoot, folder)).map((name) => {
    const text = read(`${folder}/${name}`);
    return { text, workflow: load(text) as Workflow };
  });
}

function readJobs(): Job[] {
  return readWorkflows().flatMap(({ workflow }) => Object.values(workflow.jobs));
}

test("a workflow runs what was looked at, may do little, ends, and puts no expression into a shell", () => {
  for (const { text, workflow } of readWorkflows()) {
    const used = [...text.matchAll(/uses: (.+)/g)].map(([, action]) => action);
    for (const action of used) expect(action).toMatch(/^[\w-]+\/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$/);
    expect(Object.values(workflow.permissions ?? { missing: "write" })).not.toContain("write");
  }
  for (const job of readJobs()) {
    expect(job["timeout-minutes"]).toBeLessThanOrEqual(30);
    const checkouts = job.steps.filter(({ uses }) => uses?.startsWith("actions/checkout@"));
    expect(checkouts.map((step) => step.with?.["persist-credentials"])).toEqual([false]);
    // What somebody may name (a branch, an input) is a variable there and no part of the script.
    expect(job.steps.filter(({ run: words = "" }) => words.includes("${{"))).toEqual([]);
  }
});

test("the workflows run scripts that exist", () => {
  const { scripts } = JSON.parse(read("package.json")) as { scripts: Record<string, string> };
  const steps = readJobs().flatMap((job) => job.steps.map(({ run: words = "" }) => words));
  const named = steps.flatMap((words) => /npx --yes pnpm (?:run )?(\S+)/.exec(words)?.[1] ?? []);
  expect(named.length).toBeGreaterThan(2);
  expect(named.filter((script) => !(script in scripts))).toEqual([]);
});

const hasJq = await run("jq", ["--version"]).then(
  () => true,
  () => false,
);

test.runIf(hasJq)("images are made of every service, a new one too (skipped without jq)", async () => {
  const script = readJobs().flatMap(({ steps }) =>
    steps.flatMap(({ run: words = "" }) => (/jq/.test(words) ? [words] : [])),
  );
  expect(script).toHaveLength(1);
  const file = join(place.home, "workflow-output");
  await run("bash", ["-c", script[0] ?? ""], { cwd: repositoryRoot, env: { ...process.env, GITHUB_OUTPUT: file } });
  const [, names = ""] = /^names=(.+)$/m.exec(readFileSync(file, "utf8")) ?? [];
  expect(JSON.parse(names).sort()).toEqual(listServices().sort());
});
