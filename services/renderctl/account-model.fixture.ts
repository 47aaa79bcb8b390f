import { createHash } from "node:crypto";
import type { Blueprint, EnvSource, Fields, Json, Resource, ServiceResource } from "./blueprint.ts";
import { type Scene, wantedHash } from "./blueprint-diff.ts";
import { findLive, type Live, type LiveService, referenceName } from "./blueprint-live.ts";
import { type Plan, type PlanOptions, planBlueprint, type Step } from "./blueprint-plan.ts";
import {
  toAutoscaling,
  toHeaders,
  toKeyValuePatch,
  toNewKeyValue,
  toNewPostgres,
  toNewService,
  toPostgresPatch,
  toRoutes,
  toServicePatch,
} from "./blueprint-requests.ts";
import type { KeyValue, NewKeyValue, NewPostgres, Postgres } from "./render-resources.ts";
import type { NewService, ServicePatch } from "./render-shapes.ts";

/*
 * Render's account as far as the pure parts need one: requests change it as Render would, and its answers are read by the
 * same tables as Render's. It has no HTTP and no time; the stand-in has those.
 */

export const hash = (value: string) => `h:${createHash("sha256").update(value).digest("hex").slice(0, 12)}`;
const context = { ownerId: "tea-1", credentials: { hub: "rgc-1" } };

export const emptyAccount = (): Live => ({ services: [], databases: [], keyValues: [], groups: [], references: {} });

export function planFor(blueprint: Blueprint, live: Live, options: Partial<PlanOptions> = {}): Plan {
  const scene = { blueprint, live: withReferences(blueprint, live), hash };
  return planBlueprint(scene, { prune: false, managedIds: [], selfId: null, ...options });
}

/** What an account looks like after a plan was carried out. */
export function carryOut(blueprint: Blueprint, live: Live, plan: Plan): Live {
  return plan.steps.reduce((now, step) => {
    const scene = { blueprint, live: withReferences(blueprint, now), hash };
    const resource = blueprint.resources.find(({ kind, name }) => `${kind}/${name}` === step.resource);
    return resource ? doStep(scene, resource, step) : removed(now, step.resource);
  }, live);
}

/** Every reference whose target is there has a value. */
function withReferences(blueprint: Blueprint, live: Live): Live {
  const sources = blueprint.resources.flatMap((one) => ("env" in one ? one.env.map(({ source }) => source) : []));
  const named = sources.filter((source): source is Extract<EnvSource, { name: string }> => "name" in source);
  const references = named.flatMap((source) => {
    const found = givenBy(live, source);
    return found === undefined ? [] : [[referenceName(source), found] as const];
  });
  return { ...live, references: Object.fromEntries(references) };
}

function givenBy(live: Live, source: Extract<EnvSource, { name: string }>): string | undefined {
  const named = <T extends { name: string }>(all: T[]) => all.find(({ name }) => name === source.name);
  if (source.kind === "database") return named(live.databases) && hash(referenceName(source));
  if (source.kind === "keyvalue") return named(live.keyValues) && hash(referenceName(source));
  const service = named(live.services);
  if (source.kind === "service" || source.key.startsWith("RENDER_")) return service && hash(referenceName(source));
  return service?.env[source.key];
}

function removed(live: Live, label: string): Live {
  const isOther = (kind: string) => (one: { name: string }) => `${kind}/${one.name}` !== label;
  return {
    ...live,
    services: live.services.filter(isOther("service")),
    groups: live.groups.filter(isOther("envgroup")),
  };
}

function doStep(scene: Scene, resource: Resource, step: Step): Live {
  const { live } = scene;
  if (step.action === "deploy") return live;
  if (step.action === "link") return linked(live, resource, String(step.changes[0]?.to));
  const env = envAfter(scene, resource, step);
  const changed = step.changes.map(({ field }) => field);
  if (resource.kind === "envgroup") {
    const before = live.groups.find(({ name }) => name === resource.name);
    const after = { id: `evg-${resource.name}`, name: resource.name, serviceIds: before?.serviceIds ?? [], env };
    return { ...live, groups: [...live.groups.filter((one) => one !== before), after] };
  }
  if (resource.kind === "service") return withService(live, serviceAfter(live, resource, { changed, env, step }));
  return resource.kind === "database"
    ? { ...live, databases: upsert(live.databases, postgresAfter(live, resource, changed)) }
    : { ...live, keyValues: upsert(live.keyValues, keyValueAfter(live, resource, changed)) };
}

const upsert = <T extends { name: string }>(all: T[], one: T): T[] => [
  ...all.filter(({ name }) => name !== one.name),
  one,
];
const withService = (live: Live, service: LiveService): Live => ({ ...live, services: upsert(live.services, service) });

function linked(live: Live, resource: Resource, group: string): Live {
  const id = findLive(live, resource)?.id ?? "";
  const groups = live.groups.map((one) => (one.name === group ? { ...one, serviceIds: [...one.serviceIds, id] } : one));
  return { ...live, groups };
}

function envAfter(scene: Scene, resource: Resource, step: Step): Record<string, string> {
  const found = findLive(scene.live, resource);
  const before = found && "env" in found ? found.env : {};
  const named = step.changes.flatMap(({ field }) => (field.startsWith("envVars.") ? [field.slice(8)] : []));
  const entries = "env" in resource ? resource.env.filter(({ key }) => named.includes(key)) : [];
  const after = entries.map(({ key, source }) => {
    const value = wantedHash(scene, source);
    if (value === null && source.kind !== "generated")
      throw new Error(`${step.id}: ${key} has no value when it is written`);
    return [key, value ?? hash(`drawn ${key}`)] as const;
  });
  return { ...before, ...Object.fromEntries(after) };
}

type Work = { changed: string[]; env: Record<string, string>; step: Step };

function serviceAfter(live: Live, resource: ServiceResource, { changed, env, step }: Work): LiveService {
  const before = findLive(live, resource) as LiveService | null;
  if (step.action === "create" || before === null) return created(toNewService(resource, [], context), resource, env);
  const patch = toServicePatch(resource, changed, context) ?? {};
  const after = patched(before, patch);
  const special = Object.fromEntries(changed.map((field) => [field, resource.fields[field]]));
  return { ...withSpecials(after, special as Fields), env };
}

function created(body: NewService, { fields }: ServiceResource, env: Record<string, string>): LiveService {
  const {
    region,
    numInstances,
    autoscaling,
    disk,
    routes: _routes,
    headers: _headers,
    ...details
  } = body.serviceDetails ?? {};
  const blank: LiveService = {
    ...{ id: `srv-${body.name}`, name: body.name, slug: body.name, type: body.type, ownerId: body.ownerId, env },
    ...{ suspended: "not_suspended" as const, createdAt: "2026-01-01T00:00:00Z", updatedAt: "2026-01-01T00:00:00Z" },
    extras: { routes: null, headers: null, domains: null },
    serviceDetails: { region, numInstances, autoscaling, disk: disk && { id: "dsk-1", sizeGB: 1, ...disk } },
  };
  return withSpecials(patched(blank, { ...body, serviceDetails: details }), fields);
}

function patched(service: LiveService, { image, serviceDetails = {}, ...top }: ServicePatch): LiveService {
  const { preDeployCommand, envSpecificDetails, ...details } = serviceDetails;
  const { registryCredentialId = image?.registryCredentialId, ...build } = envSpecificDetails ?? {};
  const credential = registryCredentialId && { registryCredential: { id: registryCredentialId, name: "hub" } };
  const before = service.serviceDetails ?? {};
  return {
    ...service,
    ...(top as object),
    ...(image && { imagePath: image.imagePath }),
    ...credential,
    serviceDetails: {
      ...before,
      ...details,
      envSpecificDetails: {
        ...before.envSpecificDetails,
        ...build,
        ...(preDeployCommand !== undefined && { preDeployCommand }),
      },
    },
  };
}

/** What has calls of its own. */
function withSpecials(service: LiveService, fields: Fields): LiveService {
  const { numInstances, scaling, disk, domains, headers, routes } = fields as Record<string, Json>;
  const details = service.serviceDetails ?? {};
  return {
    ...service,
    serviceDetails: {
      ...details,
      ...(numInstances !== undefined && { numInstances: Number(numInstances) }),
      ...(scaling !== undefined && { autoscaling: toAutoscaling(scaling) }),
      ...(disk !== undefined && {
        disk: { ...(disk as { name: string; mountPath: string; sizeGB: number }), id: "dsk-1" },
      }),
    },
    extras: {
      domains: domains === undefined ? service.extras.domains : (domains as string[]).map((name) => ({ name })),
      headers: headers === undefined ? service.extras.headers : [...toHeaders(headers)].reverse(),
      routes: routes === undefined ? service.extras.routes : toRoutes(routes),
    },
  };
}

function postgresAfter(live: Live, resource: Extract<Resource, { kind: "database" }>, changed: string[]): Postgres {
  const before = live.databases.find(({ name }) => name === resource.name);
  const body: NewPostgres = before
    ? ({ ...toPostgresPatch(resource, changed), name: resource.name } as NewPostgres)
    : toNewPostgres(resource, context);
  const { enableHighAvailability, enableDiskAutoscaling, databaseName, ...rest } = body;
  return {
    ...{ id: `dpg-${resource.name}`, status: "available", region: "oregon" as const, databaseUser: "u" },
    ...before,
    ...rest,
    // Render adds an ending of its own.
    databaseName: before?.databaseName ?? `${databaseName ?? "db"}_2mfb`,
    ...(enableHighAvailability !== undefined && { highAvailabilityEnabled: enableHighAvailability }),
    ...(enableDiskAutoscaling !== undefined && { diskAutoscalingEnabled: enableDiskAutoscaling }),
    // and shows an empty list as null
    ...(rest.ipAllowList?.length === 0 && { ipAllowList: null }),
  } as Postgres;
}

function keyValueAfter(live: Live, resource: Extract<Resource, { kind: "keyvalue" }>, changed: string[]): KeyValue {
  const before = live.keyValues.find(({ name }) => name === resource.name);
  const body: NewKeyValue = before
    ? ({ ...toKeyValuePatch(resource, changed), name: resource.name } as NewKeyValue)
    : toNewKeyValue(resource, context);
  const { maxmemoryPolicy, persistenceMode, ...rest } = body;
  const options = { ...(maxmemoryPolicy && { maxmemoryPolicy }), ...(persistenceMode && { persistenceMode }) };
  const blank = { id: `red-${resource.name}`, status: "available", region: "oregon" as const };
  return { ...blank, ...before, ...rest, options: { ...before?.options, ...options } } as KeyValue;
}
