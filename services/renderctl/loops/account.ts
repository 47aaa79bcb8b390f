import type { Blueprint, Resource } from "../blueprint.ts";
import { type Live, type LiveGroup, type LiveService, referenceName } from "../blueprint-live.ts";
import type { RenderApi } from "../clients/render.ts";
import type { Service } from "../render-shapes.ts";
import { type Reference, type ReferenceScope, readReference } from "./references.ts";

/*
 * Reads what is live, as far as a blueprint concerns it. Values of variables are hashed in the same expression that reads
 * them. Nothing is written.
 */

export type AccountScope = {
  api: RenderApi;
  ownerId: string;
  signal: AbortSignal;
  /** a keyed hash: equal for equal values, and nothing else can be told from it */
  hash(value: string): string;
};

/** Reads at once; the account's limits are for all of renderctl. */
const readsAtOnce = 4;

export async function readLive(scope: AccountScope, { resources }: Pick<Blueprint, "resources">): Promise<Live> {
  const { api, ownerId } = scope;
  const [services, databases, keyValues, groups] = await Promise.all([
    api.services.list({ ownerId }),
    api.stores.listPostgres({ ownerId }),
    api.stores.listKeyValue({ ownerId }),
    api.groups.list({ ownerId }),
  ]);
  const named = (kind: Resource["kind"], name: string) =>
    resources.find((one) => one.kind === kind && one.name === name);
  return {
    services: await inTurn(services, (service) => readService(scope, service, named("service", service.name))),
    databases,
    keyValues,
    groups: await inTurn(groups, async (group): Promise<LiveGroup> => {
      const { id, name } = group;
      if (!named("envgroup", name)) return { id, name, serviceIds: idsOf(group.serviceLinks), env: {} };
      const full = await api.groups.get(id);
      return { id, name, serviceIds: idsOf(full.serviceLinks), env: hashAll(scope, full.envVars ?? []) };
    }),
    references: await readReferences(scope, resources, services),
  };
}

const idsOf = (links: { id: string }[] | null | undefined): string[] => (links ?? []).map(({ id }) => id);

function hashAll({ hash }: AccountScope, vars: readonly { key: string; value: string }[]): Record<string, string> {
  return Object.fromEntries(vars.map(({ key, value }) => [key, hash(value)]));
}

async function readService(scope: AccountScope, service: Service, wanted: Resource | undefined): Promise<LiveService> {
  const { api } = scope;
  if (wanted?.kind !== "service" || wanted.type !== service.type) {
    return { ...service, env: {}, extras: { routes: null, headers: null, domains: null } };
  }
  const isManaged = (field: string) => wanted.fields[field] !== undefined;
  return {
    ...service,
    env: hashAll(scope, await api.env.list(service.id)),
    extras: {
      routes: isManaged("routes") ? byPriority(await api.services.listRoutes(service.id)) : null,
      headers: isManaged("headers") ? await api.services.listHeaders(service.id) : null,
      domains: isManaged("domains") ? await api.services.listDomains(service.id) : null,
    },
  };
}

function byPriority<T extends { priority?: number | null }>(routes: readonly T[]): T[] {
  return [...routes].sort((a, b) => (a.priority ?? 0) - (b.priority ?? 0));
}

async function readReferences(
  scope: AccountScope,
  resources: readonly Resource[],
  services: readonly Service[],
): Promise<Record<string, string>> {
  const sources = resources.flatMap((one) => ("env" in one ? one.env.map(({ source }) => source) : []));
  const named = new Map(
    sources.flatMap((source) => ("name" in source ? [[referenceName(source), source as Reference] as const] : [])),
  );
  // What is not ready yet is not known yet; a plan does not wait for it.
  const now: ReferenceScope = { ...scope, services, pollMs: 0, patienceMs: -1 };
  const read = await inTurn([...named], async ([name, source]) => {
    const value = await readReference(now, source);
    return value === null ? [] : [[name, scope.hash(value)] as const];
  });
  return Object.fromEntries(read.flat());
}

async function inTurn<T, R>(items: readonly T[], read: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  for (let at = 0; at < items.length; at += readsAtOnce) {
    results.push(...(await Promise.all(items.slice(at, at + readsAtOnce).map(read))));
  }
  return results;
}
