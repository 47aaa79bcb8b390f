import { labelOf } from "./blueprint.ts";
import type { Scene } from "./blueprint-diff.ts";
import type { LiveService } from "./blueprint-live.ts";
import { repoAddress } from "./blueprint-spelling.ts";

/*
 * What is live and not in the blueprint. Deleting is the one thing that cannot be put back, so it takes more than an absence:
 * `prune`, and that the thing is ours: made or changed by an apply before, or built from a repository of the blueprint.
 * Databases, key value stores and whatever has a disk are never deleted from here.
 */

export type Orphan = {
  resource: string;
  id: string;
  /** made or changed by an apply before, or built from the blueprint's repository */
  managed: boolean;
  /** whether `prune` would delete it */
  deletable: boolean;
  reason: string;
};

type Options = { prune: boolean; managedIds: readonly string[] };

export function findOrphans({ blueprint, live }: Scene, { managedIds }: Options): Orphan[] {
  const named = new Set(blueprint.resources.map(labelOf));
  const repositories = new Set(blueprint.resources.flatMap((one) => (one.kind === "service" ? [one.fields.repo] : [])));
  const isOurs = (id: string) => managedIds.includes(id);
  const orphans = [
    ...live.services.map((one) => toServiceOrphan(one, isOurs(one.id) || hasRepository(one, repositories))),
    ...live.databases.map(({ id, name }) => keep(`database/${name}`, { id, managed: isOurs(id) }, "databases")),
    ...live.keyValues.map(({ id, name }) => keep(`keyvalue/${name}`, { id, managed: isOurs(id) }, "key value stores")),
    ...live.groups.map(({ id, name, serviceIds }) => toGroupOrphan({ id, name, serviceIds, managed: isOurs(id) })),
  ];
  return orphans.filter(({ resource }) => !named.has(resource));
}

function hasRepository({ repo }: LiveService, repositories: ReadonlySet<unknown>): boolean {
  const address = repoAddress(repo);
  return address !== null && repositories.has(address);
}

function keep(resource: string, about: { id: string; managed: boolean }, what: string): Orphan {
  return { resource, ...about, deletable: false, reason: `${what} are never deleted from here` };
}

function toServiceOrphan({ id, name, serviceDetails }: LiveService, managed: boolean): Orphan {
  const about = { resource: `service/${name}`, id, managed };
  if (!managed) return { ...about, deletable: false, reason: "was not made from this blueprint" };
  if (serviceDetails?.disk) return { ...about, deletable: false, reason: "has a disk, whose data would be lost" };
  return { ...about, deletable: true, reason: "is not in the blueprint any more" };
}

type Group = { id: string; name: string; serviceIds: string[]; managed: boolean };

function toGroupOrphan({ id, name, serviceIds, managed }: Group): Orphan {
  const about = { resource: `envgroup/${name}`, id, managed };
  if (!managed) return { ...about, deletable: false, reason: "was not made from this blueprint" };
  if (serviceIds.length > 0) return { ...about, deletable: false, reason: "is still linked to services" };
  return { ...about, deletable: true, reason: "is not in the blueprint any more" };
}

export function toDeletions(orphans: readonly Orphan[]) {
  return orphans
    .filter(({ deletable }) => deletable)
    .map(({ resource, id, reason }) => ({
      id: `delete:${resource}:${id}`,
      resource,
      action: "delete" as const,
      changes: [{ field: "present", from: true, to: false }],
      causesDeploy: false,
      reason,
      after: [],
    }));
}
