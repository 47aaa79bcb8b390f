import { expect, test } from "vitest";
import {
  findAmbientDomain,
  findBarrels,
  findMachinePaths,
  findRegistryHosts,
  findStrayEnvironment,
  findStraySockets,
  findStraySql,
  findVagueNames,
} from "./content.ts";
import { findLongFiles, findLongFunctions, functionQuantile } from "./limits.ts";
import { parseModule } from "./parse.ts";
import { findCycles, findForbiddenEdges } from "./rooms.ts";

const parse = (path: string, text: string) => [parseModule({ path, text })];
const edge = (path: string, specifier: string, kind = "import") =>
  findForbiddenEdges(parse(path, `${kind} { a } from "${specifier}";`));

test.each([
  ["services/logging/app.ts", "../orchestrator/store.ts"],
  ["services/logging/app.ts", "@signalbox/orchestrator/store.ts"],
  ["services/logging/app.ts", "@signalbox/testing/database.ts"],
  ["services/logging/main.ts", "./store.ts"],
  ["services/logging/settings.ts", "./app.ts"],
  ["services/logging/routes/get-logs.ts", "../store.ts"],
  ["services/logging/routes/get-logs.ts", "@signalbox/common/sql.ts"],
  ["services/logging/routes/get-logs.ts", "@signalbox/common/http-client.ts"],
  ["services/logging/loops/retention.ts", "../routes/get-logs.ts"],
  ["services/logging/clients/render.ts", "../store.ts"],
  ["services/logging/clients/render.ts", "undici"],
  ["services/logging/cursor.ts", "./store/logs.ts"],
  ["services/logging/cursor.ts", "@signalbox/common/route.ts"],
  ["services/logging/cursor.ts", "pg"],
  ["services/logging/cursor.ts", "node:fs/promises"],
  ["services/logging/app.ts", "@signalbox/common"],
  ["packages/common/route.ts", "@signalbox/testing/database.ts"],
  ["packages/common/contracts/task.ts", "../uuid.ts"],
  ["packages/testing/database.ts", "@signalbox/cli/home.ts"],
  ["packages/cli/fleet.ts", "../../services/logging/app.ts"],
  ["dashboard/src/app/shell.tsx", "@signalbox/common/trace.ts"],
  ["tests/fleet.test.ts", "@signalbox/logging/app.ts"],
])("%s may not import %s", (path, specifier) => {
  expect(edge(path, specifier)).toHaveLength(1);
});

test.each([
  ["services/logging/main.ts", "./app.ts"],
  ["services/logging/app.ts", "./store.ts"],
  ["services/logging/app.ts", "@signalbox/common/sql.ts"],
  ["services/logging/store/logs.ts", "@signalbox/common/sql.ts"],
  ["services/logging/cursor.ts", "@signalbox/common/contracts/log.ts"],
  ["services/logging/store.test.ts", "@signalbox/testing/database.ts"],
  ["services/logging/clients/render.ts", "@signalbox/common/http-client.ts"],
  ["packages/common/sql.test.ts", "@signalbox/testing/database.ts"],
  ["packages/cli/generate.ts", "@signalbox/logging/settings.ts"],
  ["tests/drift.test.ts", "@signalbox/logging/settings.ts"],
  ["dashboard/src/app/shell.tsx", "@signalbox/common/contracts/task.ts"],
])("%s may import %s", (path, specifier) => {
  expect(edge(path, specifier)).toEqual([]);
});

test("reading an address is no connection", () => {
  const judge = (name: string) =>
    findForbiddenEdges(parse("services/x/address.ts", `import { ${name} } from "node:net";`));
  expect(judge("isIP")).toEqual([]);
  expect(judge("isIP, connect")).toHaveLength(1);
});

test("a route may know the type of its store, not the store", () => {
  expect(edge("services/logging/routes/get-logs.ts", "../store.ts", "import type")).toEqual([]);
});

test("a circle is found over any number of files, and a circle of types is none", () => {
  const a = parse("packages/cli/a.ts", `import { b } from "./b.ts"; export const a = b;`);
  const b = parse("packages/cli/b.ts", `import { c } from "./c.ts"; export const b = c;`);
  const c = parse("packages/cli/c.ts", `import { a } from "./a.ts"; export const c = a;`);
  expect(findCycles([...a, ...b, ...c])).toEqual([
    "packages/cli/a.ts -> packages/cli/b.ts -> packages/cli/c.ts -> packages/cli/a.ts",
  ]);
  expect(
    findCycles([...a, ...b, ...parse("packages/cli/c.ts", `import type { a } from "./a.ts"; export let c: a;`)]),
  ).toEqual([]);
});

test.each([`export * from "./a.ts";`, `export { a } from "./a.ts"; const b = 1;`, `import "./a.ts";`])(
  "%s is a barrel",
  (text) => {
    expect(findBarrels(parse("packages/cli/a.ts", text))).toHaveLength(1);
  },
);

test("names that say nothing are found", () => {
  const bad = [
    "services/x/utils/time.ts",
    "packages/cli/helpers.ts",
    "services/x/lib/a.ts",
    "packages/cli/index.ts",
    "services/x/time-utils.ts",
  ];
  expect(findVagueNames(bad)).toEqual(bad);
  expect(findVagueNames(["packages/cli/library.ts", "services/x/helpful.ts"])).toEqual([]);
});

test.each([
  "sql`select id from tasks`",
  "db.query('insert into tasks (id) values ($1)')",
  "sql`\n  with ready as (select 1) select * from ready`",
  "client.query(`listen tasks_changed`)",
  "'delete from logs'",
])("SQL in a route is found: %s", (text) => {
  expect(findStraySql(parse("services/x/routes/get-a.ts", `export const a = () => ${text};`))).toHaveLength(1);
});

test("SQL in a store, and English that begins like SQL, are none of its business", () => {
  expect(findStraySql(parse("services/x/store.ts", "export const a = sql`select 1 from tasks`;"))).toEqual([]);
  expect(findStraySql(parse("services/x/app.ts", `export const a = "update the task first";`))).toEqual([]);
});

test("the environment outside of main.ts is found", () => {
  const text = "export const a = process.env.PORT;";
  expect(findStrayEnvironment(parse("services/x/app.ts", text))).toEqual(["services/x/app.ts:1 uses process.env"]);
  expect(findStrayEnvironment(parse("services/x/main.ts", text))).toEqual([]);
});

test.each([
  "Date.now()",
  "Math.random()",
  "new Date()",
  "performance.now()",
  "crypto.randomUUID()",
  "setTimeout(f, 1)",
])("%s in a domain file is found", (call) => {
  expect(findAmbientDomain(parse("services/x/retry.ts", `export const a = () => ${call};`))).toHaveLength(1);
  expect(findAmbientDomain(parse("services/x/loops/retry.ts", `export const a = () => ${call};`))).toEqual([]);
});

test("a date made from a value is a value", () => {
  expect(findAmbientDomain(parse("services/x/retry.ts", "export const a = (at: string) => new Date(at);"))).toEqual([]);
});

test("a second owner of the socket is found", () => {
  const text = "export const open = (url: string) => new WebSocket(url);";
  expect(findStraySockets(parse("dashboard/src/screens/logs.ts", text))).toHaveLength(1);
  expect(findStraySockets(parse("dashboard/src/net/stream.ts", text))).toEqual([]);
});

test("files and functions over their limits are found", () => {
  const long = `export function long() {\n${"  a();\n".repeat(69)}}\n`;
  expect(findLongFunctions(parse("packages/cli/a.ts", long))).toEqual([
    "packages/cli/a.ts:1 long has 71 lines, 70 at most",
  ]);
  expect(findLongFiles(parse("packages/cli/a.ts", "a();\n".repeat(401)))).toHaveLength(1);
  expect(findLongFiles(parse("packages/cli/a.ts", "a();\n".repeat(400)))).toEqual([]);
  expect(findLongFiles(parse("services/x/main.ts", "a();\n".repeat(41)))).toHaveLength(1);
  expect(functionQuantile(parse("packages/cli/a.ts", long), 0.5)).toBe(71);
});

test("a place outside the repository is found, an address is not", () => {
  const machine = ["", "home", "someone", "x"].join("/");
  expect(findMachinePaths([{ path: "a.md", text: `see ${machine}` }])).toHaveLength(1);
  expect(findMachinePaths([{ path: "a.md", text: `see ${["..", "shared", "x"].join("/")}` }])).toHaveLength(1);
  expect(
    findMachinePaths([{ path: "a.md", text: "see https://example.org/home/page and .github/workflows/ci.yml" }]),
  ).toEqual([]);
});

test("a registry in the lock file is found", () => {
  expect(
    findRegistryHosts({ path: "pnpm-lock.yaml", text: "resolution: {tarball: https://registry.example/a.tgz}" }),
  ).toHaveLength(1);
});
