import type { Handler } from "./handler.ts";
import { filterBy, toBarePage, toPage } from "./pages.ts";
import { ensureOwner, getById, type Json, newId, now, Refusal, type Service, type State } from "./state.ts";

/* Owners, custom domains, disks, projects and environments, credentials of registries. */

type Row = Json & { id: string };

const listOwners: Handler = ({ state, query }) => {
  const found = filterBy(state.owners as Row[], query, { name: ({ name }) => name, email: ({ email }) => email });
  return { status: 200, body: toPage(found, query, "owner", (owner) => owner) };
};

const listAudit: Handler = ({ state, params, query }) => {
  ensureOwner(state, params.ownerId);
  const [start, end] = [query.get("startTime") ?? "", query.get("endTime") ?? "9999"];
  const within = (state.audit as Row[]).filter(
    ({ timestamp }) => String(timestamp) >= start && String(timestamp) <= end,
  );
  if (query.get("direction") === "forward") within.reverse();
  return { status: 200, body: toPage(within, query, "auditLog", (entry) => entry) };
};

const listDomains: Handler = ({ state, params, query }) => {
  const { domains } = getById(state.services, params.serviceId, "service");
  const found = filterBy(domains as Row[], query, { name: ({ name }) => name });
  return { status: 200, body: toPage(found, query, "customDomain", (domain) => domain) };
};

/** An apex brings a `www` companion that leads to it, and `www` brings its apex. */
const addDomain: Handler = ({ state, params, body }) => {
  const service = getById(state.services, params.serviceId, "service");
  const { name } = body as { name: string };
  if (service.type !== "web_service" && service.type !== "static_site") {
    throw new Refusal(400, `a ${service.type} has no domains`);
  }
  if (state.services.some(({ domains }) => domains.some((one) => one.name === name))) {
    throw new Refusal(409, `domain ${name} is already in use`);
  }
  const made = [toDomain(state, service, name, "")];
  const bare = name.replace(/^www\./, "");
  if (bare.split(".").length === 2) made.push(toDomain(state, service, bare === name ? `www.${name}` : bare, name));
  service.domains.unshift(...made);
  return { status: 201, body: made };
};

function toDomain(state: State, service: Service, name: string, redirectForName: string): Json {
  return {
    id: newId("cdm"),
    name,
    domainType: name.split(".").length === 2 ? "apex" : "subdomain",
    publicSuffix: name.split(".").at(-1),
    redirectForName,
    verificationStatus: "unverified",
    createdAt: now(state),
    server: { id: service.id, name: service.name },
  };
}

const removeDomain: Handler = ({ state, params }) => {
  const service = getById(state.services, params.serviceId, "service");
  const domain = service.domains.find((one) => [one.id, one.name].includes(params.customDomainNameOrID));
  if (!domain) throw new Refusal(404, "not found: custom domain");
  service.domains = service.domains.filter((one) => one !== domain && one.redirectForName !== domain.name);
  return { status: 204, body: null };
};

type WithDisk = { service: Service; disk: Row };

function disksOf(state: State): WithDisk[] {
  return state.services.flatMap((service) => {
    const disk = service.details.disk as Row | undefined;
    return disk ? [{ service, disk }] : [];
  });
}

function toDisk(state: State, { service, disk }: WithDisk): Row {
  return { ...disk, serviceId: service.id, createdAt: service.createdAt, updatedAt: now(state) };
}

const listDisks: Handler = ({ state, query }) => {
  const rows = disksOf(state).map((one): Row => ({ ...toDisk(state, one), ownerId: one.service.ownerId }));
  const found = filterBy(rows, query, {
    serviceId: ({ serviceId }) => serviceId,
    diskId: ({ id }) => id,
    name: ({ name }) => name,
    ownerId: ({ ownerId }) => ownerId,
  });
  return { status: 200, body: toPage(found, query, "disk", ({ ownerId: _owner, ...disk }) => disk) };
};

const addDisk: Handler = ({ state, body }) => {
  const { serviceId, ...given } = body as Json;
  const service = getById(state.services, String(serviceId), "service");
  if (["static_site", "cron_job"].includes(service.type)) throw new Refusal(400, `a ${service.type} has no disk`);
  if (service.details.disk) throw new Refusal(400, "service already has a disk");
  const disk = { id: newId("dsk"), ...given };
  service.details.disk = disk;
  return { status: 201, body: toDisk(state, { service, disk }) };
};

const updateDisk: Handler = ({ state, params, body }) => {
  const found = disksOf(state).find(({ disk }) => disk.id === params.diskId);
  if (!found) throw new Refusal(404, "not found: disk");
  const { sizeGB } = body as { sizeGB?: number };
  if (sizeGB !== undefined && sizeGB < Number(found.disk.sizeGB))
    throw new Refusal(400, "disk size cannot be decreased");
  found.service.details.disk = { ...found.disk, ...(body as Json) };
  return { status: 200, body: toDisk(state, { service: found.service, disk: found.service.details.disk as Row }) };
};

const listProjects: Handler = ({ state, query }) => {
  const found = filterBy(state.projects as Row[], query, {
    name: ({ name }) => name,
    ownerId: ({ owner }) => (owner as Json).id,
  });
  return { status: 200, body: toPage(found, query, "project", (project) => toProject(state, project)) };
};

function toProject(state: State, project: Row): Json {
  const inside = state.environments.filter(({ projectId }) => projectId === project.id);
  return { ...project, environmentIds: inside.map(({ id }) => id) };
}

const createProject: Handler = ({ state, body }) => {
  const { name, ownerId, environments } = body as Json & { environments: Json[] };
  const owner = state.owners.find(({ id }) => id === ensureOwner(state, ownerId));
  const project: Row = { id: newId("prj"), name, owner, createdAt: now(state), updatedAt: now(state) };
  state.projects.unshift(project);
  for (const environment of environments) addEnvironment(state, { ...environment, projectId: project.id });
  return { status: 201, body: toProject(state, project) };
};

function addEnvironment(state: State, given: Json): Json {
  const projectId = getById(state.projects as Row[], String(given.projectId), "project").id;
  const environment: Json = {
    id: newId("evm"),
    protectedStatus: "unprotected",
    networkIsolationEnabled: false,
    ...given,
    projectId,
  };
  state.environments.unshift(environment);
  return environment;
}

const inside = (rows: readonly (Json | Service)[], environmentId: unknown) =>
  rows.filter((row) => row.environmentId === environmentId).map(({ id }) => id);

function toEnvironment(state: State, environment: Json): Json {
  return {
    ...environment,
    serviceIds: inside(state.services, environment.id),
    databasesIds: inside(state.postgres, environment.id),
    redisIds: inside(state.keyValues, environment.id),
    envGroupIds: inside(state.groups as unknown as Json[], environment.id),
  };
}

const listEnvironments: Handler = ({ state, query }) => {
  const found = filterBy(state.environments as Row[], query, {
    projectId: ({ projectId }) => projectId,
    name: ({ name }) => name,
    environmentId: ({ id }) => id,
  });
  return { status: 200, body: toPage(found, query, "environment", (one) => toEnvironment(state, one)) };
};

const createEnvironment: Handler = ({ state, body }) => ({
  status: 201,
  body: toEnvironment(state, addEnvironment(state, body as Json)),
});

const updateEnvironment: Handler = ({ state, params, body }) => {
  const environment = getById(state.environments as Row[], params.environmentId, "environment");
  Object.assign(environment, body);
  return { status: 200, body: toEnvironment(state, environment) };
};

/** The document says 200; 201 is what comes. */
const addResources: Handler = ({ state, params, body }) => {
  const environment = getById(state.environments as Row[], params.environmentId, "environment");
  const rows: { id: string; environmentId?: unknown }[] = [
    ...state.services,
    ...state.postgres,
    ...state.keyValues,
    ...state.groups,
  ];
  for (const id of (body as { resourceIds: string[] }).resourceIds) {
    getById(rows, id, "resource").environmentId = environment.id;
  }
  return { status: 201, body: toEnvironment(state, environment) };
};

const listCredentials: Handler = ({ state, query }) => {
  const found = filterBy(state.credentials as Row[], query, { name: ({ name }) => name });
  return { status: 200, body: toBarePage(found, query, (one) => one) };
};

export const placeHandlers: Record<string, Handler> = {
  "list-owners": listOwners,
  "list-owner-audit-logs": listAudit,
  "list-custom-domains": listDomains,
  "create-custom-domain": addDomain,
  "delete-custom-domain": removeDomain,
  "list-disks": listDisks,
  "add-disk": addDisk,
  "update-disk": updateDisk,
  "list-projects": listProjects,
  "create-project": createProject,
  "list-environments": listEnvironments,
  "create-environment": createEnvironment,
  "update-environment": updateEnvironment,
  "add-resources-to-environment": addResources,
  "list-registry-credentials": listCredentials,
};
