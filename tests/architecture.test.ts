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
} from "./architecture/content.ts";
import { findLongFiles, findLongFunctions, functionQuantile, limits } from "./architecture/limits.ts";
import { parseModule } from "./architecture/parse.ts";
import { findCycles, findForbiddenEdges } from "./architecture/rooms.ts";
import { isTypeScript, listFiles, readTexts } from "./architecture/sources.ts";

const files = listFiles();
const texts = readTexts(files);
const modules = texts.filter(({ path }) => isTypeScript(path)).map(parseModule);

test("the top level holds what was agreed on, and nothing else", () => {
  const rooms = [".ci", ".github", "dashboard", "docs", "infra", "migrations", "packages", "services", "tests"];
  const papers = ["CHANGELOG.md", "README.md", "SECURITY.md"];
  const tools = [".env.example", ".gitignore", "biome.json", "package.json", "pnpm-lock.yaml", "pnpm-workspace.yaml"];
  const configs = ["tsconfig.json", "vitest.config.ts"];
  const optional = [".gitattributes", ".dockerignore", ".node-version", ".npmrc", ".editorconfig"];
  const found = new Set(files.map((path) => path.split("/")[0] ?? ""));
  expect([...found].filter((entry) => !optional.includes(entry)).sort()).toEqual(
    [...rooms, ...papers, ...tools, ...configs].sort(),
  );
});

test("every import stays on the edges of its room", () => {
  expect(findForbiddenEdges(modules)).toEqual([]);
});

test("no circle of imports", () => {
  expect(findCycles(modules)).toEqual([]);
});

test("no barrels", () => {
  expect(findBarrels(modules)).toEqual([]);
});

test("every file is named after what it holds", () => {
  expect(findVagueNames(files)).toEqual([]);
});

test("SQL stands in stores, and in the concepts that are about the database", () => {
  expect(findStraySql(modules)).toEqual([]);
});

test("only a main.ts reads the environment of a service", () => {
  expect(findStrayEnvironment(modules)).toEqual([]);
});

test("domain files know neither clock nor chance", () => {
  expect(findAmbientDomain(modules)).toEqual([]);
});

test("one module of the dashboard owns the socket", () => {
  expect(findStraySockets(modules)).toEqual([]);
});

test("no file is longer than a reader can hold", () => {
  expect(findLongFiles(modules)).toEqual([]);
});

test("no function is longer than a screen", () => {
  expect(findLongFunctions(modules)).toEqual([]);
});

test("half of the functions are short, nine of ten moderate", () => {
  expect(functionQuantile(modules, 0.5)).toBeLessThanOrEqual(limits.functionMedian);
  expect(functionQuantile(modules, 0.9)).toBeLessThanOrEqual(limits.functionP90);
});

test("no file names a place outside the repository", () => {
  expect(findMachinePaths(texts)).toEqual([]);
});

test("the lock file names no registry", () => {
  expect(texts.filter(({ path }) => path === "pnpm-lock.yaml").flatMap(findRegistryHosts)).toEqual([]);
});
