import type { Module } from "./parse.ts";
import { partOf, type Violation } from "./rooms.ts";
import { isTest, type Source } from "./sources.ts";

/** A file that only passes on what others export, or any export of what is not its own. */
export function findBarrels(modules: Module[]): Violation[] {
  return modules.flatMap(({ path, imports, hasOwnCode }) => {
    const passedOn = imports.filter(({ isReexport }) => isReexport);
    if (passedOn.length > 0) return passedOn.map(({ line }) => `${path}:${line} exports what is not its own`);
    return hasOwnCode ? [] : [`${path}:1 has nothing of its own`];
  });
}

const vague = /(?:^|\/)(?:utils?|helpers?|lib|misc|shared|index|manager)(?:\.tsx?$|\/)/;

/** Names that say nothing about what is inside. */
export function findVagueNames(paths: string[]): Violation[] {
  return paths.filter((path) => vague.test(path) || /[-/](?:utils?|helpers?)\.tsx?$/.test(path));
}

/** A transaction is found by its `begin`: `commit` and `rollback` alone are also words of other systems. */
const statement =
  /^\s*(?:with\s+(?:recursive\s+)?\w+\s+as\s*(?:materialized\s*)?\(|select\s+\S|insert\s+into\s|update\s+[\w?]+\s+(?:\w+\s+)?set\s|delete\s+from\s|listen\s+\w|notify\s+\w|create\s+(?:table|index|function)\s|alter\s+table\s|begin(?:\s+isolation|\s*;|$))/i;
const databaseConcepts = ["sql.ts", "tail.ts", "doorbell.ts"].map((file) => `packages/common/${file}`);

export function findStraySql(modules: Module[]): Violation[] {
  return modules
    .filter(({ path }) => mustBeWithoutSql(path))
    .flatMap(({ path, uses }) =>
      uses
        .filter(({ kind, value }) => kind === "text" && statement.test(value))
        .map(({ line, value }) => `${path}:${line} holds SQL: ${value.trim().slice(0, 40)}`),
    );
}

function mustBeWithoutSql(path: string): boolean {
  if (isTest(path)) return false;
  if (path.startsWith("services/")) return partOf(path) !== "store";
  return path.startsWith("dashboard/") || (path.startsWith("packages/common/") && !databaseConcepts.includes(path));
}

/** The environment is read once, at the edge. */
export function findStrayEnvironment(modules: Module[]): Violation[] {
  const mayRead = (path: string) =>
    isTest(path) ||
    /\/main\.ts$/.test(path) ||
    /^(?:packages\/(?:cli|testing|bench)|tests)\//.test(path) ||
    !path.includes("/");
  return findUses(modules, (path) => !mayRead(path) && !/^dashboard\/[^/]+\.ts$/.test(path), ["process.env"]);
}

/** Time and chance come into domain files as values, so that their rules can be tested as tables. */
export function findAmbientDomain(modules: Module[]): Violation[] {
  const isDomain = (path: string) =>
    !isTest(path) &&
    ((path.startsWith("services/") && partOf(path) === "domain") ||
      path.startsWith("dashboard/src/domain/") ||
      path.startsWith("packages/common/contracts/"));
  return findUses(modules, isDomain, null);
}

/** One module owns the browser's socket. */
export function findStraySockets(modules: Module[]): Violation[] {
  const isElsewhere = (path: string) =>
    path.startsWith("dashboard/src/") && !isTest(path) && !path.startsWith("dashboard/src/net/");
  return findUses(modules, isElsewhere, ["new WebSocket", "new EventSource"]);
}

function findUses(modules: Module[], applies: (path: string) => boolean, names: string[] | null): Violation[] {
  return modules
    .filter(({ path }) => applies(path))
    .flatMap(({ path, uses }) =>
      uses
        .filter(({ kind, value }) => kind === "ambient" && (names === null || names.includes(value)))
        .map(({ line, value }) => `${path}:${line} uses ${value}`),
    );
}

/** Paths that exist on one machine only; written in parts, so that this file does not hold what it looks for. */
const machinePaths = [
  ["", "work", ""],
  ["", "home", "[a-z]+", ""],
  ["", "Users", "[A-Za-z]+", ""],
  ["\\.\\.", "shared", ""],
].map((parts) => new RegExp(`(?<![\\w.:/-])${parts.join("/")}`));

export function findMachinePaths(sources: Source[]): Violation[] {
  return sources.flatMap(({ path, text }) =>
    text.split("\n").flatMap((line, index) => {
      const found = machinePaths.some((pattern) => pattern.test(line));
      return found ? [`${path}:${index + 1} names a path of one machine: ${line.trim().slice(0, 80)}`] : [];
    }),
  );
}

/** A lock file that names a registry works in one network only. */
export function findRegistryHosts({ path, text }: Source): Violation[] {
  return text
    .split("\n")
    .flatMap((line, index) => (/https?:\/\//.test(line) ? [`${path}:${index + 1} ${line.trim()}`] : []));
}
