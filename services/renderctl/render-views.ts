import type { Deploy, Service } from "./render-shapes.ts";

/** Whether the owner consents to repairs of this service: by its id or its exact name. */
function isMonitored({ id, name }: Pick<Service, "id" | "name">, monitored: readonly string[]): boolean {
  return monitored.includes(id) || monitored.includes(name);
}

/** A deploy as it is shown; texts of the commit are the repository's, not ours. */
export function toShownDeploy({ id, status, trigger, commit, createdAt, finishedAt }: Deploy) {
  return {
    id,
    status,
    trigger: trigger ?? null,
    commit: commit?.id ? { id: commit.id, message: commit.message ?? null } : null,
    createdAt: createdAt ?? null,
    finishedAt: finishedAt ?? null,
  };
}

export function toShownService(service: Service, lastDeploy: Deploy | null, monitored: readonly string[]) {
  const { id, name, type, suspended, serviceDetails, autoDeploy, createdAt } = service;
  return {
    id,
    name,
    type,
    url: serviceDetails?.url ?? null,
    suspended: suspended === "suspended",
    autoDeploy: autoDeploy === "yes",
    monitored: isMonitored(service, monitored),
    lastDeploy: lastDeploy && toShownDeploy(lastDeploy),
    createdAt,
  };
}

/** Newest first; those made in the same moment in the order of their ids, so that pages do not overlap. */
export function inListOrder(services: readonly Service[]): Service[] {
  const keyOf = ({ createdAt, id }: Service) => `${createdAt} ${id}`;
  return [...services].sort((a, b) => (keyOf(a) < keyOf(b) ? 1 : -1));
}
