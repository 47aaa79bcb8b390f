import { setVar, setVars } from "./env.ts";
import type { Handler } from "./handler.ts";
import { filterBy, toBarePage } from "./pages.ts";
import { type EnvGroup, ensureOwner, getById, type Json, newId, now, Refusal, type State } from "./state.ts";

const shortTypes: Record<string, string> = {
  static_site: "static",
  web_service: "web",
  private_service: "pserv",
  background_worker: "worker",
  cron_job: "cron",
};

function toSummary(state: State, group: EnvGroup): Json {
  const linked = state.services.filter(({ id }) => group.serviceIds.has(id));
  return {
    id: group.id,
    name: group.name,
    ownerId: group.ownerId,
    createdAt: group.createdAt,
    updatedAt: group.updatedAt,
    serviceLinks: linked.map(({ id, name, type }) => ({ id, name, type: shortTypes[type] })),
    ...(group.environmentId !== null && { environmentId: group.environmentId }),
  };
}

function toGroup(state: State, group: EnvGroup): Json {
  return {
    ...toSummary(state, group),
    envVars: [...group.envVars].map(([key, value]) => ({ key, value })),
    secretFiles: [...group.secretFiles].map(([name, content]) => ({ name, content })),
  };
}

function onGroup(change: (group: EnvGroup, call: Parameters<Handler>[0]) => void): Handler {
  return (call) => {
    const group = getById(call.state.groups, call.params.envGroupId, "env group");
    change(group, call);
    group.updatedAt = now(call.state);
    return { status: 200, body: toGroup(call.state, group) };
  };
}

function offGroup(remove: (group: EnvGroup, params: Record<string, string>) => boolean): Handler {
  return ({ state, params }) => {
    const group = getById(state.groups, params.envGroupId, "env group");
    if (!remove(group, params)) throw new Refusal(404, "not found in env group");
    group.updatedAt = now(state);
    return { status: 204, body: null };
  };
}

/** Bare, without variables. */
const list: Handler = ({ state, query }) => {
  const found = filterBy(state.groups, query, {
    name: ({ name }) => name,
    ownerId: ({ ownerId }) => ownerId,
    environmentId: ({ environmentId }) => environmentId,
  });
  return { status: 200, body: toBarePage(found, query, (group) => toSummary(state, group)) };
};

const create: Handler = ({ state, body }) => {
  const given = body as Json;
  const ownerId = ensureOwner(state, given.ownerId);
  if (state.groups.some((one) => one.name === given.name && one.ownerId === ownerId)) {
    throw new Refusal(409, `an env group named ${String(given.name)} already exists`);
  }
  const at = now(state);
  const group: EnvGroup = {
    id: newId("evg"),
    name: String(given.name),
    ownerId,
    environmentId: typeof given.environmentId === "string" ? given.environmentId : null,
    createdAt: at,
    updatedAt: at,
    envVars: new Map(),
    secretFiles: new Map(),
    serviceIds: new Set(((given.serviceIds ?? []) as string[]).map((id) => getById(state.services, id, "service").id)),
  };
  setVars(group.envVars, given.envVars as Json[]);
  for (const { name, content } of (given.secretFiles ?? []) as Json[])
    group.secretFiles.set(String(name), String(content));
  state.groups.unshift(group);
  return { status: 201, body: toGroup(state, group) };
};

const remove: Handler = ({ state, params }) => {
  const group = getById(state.groups, params.envGroupId, "env group");
  state.groups = state.groups.filter((one) => one !== group);
  return { status: 204, body: null };
};

export const groupHandlers: Record<string, Handler> = {
  "list-env-groups": list,
  "create-env-group": create,
  "retrieve-env-group": ({ state, params }) => ({
    status: 200,
    body: toGroup(state, getById(state.groups, params.envGroupId, "env group")),
  }),
  "update-env-group": onGroup((group, { body }) => {
    group.name = String((body as Json).name);
  }),
  "delete-env-group": remove,
  "update-env-group-env-var": onGroup((group, { params, body }) =>
    setVar(group.envVars, params.envVarKey ?? "", body as Json),
  ),
  "delete-env-group-env-var": offGroup((group, { envVarKey = "" }) => group.envVars.delete(envVarKey)),
  "update-env-group-secret-file": onGroup((group, { params, body }) => {
    group.secretFiles.set(params.envVarKey ?? "", String((body as Json).content ?? ""));
  }),
  "delete-env-group-secret-file": offGroup((group, { envVarKey = "" }) => group.secretFiles.delete(envVarKey)),
  "link-service-to-env-group": onGroup((group, { state, params }) => {
    group.serviceIds.add(getById(state.services, params.serviceId, "service").id);
  }),
  "unlink-service-from-env-group": offGroup((group, { serviceId = "" }) => group.serviceIds.delete(serviceId)),
};
