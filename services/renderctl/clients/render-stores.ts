import type * as stores from "../render-resources.ts";
import type { GroupCalls, PlaceCalls, StoreCalls } from "./render.ts";
import { readAll, readBare, readThing } from "./render-pages.ts";
import type { Call } from "./render-sender.ts";
import { done, gone } from "./render-services.ts";

export function buildStoreCalls(call: Call): StoreCalls {
  const onPostgres = (postgresId: string) => ({ path: { postgresId } });
  const onKeyValue = (redisId: string) => ({ path: { redisId } });
  return {
    listPostgres: (query = {}) =>
      readAll(call, "list-postgres", { path: {}, query, member: "postgres" }) as Promise<stores.Postgres[]>,
    getPostgres: (id) => readThing(call, "retrieve-postgres", onPostgres(id)) as Promise<stores.Postgres>,
    createPostgres: (body) => readThing(call, "create-postgres", { path: {}, body }) as Promise<stores.Postgres>,
    updatePostgres: (id, body) =>
      readThing(call, "update-postgres", { ...onPostgres(id), body }) as Promise<stores.Postgres>,
    connectPostgres: (id) =>
      readThing(call, "retrieve-postgres-connection-info", onPostgres(id)) as Promise<stores.PostgresConnection>,
    listKeyValue: (query = {}) =>
      readAll(call, "list-key-value", { path: {}, query, member: "keyValue" }) as Promise<stores.KeyValue[]>,
    getKeyValue: (id) => readThing(call, "retrieve-key-value", onKeyValue(id)) as Promise<stores.KeyValue>,
    createKeyValue: (body) => readThing(call, "create-key-value", { path: {}, body }) as Promise<stores.KeyValue>,
    updateKeyValue: (id, body) =>
      readThing(call, "update-key-value", { ...onKeyValue(id), body }) as Promise<stores.KeyValue>,
    connectKeyValue: (id) =>
      readThing(call, "retrieve-key-value-connection-info", onKeyValue(id)) as Promise<stores.KeyValueConnection>,
  };
}

export function buildGroupCalls(call: Call): GroupCalls {
  return {
    list: (query = {}) => readBare(call, "list-env-groups", { path: {}, query }) as Promise<stores.EnvGroupSummary[]>,
    get: (envGroupId) => readThing(call, "retrieve-env-group", { path: { envGroupId } }) as Promise<stores.EnvGroup>,
    create: (body) => readThing(call, "create-env-group", { path: {}, body }) as Promise<stores.EnvGroup>,
    rename: (envGroupId, name) => done(call("update-env-group", { path: { envGroupId }, body: { name } })),
    remove: (envGroupId) => gone(call("delete-env-group", { path: { envGroupId } })),
    setVar: (envGroupId, envVarKey, body) =>
      done(call("update-env-group-env-var", { path: { envGroupId, envVarKey }, body })),
    removeVar: (envGroupId, envVarKey) => gone(call("delete-env-group-env-var", { path: { envGroupId, envVarKey } })),
    setFile: (envGroupId, { name, content }) =>
      done(call("update-env-group-secret-file", { path: { envGroupId, envVarKey: name }, body: { content } })),
    removeFile: (envGroupId, name) =>
      gone(call("delete-env-group-secret-file", { path: { envGroupId, envVarKey: name } })),
    link: (envGroupId, serviceId) => done(call("link-service-to-env-group", { path: { envGroupId, serviceId } })),
    unlink: (envGroupId, serviceId) => gone(call("unlink-service-from-env-group", { path: { envGroupId, serviceId } })),
  };
}

export function buildPlaceCalls(call: Call): PlaceCalls {
  return {
    listDisks: (query = {}) =>
      readAll(call, "list-disks", { path: {}, query, member: "disk" }) as Promise<stores.Disk[]>,
    addDisk: (body) => readThing(call, "add-disk", { path: {}, body }) as Promise<stores.Disk>,
    updateDisk: (diskId, body) => readThing(call, "update-disk", { path: { diskId }, body }) as Promise<stores.Disk>,
    listProjects: (query = {}) =>
      readAll(call, "list-projects", { path: {}, query, member: "project" }) as Promise<stores.Project[]>,
    createProject: (body) => readThing(call, "create-project", { path: {}, body }) as Promise<stores.Project>,
    listEnvironments: (projectId) =>
      readAll(call, "list-environments", { path: {}, query: { projectId }, member: "environment" }) as Promise<
        stores.Environment[]
      >,
    createEnvironment: (body) =>
      readThing(call, "create-environment", { path: {}, body }) as Promise<stores.Environment>,
    updateEnvironment: (environmentId, body) =>
      readThing(call, "update-environment", { path: { environmentId }, body }) as Promise<stores.Environment>,
    addToEnvironment: (environmentId, resourceIds) =>
      done(call("add-resources-to-environment", { path: { environmentId }, body: { resourceIds } })),
    listRegistryCredentials: (query = {}) =>
      readBare(call, "list-registry-credentials", { path: {}, query }) as Promise<stores.RegistryCredential[]>,
  };
}
