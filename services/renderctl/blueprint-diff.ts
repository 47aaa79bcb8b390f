import {
  type Blueprint,
  canonical,
  type EnvEntry,
  type EnvSource,
  isBuiltIn,
  type Json,
  labelOf,
  type Resource,
} from "./blueprint.ts";
import {
  type EnvHashes,
  findLive,
  type Live,
  type LiveOf,
  liveFields,
  referenceName,
  rulesOf,
} from "./blueprint-live.ts";

/* Where what is live differs from what the blueprint wants, field by field. Plans and drifts are both made of this. */

export type Difference = {
  resource: string;
  field: string;
  kind: "missing" | "changed" | "extra";
  /** of an environment variable a mask: set, changed, unset, or where its value comes from */
  wanted: Json;
  live: Json;
  /** a running service only shows it after a deploy */
  deploys: boolean;
  /** why it cannot be put right; null when it can */
  barred: string | null;
};

/** What is known while differences are looked for. */
export type Scene = { blueprint: Blueprint; live: Live; hash: (value: string) => string };

/** Differences of one resource that is live. */
export function diffResource(scene: Scene, resource: Resource, live: LiveOf<Resource["kind"]>): Difference[] {
  return [...diffFields(resource, live), ...("env" in live ? diffVariables(scene, resource, live.env) : [])];
}

function diffFields(resource: Resource, live: LiveOf<Resource["kind"]>): Difference[] {
  if (!("fields" in resource)) return [];
  const now = liveFields(resource, live);
  return rulesOf(resource).flatMap((rule) => {
    const wanted = resource.fields[rule.field];
    const actual = now[rule.field] ?? null;
    if (wanted === undefined || canonical(wanted) === canonical(actual)) return [];
    const difference: Difference = {
      resource: labelOf(resource),
      field: rule.field,
      kind: actual === null ? "missing" : wanted === null ? "extra" : "changed",
      wanted,
      live: actual,
      deploys: rule.deploys === true,
      barred: rule.bars?.(actual, wanted) ?? null,
    };
    return [difference];
  });
}

/** @param env what the resource has; nothing when it is to be made */
export function diffVariables(scene: Scene, resource: Resource, env: EnvHashes): Difference[] {
  if (!("env" in resource)) return [];
  const named = new Set(resource.env.map(({ key }) => key));
  const extra = Object.keys(env).filter((key) => !named.has(key));
  return [
    ...resource.env.flatMap((entry) => diffVariable(scene, resource, { entry, actual: env[entry.key] })),
    ...extra
      .sort()
      .map((key) => ({ ...variable(resource, key), kind: "extra" as const, wanted: "unset", live: "set" })),
  ];
}

const variable = (resource: Resource, key: string) => ({
  resource: labelOf(resource),
  field: `envVars.${key}`,
  deploys: true,
  barred: null,
});

type Found = { entry: EnvEntry; actual: string | undefined };

function diffVariable(scene: Scene, resource: Resource, { entry, actual }: Found): Difference[] {
  const { key, source } = entry;
  // A value by hand is its owner's, and one that was drawn stays what it is.
  if (source.kind === "by-hand" || (source.kind === "generated" && actual !== undefined)) return [];
  const wanted = wantedHash(scene, source);
  if (wanted !== null && wanted === actual) return [];
  const about = variable(resource, key);
  const barred = wanted === null ? whyUnknown(scene, resource, source) : null;
  const from = "name" in source ? `(from ${source.name})` : null;
  if (actual === undefined) return [{ ...about, kind: "missing", wanted: from ?? "set", live: "unset", barred }];
  return [{ ...about, kind: "changed", wanted: from ?? "changed", live: "set", barred }];
}

/** Follows references between services to the value that they will have; null while nobody knows it. */
export function wantedHash(scene: Scene, source: EnvSource, depth = 0): string | null {
  if (source.kind === "value") return scene.hash(source.value);
  if (!("name" in source) || depth > scene.blueprint.resources.length) return null;
  const known = scene.live.references[referenceName(source)] ?? null;
  if (source.kind !== "variable" || isBuiltIn(source.key)) return known;
  const target = serviceNamed(scene.blueprint, source.name);
  const entry = target?.env.find(({ key }) => key === source.key);
  return entry && (entry.source.kind === "value" || "name" in entry.source)
    ? wantedHash(scene, entry.source, depth + 1)
    : known;
}

function serviceNamed({ resources }: Blueprint, name: string) {
  return resources.find((one) => one.kind === "service" && one.name === name) as
    | Extract<Resource, { kind: "service" }>
    | undefined;
}

const kindsOf = { database: "database", keyvalue: "keyvalue", service: "service", variable: "service" } as const;

/** Why a value is not known and will not be once the plan has run; null when it will be. */
function whyUnknown({ blueprint, live }: Scene, resource: Resource, source: EnvSource): string | null {
  if (!("name" in source)) return null;
  const kind = kindsOf[source.kind];
  const target = blueprint.resources.find((one) => one.kind === kind && one.name === source.name);
  const isLive = liveNames(live, kind).includes(source.name);
  if (!target && !isLive)
    return `neither the blueprint nor the account has a ${kind} called ${JSON.stringify(source.name)}`;
  if (source.kind !== "variable" || isBuiltIn(source.key)) return null;
  const entry = target?.kind === "service" ? target.env.find(({ key }) => key === source.key) : undefined;
  if (entry && entry.source.kind !== "by-hand") return null;
  const from = `${labelOf(resource)} takes it from ${source.key} of service/${source.name}`;
  return entry ? `${from}, which a person has to set first` : `${from}, which has no such variable`;
}

function liveNames(live: Live, kind: "database" | "keyvalue" | "service"): string[] {
  const all = { database: live.databases, keyvalue: live.keyValues, service: live.services }[kind];
  return all.map(({ name }) => name);
}

/** Differences of everything that is live, and one for each resource that is not. */
export function diffAccount(scene: Scene): Difference[] {
  return scene.blueprint.resources.flatMap((resource) => {
    const live = findLive(scene.live, resource);
    if (live) return [...diffResource(scene, resource, live), ...diffLinks(scene, resource)];
    const about = { resource: labelOf(resource), field: "", wanted: "present", live: "absent" };
    return [{ ...about, kind: "missing" as const, deploys: resource.kind === "service", barred: null }];
  });
}

/** Groups that a live service should be linked to and is not. */
export function diffLinks({ live }: Scene, resource: Resource): Difference[] {
  if (resource.kind !== "service") return [];
  const found = findLive(live, resource);
  const missing = resource.groups.filter(
    (group) => !live.groups.some(({ name, serviceIds }) => name === group && serviceIds.includes(found?.id ?? "")),
  );
  return missing.map((group) => ({
    resource: labelOf(resource),
    field: "fromGroup",
    kind: "missing" as const,
    wanted: group,
    live: null,
    deploys: true,
    barred: null,
  }));
}
