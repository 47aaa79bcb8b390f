/*
 * A blueprint file, judged as a whole before anything of it is used: what is not known is refused with its line and the
 * word that was probably meant, because a field that is spelled wrong and silently left out would not be managed at all.
 */
import type { TSchema } from "typebox";
import {
  type Blueprint,
  type DatabaseProperty,
  type EnvEntry,
  type EnvSource,
  type Fields,
  type Json,
  labelOf,
  type Resource,
  type ServiceProperty,
  type Unsupported,
} from "./blueprint.ts";
import { findMistakes } from "./blueprint-mistakes.ts";
import { DatabaseSchema, EnvGroupSchema, envVarSchemas, FileSchema, serviceSchemas } from "./blueprint-schema.ts";
import { type Entry, wantedFields } from "./blueprint-spelling.ts";
import { findUnsupported } from "./blueprint-unsupported.ts";
import { nearestWord } from "./nearest-word.ts";
import type { ServiceType } from "./render-shapes.ts";
import { serviceRules } from "./service-fields.ts";
import { databaseRules, keyValueRules } from "./store-fields.ts";

/** The text as YAML reads it: the values, and on which line each stands. */
export type Yaml =
  | { kind: "yaml"; value: unknown; lineOf(pointer: string): number }
  | { kind: "broken"; line: number; message: string };

/** One thing that is wrong, at a JSON Pointer. */
export type Problem = { path: string; message: string };
/** Judges a value by a schema; null when it is fine. */
export type CheckValue = (schema: TSchema, value: unknown) => Problem[] | null;

export type BlueprintProblem = { line: number; message: string };
export type ParsedBlueprint =
  | { kind: "blueprint"; blueprint: Blueprint }
  | { kind: "invalid"; problems: BlueprintProblem[] };

export function parseBlueprint(read: Yaml, check: CheckValue): ParsedBlueprint {
  if (read.kind === "broken") return { kind: "invalid", problems: [{ line: read.line, message: read.message }] };
  const problems = judge(check, FileSchema, { value: read.value, pointer: "" });
  const found =
    problems.length > 0 ? { resources: [], problems: [], unsupported: [] } : readFile(read.value as Entry, check);
  const all = [...problems, ...found.problems];
  const wrong = all.length > 0 ? all : findMistakes(found.resources);
  if (wrong.length === 0) {
    return { kind: "blueprint", blueprint: { resources: found.resources, unsupported: found.unsupported } };
  }
  const told = wrong.map(({ path, message }) => ({
    line: read.lineOf(path),
    message: `${describe(read.value, path)} ${message}`,
  }));
  return { kind: "invalid", problems: told.sort((a, b) => a.line - b.line) };
}

type Found = { resources: Resource[]; problems: Problem[]; unsupported: Unsupported[] };

/** Resources stand at the top, in environments of projects, and under `ungrouped`. */
function readFile(file: Entry, check: CheckValue): Found {
  const projects = (file.projects ?? []) as { environments?: Entry[] }[];
  const areas = [
    { pointer: "", area: file },
    { pointer: "/ungrouped", area: (file.ungrouped ?? {}) as Entry },
    ...projects.flatMap(({ environments = [] }, i) =>
      environments.map((area, j) => ({ pointer: `/projects/${i}/environments/${j}`, area })),
    ),
  ];
  const found = areas.map(({ pointer, area }) => readArea(area, pointer, check));
  return {
    resources: found.flatMap(({ resources }) => resources),
    problems: found.flatMap(({ problems }) => problems),
    unsupported: [...findUnsupported(file), ...found.flatMap(({ unsupported }) => unsupported)],
  };
}

type Reader = (entry: Entry, at: { pointer: string; check: CheckValue }) => Found;
const readers: Record<string, Reader> = { envVarGroups: readGroup, databases: readDatabase, services: readService };

function readArea(area: Entry, pointer: string, check: CheckValue): Found {
  const found = Object.entries(readers).flatMap(([list, read]) =>
    ((area[list] ?? []) as Entry[]).map((entry, index) =>
      read(entry, { pointer: `${pointer}/${list}/${index}`, check }),
    ),
  );
  return {
    resources: found.flatMap(({ resources }) => resources),
    problems: found.flatMap(({ problems }) => problems),
    unsupported: found.flatMap(({ unsupported }) => unsupported),
  };
}

const nothing: Found = { resources: [], problems: [], unsupported: [] };

function readDatabase(entry: Entry, { pointer, check }: { pointer: string; check: CheckValue }): Found {
  const problems = judge(check, DatabaseSchema, { value: entry, pointer });
  if (problems.length > 0) return { ...nothing, problems };
  const fields = wantedFields(databaseRules, entry);
  const defaults = missing({ plan: "basic_256mb", postgresMajorVersion: "17", region: "oregon" }, fields);
  const resource: Resource = { kind: "database", name: String(entry.name), pointer, fields, defaults };
  return { ...nothing, resources: [resource], unsupported: findUnsupported(entry, labelOf(resource)) };
}

function readGroup(entry: Entry, { pointer, check }: { pointer: string; check: CheckValue }): Found {
  const problems = judge(check, EnvGroupSchema, { value: entry, pointer });
  if (problems.length > 0) return { ...nothing, problems };
  const env = readEnv(entry, pointer, check);
  const resource: Resource = { kind: "envgroup", name: String(entry.name), pointer, env: env.entries, defaults: {} };
  return { resources: [resource], problems: env.problems, unsupported: env.unsupported(labelOf(resource)) };
}

function readService(entry: Entry, { pointer, check }: { pointer: string; check: CheckValue }): Found {
  const variant = variantOf(entry);
  if (variant === null) {
    const problem = { path: `${pointer}/type`, message: "must be web, pserv, worker, cron, keyvalue or workflow" };
    return { ...nothing, problems: [problem] };
  }
  const problems = judge(check, serviceSchemas[variant], { value: entry, pointer });
  if (problems.length > 0) return { ...nothing, problems };
  if (variant === "keyvalue") return readKeyValue(entry, pointer);
  const env = readEnv(entry, pointer, check);
  const name = String(entry.name);
  const label = labelOf({ kind: "service", name });
  const unsupported = [...findUnsupported(entry, label), ...env.unsupported(label)];
  const type = serviceTypes[`${String(entry.type)}${variant === "static" ? "/static" : ""}`];
  if (type === undefined || entry.buildSource !== undefined) return { ...nothing, problems: env.problems, unsupported };
  const rules = serviceRules.filter(({ types }) => types.includes(type));
  const fields = wantedFields(rules, entry);
  const { entries, groups } = env;
  const resource: Resource = {
    ...{ kind: "service", name, pointer, type, fields, env: entries, groups },
    defaults: missing(defaultsOf(type), fields),
  };
  return { resources: [resource], problems: env.problems, unsupported };
}

function readKeyValue(entry: Entry, pointer: string): Found {
  const fields = wantedFields(keyValueRules, entry);
  const defaults = missing({ plan: "starter", region: "oregon" }, fields);
  const resource: Resource = { kind: "keyvalue", name: String(entry.name), pointer, fields, defaults };
  return { ...nothing, resources: [resource], unsupported: findUnsupported(entry, labelOf(resource)) };
}

const serviceTypes: Record<string, ServiceType> = {
  web: "web_service",
  "web/static": "static_site",
  pserv: "private_service",
  worker: "background_worker",
  cron: "cron_job",
};

function variantOf({ type, runtime }: Entry): keyof typeof serviceSchemas | null {
  if (type === "keyvalue" || type === "redis") return "keyvalue";
  if (type === "cron" || type === "workflow") return type;
  if (type === "web" && runtime === "static") return "static";
  return type === "web" || type === "pserv" || type === "worker" ? "server" : null;
}

/** What the blueprint's documentation promises where it is silent; Render's API has other ideas, or none. */
function defaultsOf(type: ServiceType): Fields {
  const trigger = { autoDeployTrigger: "commit" };
  return type === "static_site" ? trigger : { ...trigger, plan: "starter", region: "oregon" };
}

const missing = (defaults: Fields, fields: Fields): Fields =>
  Object.fromEntries(Object.entries(defaults).filter(([field]) => fields[field] === undefined)) as Record<string, Json>;

type FoundEnv = {
  entries: EnvEntry[];
  groups: string[];
  problems: Problem[];
  unsupported(label: string): Unsupported[];
};

function readEnv(entry: Entry, pointer: string, check: CheckValue): FoundEnv {
  const vars = (entry.envVars ?? []) as Entry[];
  const problems = vars.flatMap((one, index) => judgeVar(one, `${pointer}/envVars/${index}`, check));
  const named = problems.length > 0 ? [] : vars.filter(({ fromGroup }) => fromGroup === undefined);
  const groups = problems.length > 0 ? [] : vars.flatMap(({ fromGroup }) => (fromGroup ? [String(fromGroup)] : []));
  return {
    entries: named.map((one) => ({ key: String(one.key), source: sourceOf(one) })),
    groups: [...new Set(groups)],
    problems,
    unsupported: (label) => named.flatMap((one) => findUnsupported(one, label, `envVars.${String(one.key)}.`)),
  };
}

function judgeVar(one: Entry, pointer: string, check: CheckValue): Problem[] {
  const isObject = typeof one === "object" && one !== null;
  const from = isObject ? (["fromGroup", "fromDatabase", "fromService"] as const).find((key) => key in one) : undefined;
  const problems = judge(check, envVarSchemas[from ?? "plain"], { value: one, pointer });
  if (problems.length > 0 || from === "fromGroup" || from === "fromDatabase") return problems;
  if (from === "fromService") return judgeServiceReference(one.fromService as Entry, `${pointer}/fromService`);
  const said = [one.value !== undefined, one.generateValue === true, one.sync === false].filter((is) => is).length;
  if (said === 1) return [];
  const message = "needs exactly one of value, generateValue: true, sync: false, fromDatabase, fromService";
  return [{ path: pointer, message }];
}

function judgeServiceReference({ type, property, envVarKey }: Entry, pointer: string): Problem[] {
  if ((property === undefined) === (envVarKey === undefined)) {
    return [{ path: pointer, message: "needs exactly one of property and envVarKey" }];
  }
  const isStore = type === "keyvalue" || type === "redis";
  if (isStore && envVarKey !== undefined) return [{ path: pointer, message: "a key value store has no envVarKey" }];
  const isPossible = isStore ? ["host", "port", "hostport", "connectionString"] : ["host", "port", "hostport", "slug"];
  if (property === undefined || isPossible.includes(String(property))) return [];
  return [{ path: `${pointer}/property`, message: `must be one of ${isPossible.join(", ")} here` }];
}

function sourceOf(one: Entry): EnvSource {
  const { fromDatabase, fromService } = one as {
    fromDatabase?: { name: string; property: DatabaseProperty };
    fromService?: ServiceReference;
  };
  if (fromDatabase) return { kind: "database", name: fromDatabase.name, property: fromDatabase.property };
  if (fromService) return referenceOf(fromService);
  if (one.generateValue === true) return { kind: "generated" };
  return one.sync === false ? { kind: "by-hand" } : { kind: "value", value: String(one.value) };
}

/** It was judged to have one of the two. */
type ServiceReference = { type: string; name: string } & (
  | { property: ServiceProperty; envVarKey?: undefined }
  | { property?: undefined; envVarKey: string }
);

function referenceOf(from: ServiceReference): EnvSource {
  const { type, name, property, envVarKey } = from;
  if (envVarKey !== undefined) return { kind: "variable", name, key: envVarKey };
  if (type === "keyvalue" || type === "redis") return { kind: "keyvalue", name, property };
  return { kind: "service", name, property };
}

/** By a schema; a member that it does not know gets the word that was probably meant. */
function judge(check: CheckValue, schema: TSchema, { value, pointer }: { value: unknown; pointer: string }): Problem[] {
  return (check(schema, value) ?? []).map(({ path, message }) => {
    const unknown = message === "is not a known member" ? toSuggestion(schema, path) : "";
    return { path: `${pointer}${path}`, message: `${message}${unknown}` };
  });
}

function toSuggestion(schema: TSchema, path: string): string {
  const parts = path
    .split("/")
    .slice(1)
    .map((part) => part.replaceAll("~1", "/").replaceAll("~0", "~"));
  const word = parts.pop() ?? "";
  const near = nearestWord(word, Object.keys(memberOf(schema, parts)?.properties ?? {}));
  return near === null ? "" : `; did you mean ${near}?`;
}

type Members = { properties?: Record<string, TSchema>; items?: TSchema };

function memberOf(schema: TSchema, parts: readonly string[]): Members | null {
  return parts.reduce<Members | null>((at, part) => {
    const next = /^\d+$/.test(part) && at?.items ? at.items : at?.properties?.[part];
    return (next as Members | undefined) ?? null;
  }, schema as Members);
}

/** The place for a person: the resource's name instead of its number. */
function describe(value: unknown, pointer: string): string {
  const parts = pointer
    .split("/")
    .slice(1)
    .map((part) => part.replaceAll("~1", "/").replaceAll("~0", "~"));
  const words: string[] = [];
  let at: unknown = value;
  for (const part of parts) {
    at = (at as Record<string, unknown> | null | undefined)?.[part];
    const { name, key } = (at ?? {}) as { name?: unknown; key?: unknown };
    const title = typeof name === "string" ? name : key;
    if (/^\d+$/.test(part)) words.push(typeof title === "string" ? JSON.stringify(title) : `entry ${Number(part) + 1}`);
    else words.push(part);
  }
  return words.length === 0 ? "the file" : words.join(" ").replaceAll('" ', '": ');
}
