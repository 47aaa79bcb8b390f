import { beginDeploy, note } from "./deploys.ts";
import { setVars } from "./env.ts";
import type { Handler } from "./handler.ts";
import { filterBy, toPage } from "./pages.ts";
import { newDetails, patchDetails, toFullImage } from "./service-details.ts";
import { ensureOwner, getById, isObject, type Json, newId, now, Refusal, type Service, type State } from "./state.ts";

/** @throws Refusal */
export function addService(state: State, given: Json): Service {
  const { type, name, serviceDetails = {} } = given as { type: string; name: string } & Json;
  const details = serviceDetails as Json;
  const slug = toSlug(state, name);
  const at = now(state);
  const service: Service = {
    id: newId(type === "cron_job" ? "crn" : "srv"),
    name,
    slug,
    type,
    ownerId: ensureOwner(state, given.ownerId),
    ...toOrigin(type, given),
    registryCredentialId: findCredential(state, given.image, details),
    autoDeployTrigger: toTrigger(given) ?? "commit",
    buildFilter: toFilter(given.buildFilter),
    environmentId: typeof given.environmentId === "string" ? given.environmentId : null,
    isSuspended: false,
    createdAt: at,
    updatedAt: at,
    details: newDetails({ type, name, slug }, details),
    envVars: new Map(),
    secretFiles: new Map(),
    routes: toRoutes(listOf(details.routes)),
    headers: listOf(details.headers).map((header) => ({ id: newId("hdr"), ...header })),
    domains: [],
    deploys: [],
    events: [],
    logs: [],
  };
  setVars(service.envVars, listOf(given.envVars));
  for (const file of listOf(given.secretFiles)) service.secretFiles.set(String(file.name), String(file.content));
  state.services.unshift(service);
  return service;
}

function listOf(value: unknown): Json[] {
  return Array.isArray(value) ? value : [];
}

/** Where its code comes from. @throws Refusal 400 */
function toOrigin(type: string, { repo, branch, rootDir, image }: Json) {
  if (typeof repo !== "string" && (type === "static_site" || !isObject(image))) {
    throw new Refusal(400, "repo or image is required, and a static site has no image");
  }
  return {
    repo: typeof repo === "string" ? repo : null,
    branch: typeof repo === "string" ? String(branch ?? "main") : null,
    rootDir: String(rootDir ?? ""),
    imagePath: isObject(image) ? toFullImage(String(image.imagePath)) : null,
  };
}

/** Names may be used twice; slugs are part of a public address. */
function toSlug(state: State, name: string): string {
  const plain = name.toLowerCase().replaceAll(/[^a-z0-9]+/g, "-");
  const isTaken = state.services.some(({ slug }) => slug === plain);
  return isTaken ? `${plain}-${newId("x").slice(2, 6)}` : plain;
}

function toTrigger({ autoDeployTrigger, autoDeploy }: Json): string | null {
  if (typeof autoDeployTrigger === "string") return autoDeployTrigger;
  return autoDeploy === undefined ? null : autoDeploy === "yes" ? "commit" : "off";
}

/** Both lists null clear it. */
function toFilter(given: unknown): Json | null {
  return isObject(given) && given.paths !== null ? given : null;
}

function findCredential(state: State, image: unknown, details: Json): string | null {
  const specific = isObject(details.envSpecificDetails) ? details.envSpecificDetails.registryCredentialId : undefined;
  const id = (isObject(image) ? image.registryCredentialId : undefined) ?? specific;
  return id === undefined ? null : String(getById(state.credentials as { id: string }[], String(id), "credential").id);
}

function toRoutes(routes: Json[]): Json[] {
  return routes.map(({ type, source, destination }, priority) => ({
    id: newId("rte"),
    type,
    source,
    destination,
    priority,
  }));
}

export function toService(state: State, service: Service): Json {
  const credential = state.credentials.find(({ id }) => id === service.registryCredentialId);
  return {
    id: service.id,
    name: service.name,
    slug: service.slug,
    type: service.type,
    ownerId: service.ownerId,
    repo: service.repo,
    branch: service.branch,
    rootDir: service.rootDir,
    ...(service.imagePath !== null && { imagePath: service.imagePath }),
    ...(credential && { registryCredential: { id: credential.id, name: credential.name } }),
    autoDeploy: service.autoDeployTrigger === "off" ? "no" : "yes",
    autoDeployTrigger: service.autoDeployTrigger,
    buildFilter: service.buildFilter,
    environmentId: service.environmentId,
    dashboardUrl: `https://dashboard.render.com/${service.type === "static_site" ? "static" : "web"}/${service.id}`,
    notifyOnFail: "default",
    suspended: service.isSuspended ? "suspended" : "not_suspended",
    suspenders: service.isSuspended ? ["user"] : [],
    createdAt: service.createdAt,
    updatedAt: service.updatedAt,
    serviceDetails: service.details,
  };
}

function touch(state: State, service: Service): void {
  service.updatedAt = now(state);
}

const listServices: Handler = ({ state, query }) => {
  const found = filterBy(state.services, query, {
    name: ({ name }) => name,
    type: ({ type }) => type,
    ownerId: ({ ownerId }) => ownerId,
    environmentId: ({ environmentId }) => environmentId,
    suspended: ({ isSuspended }) => (isSuspended ? "suspended" : "not_suspended"),
    region: ({ details }) => details.region,
    env: ({ details }) => details.runtime,
  });
  return { status: 200, body: toPage(found, query, "service", (service) => toService(state, service)) };
};

const createService: Handler = ({ state, body }) => {
  const { name, type, ownerId } = body as Json;
  const twin = state.services.find((one) => one.name === name && one.type === type && one.ownerId === ownerId);
  if (twin) throw new Refusal(409, `a ${String(type)} named ${String(name)} already exists`);
  const service = addService(state, body as Json);
  // Even with autodeploy off.
  const deploy = beginDeploy(state, service, { trigger: "new_commit" });
  return { status: 201, body: { service: toService(state, service), deployId: deploy.id } };
};

const retrieveService: Handler = ({ state, params }) => ({
  status: 200,
  body: toService(state, getById(state.services, params.serviceId, "service")),
});

const updateService: Handler = ({ state, params, body }) => {
  const service = getById(state.services, params.serviceId, "service");
  const { serviceDetails, image, buildFilter, ...patch } = body as Json;
  const details = (serviceDetails ?? {}) as Json;
  service.details = patchDetails(service.details, details);
  const trigger = toTrigger(patch);
  if (trigger !== null) service.autoDeployTrigger = trigger;
  if (buildFilter !== undefined) service.buildFilter = toFilter(buildFilter);
  for (const key of ["name", "repo", "branch", "rootDir"] as const) {
    if (patch[key] !== undefined) service[key] = String(patch[key]);
  }
  if (isObject(image)) service.imagePath = toFullImage(String(image.imagePath));
  const credentialId = findCredential(state, image, details);
  if (credentialId !== null) service.registryCredentialId = credentialId;
  touch(state, service);
  return { status: 200, body: toService(state, service) };
};

const deleteService: Handler = ({ state, params }) => {
  const service = getById(state.services, params.serviceId, "service");
  state.services = state.services.filter((one) => one !== service);
  for (const group of state.groups) group.serviceIds.delete(service.id);
  return { status: 204, body: null };
};

const setSuspended =
  (isSuspended: boolean): Handler =>
  ({ state, params }) => {
    const service = getById(state.services, params.serviceId, "service");
    service.isSuspended = isSuspended;
    note(state, service, isSuspended ? "service_suspended" : "service_resumed", {});
    touch(state, service);
    return { status: 202, body: null };
  };

const ensureScalable = ({ type }: Service) => {
  if (type === "static_site" || type === "cron_job") throw new Refusal(400, `a ${type} cannot be scaled`);
};

const scaleService: Handler = ({ state, params, body }) => {
  const service = getById(state.services, params.serviceId, "service");
  ensureScalable(service);
  // Render takes it and ignores it while autoscaling is on.
  const autoscaling = service.details.autoscaling as { enabled?: boolean } | undefined;
  if (!autoscaling?.enabled) service.details.numInstances = (body as Json).numInstances;
  return { status: 202, body: null };
};

const autoscale: Handler = ({ state, params, body }) => {
  const service = getById(state.services, params.serviceId, "service");
  ensureScalable(service);
  const { min, max } = body as { min: number; max: number };
  if (min > max || min < 1) throw new Refusal(400, "min must be at least 1 and at most max");
  service.details.autoscaling = body;
  return { status: 200, body };
};

const endAutoscaling: Handler = ({ state, params }) => {
  delete getById(state.services, params.serviceId, "service").details.autoscaling;
  return { status: 204, body: null };
};

/** Lists that are replaced as a whole: PUT answers plain items, `null` for an emptied list; GET answers wrapped ones. */
function replaceable(list: "routes" | "headers", member: string, toRows: (given: Json[]) => Json[]) {
  const get: Handler = ({ state, params, query }) => {
    const rows = getById(state.services, params.serviceId, "service")[list] as (Json & { id: string })[];
    return { status: 200, body: toPage(rows, query, member, (row) => row) };
  };
  const put: Handler = ({ state, params, body }) => {
    const service = getById(state.services, params.serviceId, "service");
    if (service.type !== "static_site") throw new Refusal(400, `${list} are for static sites only`);
    service[list] = toRows(body as Json[]);
    return { status: 200, body: service[list].length === 0 ? null : service[list] };
  };
  return { get, put };
}

const routes = replaceable("routes", "route", toRoutes);
const headers = replaceable("headers", "header", (given) => given.map((header) => ({ id: newId("hdr"), ...header })));

export const serviceHandlers: Record<string, Handler> = {
  "list-services": listServices,
  "create-service": createService,
  "retrieve-service": retrieveService,
  "update-service": updateService,
  "delete-service": deleteService,
  "suspend-service": setSuspended(true),
  "resume-service": setSuspended(false),
  "scale-service": scaleService,
  "autoscale-service": autoscale,
  "delete-autoscaling-config": endAutoscaling,
  "list-routes": routes.get,
  "put-routes": routes.put,
  "list-headers": headers.get,
  "update-headers": headers.put,
};
