import { posix } from "node:path";
import type { Import, Module } from "./parse.ts";
import { isTest } from "./sources.ts";

/*
 * Who may import whom. A room is a place in the repository; the rules are docs/architecture.md's table, as data.
 * Inside a service the file's place says what it is: a route, a loop, a client, the store, or else domain.
 */

/** One broken rule, as a line that can be clicked. */
export type Violation = string;

const workspace: Record<string, string> = {
  common: "packages/common",
  testing: "packages/testing",
  cli: "packages/cli",
  bench: "packages/bench",
  dashboard: "dashboard",
};

/** The file that an import leads to, from the root of the repository; null for packages of others. */
function resolveImport(from: string, specifier: string): string | null {
  if (specifier.startsWith(".")) return posix.normalize(posix.join(posix.dirname(from), specifier));
  const match = /^@signalbox\/([^/]+)\/(.+)$/.exec(specifier);
  if (!match) return null;
  const [, name = "", path = ""] = match;
  return `${workspace[name] ?? `services/${name}`}/${path}`;
}

/** `services/echo-agent`, `packages/common/contracts`, `dashboard`, `tests`; the root for files that lie there. */
function roomOf(path: string): string {
  const [first = "", second = "", third = ""] = path.split("/");
  if (first === "services") return `services/${second}`;
  if (path.startsWith("packages/common/contracts/")) return "packages/common/contracts";
  if (first === "packages") return `packages/${second}`;
  return second === "" && third === "" ? "root" : first;
}

const contracts = "packages/common/contracts";
const common = "packages/common";
const testing = "packages/testing";

const allowedRooms: Record<string, string[]> = {
  services: [common, contracts],
  [contracts]: [],
  [common]: [contracts],
  [testing]: [common, contracts],
  "packages/cli": [common, contracts, testing],
  "packages/bench": [common, contracts, testing],
  dashboard: [contracts],
  tests: [common, contracts, testing, "packages/cli", "packages/bench"],
  root: [],
};

/** Files whose work is to look into everything: the generator and the test that nothing has drifted from it. */
const seesServices = (path: string) => path === "packages/cli/generate.ts" || /^tests\/drift[^/]*\.ts$/.test(path);

function mayEnter(from: string, to: string): boolean {
  const [here, there] = [roomOf(from), roomOf(to)];
  if (here === there) return true;
  const rules = allowedRooms[here.startsWith("services/") ? "services" : here] ?? [];
  if (rules.includes(there)) return true;
  if (isTest(from) && there === testing) return true;
  return seesServices(from) && there.startsWith("services/");
}

type Part =
  | "main"
  | "settings"
  | "app"
  | "context"
  | "instruments"
  | "routes"
  | "loops"
  | "clients"
  | "store"
  | "domain";

/** What a file of a service is. */
export function partOf(path: string): Part {
  const inside = path.split("/").slice(2).join("/");
  const folder = /^(routes|loops|clients|store)\//.exec(inside)?.[1];
  if (folder) return folder as Part;
  const file = /^(main|settings|app|context|instruments|store)\.ts$/.exec(inside)?.[1];
  return (file ?? "domain") as Part;
}

const allowedParts: Record<Part, Part[]> = {
  main: ["settings", "app"],
  settings: [],
  app: ["settings", "context", "instruments", "routes", "loops", "clients", "store", "domain"],
  context: [],
  instruments: [],
  routes: ["routes", "domain"],
  loops: ["loops", "domain", "store", "clients"],
  clients: ["clients", "domain"],
  store: ["store", "domain"],
  domain: ["domain"],
};

/** A type leaves nothing behind: a route knows the shape of what app hands to it, not the thing itself. */
const allowedTypes: Partial<Record<Part, Part[]>> = {
  context: ["settings", "routes", "loops", "clients", "store", "domain"],
  routes: ["context", "loops", "store", "clients"],
  instruments: ["loops", "store", "domain"],
};

function mayUsePart(from: Part, to: Part, isTypeOnly: boolean): boolean {
  return allowedParts[from].includes(to) || (isTypeOnly && (allowedTypes[from]?.includes(to) ?? false));
}

/** What touches the world: out of the reach of domain files, each at home in one part of a service. */
const homes: { package: RegExp; parts: Part[] }[] = [
  { package: /^pg$/, parts: ["store", "app"] },
  { package: /^undici$/, parts: ["clients"] },
  { package: /^(?:express|ws|pino|prom-client)$/, parts: ["routes", "app", "loops"] },
  {
    package: /^node:(?:fs|http|https|net|tls|dns|child_process|worker_threads|timers|cluster)(?:\/.*)?$/,
    parts: ["app", "loops", "clients", "routes", "store"],
  },
];

export function findForbiddenEdges(modules: Module[]): Violation[] {
  return modules.flatMap((module) =>
    module.imports.flatMap((found) => {
      const to = resolveImport(module.path, found.specifier);
      const why = to === null ? judgePackage(module.path, found) : judgeEdge(module.path, to, found.isTypeOnly);
      return why === null ? [] : [`${module.path}:${found.line} ${why}`];
    }),
  );
}

function judgeEdge(from: string, to: string, isTypeOnly: boolean): string | null {
  if (!mayEnter(from, to)) return `${roomOf(from)} may not import ${to}`;
  if (!from.startsWith("services/") || isTest(from)) return null;
  const part = partOf(from);
  if (roomOf(to) === roomOf(from)) {
    return mayUsePart(part, partOf(to), isTypeOnly) ? null : `${part} may not import ${partOf(to)} (${to})`;
  }
  return judgeCommon(part, to);
}

function judgeCommon(part: Part, to: string): string | null {
  if (part === "domain" && roomOf(to) !== contracts) return `domain may import nothing of common but contracts (${to})`;
  if (to === `${common}/sql.ts` && part !== "store" && part !== "app") return `only the store and app may import ${to}`;
  if (to === httpClient && part !== "clients") return `only clients may import ${to}`;
  return null;
}

const httpClient = `${common}/http-client.ts`;

/** Of `node:net` these only look at text. */
const addressFunctions = ["isIP", "isIPv4", "isIPv6", "BlockList"];

function judgePackage(from: string, { specifier, names, isTypeOnly }: Import): string | null {
  if (specifier.startsWith("@signalbox/")) return `${specifier} names no file`;
  if (!from.startsWith("services/") || isTest(from)) return null;
  if (specifier === "node:net" && names.length > 0 && names.every((name) => addressFunctions.includes(name)))
    return null;
  const part = partOf(from);
  if (specifier === "undici" && !isTypeOnly) return `undici is reached through ${httpClient}, which loads less of it`;
  const home = homes.find((candidate) => candidate.package.test(specifier));
  return !home || home.parts.includes(part) ? null : `${part} may not import ${specifier}`;
}

/** Circles of imports that exist when the program runs, each named once. */
export function findCycles(modules: Module[]): Violation[] {
  const edges = new Map(modules.map((module) => [module.path, runtimeEdges(module)]));
  const done = new Set<string>();
  const cycles: Violation[] = [];
  const walk = (path: string, trail: string[]): void => {
    const at = trail.indexOf(path);
    if (at >= 0) {
      cycles.push([...trail.slice(at), path].join(" -> "));
      return;
    }
    if (done.has(path)) return;
    for (const next of edges.get(path) ?? []) walk(next, [...trail, path]);
    done.add(path);
  };
  for (const path of edges.keys()) walk(path, []);
  return cycles;
}

function runtimeEdges({ path, imports }: Module): string[] {
  return imports.flatMap(({ specifier, isTypeOnly }) => {
    const to = isTypeOnly ? null : resolveImport(path, specifier);
    return to === null ? [] : [to];
  });
}
