import { RenderError } from "../render-error.ts";
import type { Deploy, EnvVar, LogPage, Service } from "../render-shapes.ts";
import type { DeployCalls, EnvCalls, OwnerCalls, ServiceCalls } from "./render.ts";
import { readAll, readPage, readThing, toList, toObject } from "./render-pages.ts";
import type { Call } from "./render-sender.ts";

export function buildOwnerCalls(call: Call): OwnerCalls {
  return {
    list: () => readAll(call, "list-owners", { path: {}, member: "owner" }) as ReturnType<OwnerCalls["list"]>,
    async listAudit(ownerId) {
      const query = { direction: "backward" as const };
      const page = await readPage(call, "list-owner-audit-logs", { path: { ownerId }, query, member: "auditLog" });
      return page.items as Awaited<ReturnType<OwnerCalls["listAudit"]>>;
    },
  };
}

export function buildServiceCalls(call: Call): ServiceCalls {
  const all = (name: "list-routes" | "list-headers" | "list-custom-domains", member: string, serviceId: string) =>
    readAll(call, name, { path: { serviceId }, member });
  return {
    list: (filter = {}) =>
      readAll(call, "list-services", {
        path: {},
        query: { ...filter, includePreviews: false },
        member: "service",
      }) as Promise<Service[]>,
    get: (serviceId) => readThing(call, "retrieve-service", { path: { serviceId } }) as Promise<Service>,
    async create(service) {
      const made = toObject("create-service", await call("create-service", { path: {}, body: service }));
      const { deployId } = made;
      return {
        service: toObject("create-service", made.service) as Service,
        deployId: typeof deployId === "string" && deployId !== "" ? deployId : null,
      };
    },
    update: (serviceId, patch) =>
      readThing(call, "update-service", { path: { serviceId }, body: patch }) as Promise<Service>,
    remove: (serviceId) => gone(call("delete-service", { path: { serviceId } })),
    suspend: (serviceId) => done(call("suspend-service", { path: { serviceId } })),
    resume: (serviceId) => done(call("resume-service", { path: { serviceId } })),
    scale: (serviceId, numInstances) => done(call("scale-service", { path: { serviceId }, body: { numInstances } })),
    setAutoscaling: (serviceId, body) => done(call("autoscale-service", { path: { serviceId }, body })),
    removeAutoscaling: (serviceId) => gone(call("delete-autoscaling-config", { path: { serviceId } })),
    listRoutes: (id) => all("list-routes", "route", id) as ReturnType<ServiceCalls["listRoutes"]>,
    replaceRoutes: (serviceId, body) => done(call("put-routes", { path: { serviceId }, body })),
    listHeaders: (id) => all("list-headers", "header", id) as ReturnType<ServiceCalls["listHeaders"]>,
    replaceHeaders: (serviceId, body) => done(call("update-headers", { path: { serviceId }, body })),
    listDomains: (id) => all("list-custom-domains", "customDomain", id) as ReturnType<ServiceCalls["listDomains"]>,
    addDomain: (serviceId, name) => done(call("create-custom-domain", { path: { serviceId }, body: { name } })),
    removeDomain: (serviceId, customDomainNameOrID) =>
      gone(call("delete-custom-domain", { path: { serviceId, customDomainNameOrID } })),
  };
}

export function buildEnvCalls(call: Call): EnvCalls {
  return {
    list: (serviceId) =>
      readAll(call, "get-env-vars-for-service", { path: { serviceId }, member: "envVar" }) as Promise<EnvVar[]>,
    async find(serviceId, envVarKey) {
      const found = await orNull(call("retrieve-env-var", { path: { serviceId, envVarKey } }));
      return found === null ? null : (toObject("retrieve-env-var", found) as EnvVar);
    },
    set: (serviceId, envVarKey, body) => done(call("update-env-var", { path: { serviceId, envVarKey }, body })),
    remove: (serviceId, envVarKey) => gone(call("delete-env-var", { path: { serviceId, envVarKey } })),
    replaceAll: (serviceId, body) => done(call("update-env-vars-for-service", { path: { serviceId }, body })),
    listFiles: (serviceId) =>
      readAll(call, "list-secret-files-for-service", { path: { serviceId }, member: "secretFile" }) as ReturnType<
        EnvCalls["listFiles"]
      >,
    setFile: (serviceId, { name, content }) =>
      done(call("add-or-update-secret-file", { path: { serviceId, envVarKey: name }, body: { content } })),
    removeFile: (serviceId, name) => gone(call("delete-secret-file", { path: { serviceId, envVarKey: name } })),
  };
}

export function buildDeployCalls(call: Call): DeployCalls {
  return {
    async page(serviceId, { limit = 20, cursor } = {}) {
      const page = await readPage(call, "list-deploys", {
        path: { serviceId },
        query: { cursor },
        member: "deploy",
        limit,
      });
      return page as { items: Deploy[]; next: string | null };
    },
    get: (serviceId, deployId) =>
      readThing(call, "retrieve-deploy", { path: { serviceId, deployId } }) as Promise<Deploy>,
    async create(serviceId, body = {}) {
      const made = await call("create-deploy", { path: { serviceId }, body });
      return made === null ? null : (toObject("create-deploy", made) as Deploy);
    },
    cancel: (serviceId, deployId) =>
      readThing(call, "cancel-deploy", { path: { serviceId, deployId } }) as Promise<Deploy>,
    rollback: (serviceId, deployId) =>
      readThing(call, "rollback-deploy", { path: { serviceId }, body: { deployId } }) as Promise<Deploy>,
    async listEvents(serviceId, range = {}) {
      const page = await readPage(call, "list-events", { path: { serviceId }, query: { ...range }, member: "event" });
      return page.items as Awaited<ReturnType<DeployCalls["listEvents"]>>;
    },
    async readLogs(query) {
      const page = toObject("list-logs", await call("list-logs", { path: {}, query: { ...query } }));
      return { ...page, hasMore: page.hasMore === true, logs: toList("list-logs", page.logs) } as LogPage;
    },
  };
}

/** A write whose answer says nothing that its caller does not know. */
export async function done(write: Promise<unknown>): Promise<void> {
  await write;
}

/** A removal: what is gone already is as good as removed. */
export async function gone(write: Promise<unknown>): Promise<void> {
  await orNull(write);
}

async function orNull(call: Promise<unknown>): Promise<unknown> {
  try {
    return await call;
  } catch (error) {
    if (error instanceof RenderError && (error.status === 404 || error.status === 410)) return null;
    throw error;
  }
}
