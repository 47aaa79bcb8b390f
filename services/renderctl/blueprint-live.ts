/*
 * What is live, as plans and drifts see it. Values of environment variables come in as keyed hashes: nothing here could show
 * one, and equal values are still known to be equal.
 */
import { createHash } from "node:crypto";
import {
  type Blueprint,
  canonical,
  type EnvSource,
  type Fields,
  labelOf,
  type Resource,
  type ServiceResource,
} from "./blueprint.ts";
import type { Rule } from "./blueprint-spelling.ts";
import type { KeyValue, Postgres } from "./render-resources.ts";
import { type FullService, serviceRules } from "./service-fields.ts";
import { databaseRules, keyValueRules } from "./store-fields.ts";

/** Keyed hashes by name. */
export type EnvHashes = Record<string, string>;
export type LiveService = FullService & { env: EnvHashes };
export type LiveGroup = { id: string; name: string; serviceIds: string[]; env: EnvHashes };

export type Live = {
  services: LiveService[];
  databases: Postgres[];
  keyValues: KeyValue[];
  groups: LiveGroup[];
  /** hash of what a reference gives now, by `referenceName`; missing when its target is not there or not ready */
  references: EnvHashes;
};

/** The name under which a reference's value is known. */
export function referenceName(source: Extract<EnvSource, { name: string }>): string {
  return `${source.kind}/${source.name}/${source.kind === "variable" ? source.key : source.property}`;
}

export type LiveOf<K extends Resource["kind"]> = {
  service: LiveService;
  database: Postgres;
  keyvalue: KeyValue;
  envgroup: LiveGroup;
}[K];

/** The live things that have a resource's name, whatever their type. */
export function namesakes(live: Live, resource: Pick<Resource, "kind" | "name">): LiveOf<Resource["kind"]>[] {
  const all = {
    service: live.services,
    database: live.databases,
    keyvalue: live.keyValues,
    envgroup: live.groups,
  }[resource.kind];
  return (all as LiveOf<Resource["kind"]>[]).filter(({ name }) => name === resource.name);
}

/** The one live thing that a resource is; null when there is none, or when it is not clear which. */
export function findLive(live: Live, resource: Resource): LiveOf<Resource["kind"]> | null {
  const found = namesakes(live, resource);
  const fitting =
    resource.kind === "service" ? found.filter((one) => "type" in one && one.type === resource.type) : found;
  return fitting.length === 1 ? (fitting[0] ?? null) : null;
}

/** The tables' rules that concern a resource. */
export function rulesOf(resource: Resource): readonly Rule<never>[] {
  if (resource.kind === "service") return serviceRules.filter(({ types }) => types.includes(resource.type));
  if (resource.kind === "database") return databaseRules;
  return resource.kind === "keyvalue" ? keyValueRules : [];
}

/** What is live of the fields that a resource manages, in the one spelling. */
export function liveFields(resource: Resource, live: LiveOf<Resource["kind"]>): Fields {
  const wanted = "fields" in resource ? resource.fields : {};
  const managed = rulesOf(resource).filter(({ field }) => wanted[field] !== undefined);
  return Object.fromEntries(managed.map((rule) => [rule.field, rule.live(live as never, wanted[rule.field] ?? null)]));
}

function isLinked(live: Live, service: ServiceResource, group: string): boolean {
  const found = findLive(live, service);
  return found !== null && live.groups.some(({ name, serviceIds }) => name === group && serviceIds.includes(found.id));
}

/** One hash a resource: two reads of an account in which nothing moved give the same. */
export type Seen = Record<string, string>;

export function whatWasSeen(blueprint: Blueprint, live: Live): Seen {
  const pieces = blueprint.resources.map((resource) => {
    const found = namesakes(live, resource).map((one) => ({
      id: one.id,
      fields: liveFields(resource, one),
      env: "env" in one ? one.env : null,
      links: "serviceIds" in one ? [...one.serviceIds].sort() : null,
      state: "suspended" in one ? one.suspended : null,
    }));
    const links = resource.kind === "service" ? resource.groups.map((group) => isLinked(live, resource, group)) : null;
    const { pointer: _pointer, ...wanted } = resource;
    return [labelOf(resource), sha256({ wanted, found, links })] as const;
  });
  return Object.fromEntries([
    ...pieces,
    ["references", sha256(live.references)],
    ["others", sha256(othersOf(blueprint, live))],
  ]);
}

/** Ids of what is live and not in the blueprint. */
function othersOf(blueprint: Blueprint, live: Live): string[] {
  const named = new Set(blueprint.resources.map(labelOf));
  const others = [
    ...live.services.map(({ id, name }) => ({ id, label: `service/${name}` })),
    ...live.databases.map(({ id, name }) => ({ id, label: `database/${name}` })),
    ...live.keyValues.map(({ id, name }) => ({ id, label: `keyvalue/${name}` })),
    ...live.groups.map(({ id, name }) => ({ id, label: `envgroup/${name}` })),
  ];
  return others.flatMap(({ id, label }) => (named.has(label) ? [] : [id])).sort();
}

export function toFingerprint(seen: Seen): string {
  return sha256(seen);
}

/** The resources that are not as they were seen. */
export function whatMoved(before: Seen, now: Seen): string[] {
  const labels = new Set([...Object.keys(before), ...Object.keys(now)]);
  return [...labels].filter((label) => before[label] !== now[label]).sort();
}

function sha256(value: unknown): string {
  return createHash("sha256").update(canonical(value)).digest("hex");
}
