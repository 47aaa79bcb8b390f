/*
 * Fields of the blueprint as the bodies of Render's requests. Only what differs is sent: members that Render sets by itself,
 * and those that a plan does not name, stay as they are.
 */
import type { DatabaseResource, Fields, Json, KeyValueResource, ServiceResource } from "./blueprint.ts";
import type { KeyValuePatch, NewKeyValue, NewPostgres, PostgresPatch } from "./render-resources.ts";
import type {
  Autoscaling,
  EnvVarInput,
  Header,
  IpRange,
  NewService,
  Region,
  RouteInput,
  Runtime,
  ServicePatch,
  ServiceType,
} from "./render-shapes.ts";

export type RequestContext = {
  ownerId: string;
  /** ids of registry credentials by name */
  credentials: Record<string, string>;
};

type Writer = (value: Json, about: { type: ServiceType; fields: Fields; context: RequestContext }) => ServicePatch;

const text = (value: Json) => (typeof value === "string" ? value : "");
const inDetails = (details: NonNullable<ServicePatch["serviceDetails"]>): ServicePatch => ({ serviceDetails: details });
const inBuild = (build: NonNullable<NonNullable<ServicePatch["serviceDetails"]>["envSpecificDetails"]>): ServicePatch =>
  inDetails({ envSpecificDetails: build });

function writeImage(_value: Json, { fields, context }: Parameters<Writer>[1]): ServicePatch {
  const { image, registryCredential } = fields;
  const registryCredentialId = credentialId(registryCredential, context);
  if (typeof image !== "string") return registryCredentialId ? inBuild({ registryCredentialId }) : {};
  return {
    image: { ownerId: context.ownerId, imagePath: image, ...(registryCredentialId && { registryCredentialId }) },
  };
}

function credentialId(name: Json | undefined, { credentials }: RequestContext): string | undefined {
  return typeof name === "string" && Object.hasOwn(credentials, name) ? credentials[name] : undefined;
}

/** How each field that a PATCH can change is written; those that are not here have calls of their own. */
const writers: Record<string, Writer> = {
  repo: (value) => ({ repo: text(value) }),
  branch: (value) => ({ branch: text(value) }),
  rootDir: (value) => ({ rootDir: text(value) }),
  // Render takes both lists or, to clear the filter, two nulls.
  buildFilter: (value) => ({
    buildFilter: (value ?? { paths: null, ignoredPaths: null }) as ServicePatch["buildFilter"],
  }),
  autoDeployTrigger: (value) => ({ autoDeployTrigger: value as ServicePatch["autoDeployTrigger"] }),
  image: writeImage,
  registryCredential: writeImage,
  runtime: (value) => inDetails({ runtime: value as Runtime }),
  plan: (value) => inDetails({ plan: text(value) }),
  buildCommand: (value, { type }) =>
    type === "static_site" ? inDetails({ buildCommand: text(value) }) : inBuild({ buildCommand: text(value) }),
  startCommand: (value) => inBuild({ startCommand: text(value) }),
  preDeployCommand: (value) => inDetails({ preDeployCommand: text(value) }),
  dockerCommand: (value) => inBuild({ dockerCommand: text(value) }),
  dockerfilePath: (value) => inBuild({ dockerfilePath: `./${text(value) || "Dockerfile"}` }),
  dockerContext: (value) => inBuild({ dockerContext: text(value) || "." }),
  staticPublishPath: (value) => inDetails({ publishPath: text(value) || "." }),
  healthCheckPath: (value) => inDetails({ healthCheckPath: text(value) }),
  maxShutdownDelaySeconds: (value) => inDetails({ maxShutdownDelaySeconds: Number(value) }),
  schedule: (value) => inDetails({ schedule: text(value) }),
  maintenanceMode: (value) => inDetails({ maintenanceMode: value as { enabled: boolean; uri: string } }),
  ipAllowList: (value) => inDetails({ ipAllowList: toRanges(value) }),
  renderSubdomainPolicy: (value) => inDetails({ renderSubdomainPolicy: value as "enabled" | "disabled" }),
  previews: (value) => inDetails({ previews: { generation: value as "off" | "manual" | "automatic" } }),
};

/** The one PATCH for some fields of a service; null when none of them is written by it. */
export function toServicePatch(
  service: ServiceResource,
  changed: readonly string[],
  context: RequestContext,
): ServicePatch | null {
  const { type } = service;
  const fields = { ...service.defaults, ...service.fields };
  const parts = changed.flatMap((field) => {
    const write = writers[field];
    return write && fields[field] !== undefined ? [write(fields[field] ?? null, { type, fields, context })] : [];
  });
  return parts.length === 0 ? null : parts.reduce(merge);
}

function merge(a: ServicePatch, b: ServicePatch): ServicePatch {
  const [before, after] = [a.serviceDetails, b.serviceDetails];
  if (!before || !after) return { ...a, ...b };
  const build = { ...before.envSpecificDetails, ...after.envSpecificDetails };
  const serviceDetails = { ...before, ...after, ...(Object.keys(build).length > 0 && { envSpecificDetails: build }) };
  return { ...a, ...b, serviceDetails };
}

export function toNewService(service: ServiceResource, envVars: EnvVarInput[], context: RequestContext): NewService {
  const { name, type } = service;
  const fields = { ...service.defaults, ...service.fields };
  const patch = toServicePatch(service, Object.keys(fields), context) ?? {};
  const { region, numInstances, scaling, disk, routes, headers } = fields;
  const serviceDetails = {
    ...patch.serviceDetails,
    ...(region !== undefined && { region: region as Region }),
    ...(numInstances !== undefined && { numInstances: Number(numInstances) }),
    ...(scaling !== undefined && { autoscaling: toAutoscaling(scaling) }),
    ...(disk !== undefined && { disk: disk as NonNullable<NewService["serviceDetails"]>["disk"] }),
    ...(routes !== undefined && { routes: toRoutes(routes) }),
    ...(headers !== undefined && { headers: toHeaders(headers) }),
  };
  const { name: _name, ...rest } = patch;
  return { ...rest, type, name, ownerId: context.ownerId, envVars, serviceDetails };
}

/** A criterion that is off must still have a percentage that is allowed. */
const unusedPercentage = 70;

export function toAutoscaling(value: Json): Autoscaling {
  const { min, max, cpu, memory } = value as { min: number; max: number; cpu: number | null; memory: number | null };
  const criterion = (share: number | null) => ({ enabled: share !== null, percentage: share ?? unusedPercentage });
  return { enabled: true, min, max, criteria: { cpu: criterion(cpu), memory: criterion(memory) } };
}

export function toHeaders(value: Json): Header[] {
  return (value ?? []) as Header[];
}

export function toRoutes(value: Json): RouteInput[] {
  return (value ?? []) as RouteInput[];
}

function toRanges(value: Json): IpRange[] {
  return ((value ?? []) as { source: string; description: string }[]).map(({ source, description }) => ({
    cidrBlock: source,
    description,
  }));
}

const postgresMembers: Record<string, (value: Json) => Partial<NewPostgres>> = {
  plan: (value) => ({ plan: text(value) }),
  region: (value) => ({ region: value as Region }),
  postgresMajorVersion: (value) => ({ version: text(value) }),
  databaseName: (value) => ({ databaseName: text(value) }),
  user: (value) => ({ databaseUser: text(value) }),
  diskSizeGB: (value) => ({ diskSizeGB: Number(value) }),
  storageAutoscalingEnabled: (value) => ({ enableDiskAutoscaling: value === true }),
  connectionPool: (value) => ({ connectionPool: text(value) }),
  highAvailability: (value) => ({ enableHighAvailability: value === true }),
  ipAllowList: (value) => ({ ipAllowList: toRanges(value) }),
  readReplicas: (value) => ({ readReplicas: (value as string[]).map((name) => ({ name })) }),
};
const keyValueMembers: Record<string, (value: Json) => Partial<NewKeyValue>> = {
  plan: (value) => ({ plan: text(value) }),
  region: (value) => ({ region: value as Region }),
  maxmemoryPolicy: (value) => ({ maxmemoryPolicy: text(value) }),
  persistenceMode: (value) => ({ persistenceMode: text(value) }),
  ipAllowList: (value) => ({ ipAllowList: toRanges(value) }),
};

function collect<T>(members: Record<string, (value: Json) => Partial<T>>, fields: Fields): Partial<T> {
  const parts = Object.entries(fields).map(([field, value]) => members[field]?.(value) ?? {});
  return Object.assign({}, ...parts) as Partial<T>;
}

const only = (fields: Fields, changed: readonly string[]): Fields =>
  Object.fromEntries(Object.entries(fields).filter(([field]) => changed.includes(field)));

export function toNewPostgres({ name, fields, defaults }: DatabaseResource, { ownerId }: RequestContext): NewPostgres {
  const body = collect<NewPostgres>(postgresMembers, { ...defaults, ...fields });
  return { ...body, name, ownerId, plan: body.plan ?? "", version: body.version ?? "" };
}

export function toPostgresPatch({ fields }: DatabaseResource, changed: readonly string[]): PostgresPatch {
  return collect<NewPostgres>(postgresMembers, only(fields, changed)) as PostgresPatch;
}

export function toNewKeyValue({ name, fields, defaults }: KeyValueResource, { ownerId }: RequestContext): NewKeyValue {
  const body = collect<NewKeyValue>(keyValueMembers, { ...defaults, ...fields });
  return { ...body, name, ownerId, plan: body.plan ?? "" };
}

export function toKeyValuePatch({ fields }: KeyValueResource, changed: readonly string[]): KeyValuePatch {
  return collect<NewKeyValue>(keyValueMembers, only(fields, changed)) as KeyValuePatch;
}
