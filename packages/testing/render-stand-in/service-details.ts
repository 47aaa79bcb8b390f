import { isObject, type Json, newId, Refusal } from "./state.ts";

/* `serviceDetails` as they are written at the creation and by PATCH, and as they are read, which is not the same. */

/** Read as `envSpecificDetails`, whatever they are written as. */
const dockerDefaults = { dockerCommand: "", dockerContext: ".", dockerfilePath: "./Dockerfile" };
const nativeDefaults = { buildCommand: "", startCommand: "" };

const isDocker = (runtime: unknown) => runtime === "docker" || runtime === "image";

type Named = { type: string; name: string; slug: string };

/** @throws Refusal 400 for what the schema allows and Render does not */
export function newDetails(service: Named, given: Json): Json {
  if (service.type === "static_site") return newStaticDetails(service, given);
  const { runtime, envSpecificDetails, preDeployCommand, disk, ...rest } = given;
  if (!isDocker(runtime) && (!isObject(envSpecificDetails) || !envSpecificDetails.startCommand)) {
    throw new Refusal(400, `envSpecificDetails with startCommand is required for runtime ${String(runtime)}`);
  }
  const { routes: _routes, headers: _headers, ...plain } = rest;
  return {
    ...commonDetails(service),
    ...plain,
    runtime,
    env: runtime,
    envSpecificDetails: {
      ...toBuildDetails(runtime, envSpecificDetails),
      ...(preDeployCommand !== undefined && { preDeployCommand }),
    },
    ...(isObject(disk) && { disk: { id: newId("dsk"), sizeGB: 1, ...disk } }),
  };
}

function newStaticDetails({ slug }: Named, given: Json): Json {
  const { routes: _routes, headers: _headers, ...plain } = given;
  return {
    buildCommand: "",
    publishPath: "public",
    previews: { generation: "off" },
    pullRequestPreviewsEnabled: "no",
    url: `https://${slug}.onrender.com`,
    buildPlan: "starter",
    renderSubdomainPolicy: "enabled",
    ...plain,
  };
}

function commonDetails({ type, slug }: Named): Json {
  const common = { plan: "starter", region: "oregon", buildPlan: "starter" };
  if (type === "cron_job") return common;
  const running = {
    ...common,
    numInstances: 1,
    previews: { generation: "off" },
    pullRequestPreviewsEnabled: "no",
    maxShutdownDelaySeconds: 30,
  };
  const ports = [{ port: 10_000, protocol: "TCP" }];
  if (type === "private_service") return { ...running, openPorts: ports, url: `${slug}:10000` };
  if (type !== "web_service") return running;
  return {
    ...running,
    openPorts: ports,
    url: `https://${slug}.onrender.com`,
    healthCheckPath: "",
    maintenanceMode: { enabled: false, uri: "" },
    renderSubdomainPolicy: "enabled",
  };
}

function toBuildDetails(runtime: unknown, given: unknown): Json {
  const { registryCredentialId: _id, ...rest } = isObject(given) ? given : {};
  const allowed = isDocker(runtime) ? dockerDefaults : nativeDefaults;
  for (const key of Object.keys(rest)) {
    if (!(key in allowed))
      throw new Refusal(400, `envSpecificDetails.${key} does not belong to runtime ${String(runtime)}`);
  }
  return { ...allowed, ...rest };
}

/** What is not named stays as it is; `previews: {}` changes nothing. */
export function patchDetails(details: Json, given: Json): Json {
  const { envSpecificDetails, preDeployCommand, previews, runtime, ...rest } = given;
  const patched: Json = { ...details, ...rest };
  if (isObject(previews) && previews.generation !== undefined) patched.previews = previews;
  if (runtime !== undefined) Object.assign(patched, { runtime, env: runtime });
  const changes = {
    ...(isObject(envSpecificDetails) && envSpecificDetails),
    ...(preDeployCommand !== undefined && { preDeployCommand }),
  };
  if (Object.keys(changes).length === 0) return patched;
  const before = (details.envSpecificDetails ?? {}) as Json;
  const { preDeployCommand: before_, ...same } = before;
  const isSameKind = runtime === undefined || isDocker(runtime) === isDocker(details.runtime);
  const kept = before_ === undefined ? {} : { preDeployCommand: before_ };
  const { preDeployCommand: pre, ...build } = changes as Json;
  patched.envSpecificDetails = {
    ...toBuildDetails(patched.runtime, { ...(isSameKind && same), ...build }),
    ...kept,
    ...(pre !== undefined && { preDeployCommand: pre }),
  };
  return patched;
}

/** As Render writes them: `nginx` reads `docker.io/library/nginx:latest`. */
export function toFullImage(path: string): string {
  const [first = "", ...rest] = path.split("/");
  const hasHost = rest.length > 0 && /[.:]|^localhost$/.test(first);
  const full = hasHost ? path : `docker.io/${rest.length === 0 ? `library/${path}` : path}`;
  return /[:@][^/]*$/.test(full) ? full : `${full}:latest`;
}
