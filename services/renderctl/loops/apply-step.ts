/*
 * Carries out one step of a plan. Each looks at what is live first and sends only what is still missing, so a step that is
 * begun a second time, after a crash or a lost answer, does nothing twice:
 *
 *   create   a resource of that name and kind is taken for the one that was to be made; what it lacks is added
 *   update   the difference of now, no further than the plan showed
 *   link     not when the group names the service already
 *   deploy   not when there is a deploy of the API's newer than the newest from before the step, which its ledger row holds
 *   delete   what is gone already is done
 */
import type { EnvEntry, Json, Resource, ServiceResource } from "../blueprint.ts";
import { type Difference, diffResource, type Scene } from "../blueprint-diff.ts";
import type { StepNote } from "../blueprint-ledger.ts";
import { findLive, type Live, type LiveService } from "../blueprint-live.ts";
import type { Step } from "../blueprint-plan.ts";
import {
  type RequestContext,
  toAutoscaling,
  toHeaders,
  toKeyValuePatch,
  toNewKeyValue,
  toNewPostgres,
  toNewService,
  toPostgresPatch,
  toRoutes,
  toServicePatch,
} from "../blueprint-requests.ts";
import type { EnvValue, EnvVarInput } from "../render-shapes.ts";
import { type AccountScope, readLive } from "./account.ts";
import { isGone, type ReferenceScope, readReference } from "./references.ts";

export type StepScope = AccountScope &
  Pick<ReferenceScope, "pollMs" | "patienceMs"> & {
    request: RequestContext;
    /** Kept before the request that it is about is sent. */
    remember(note: StepNote): Promise<void>;
  };

/** Why a step cannot be done, in words for a person. */
export class StepError extends Error {}

/**
 * @param note what earlier attempts of this step have remembered
 * @throws StepError, RenderError
 */
export async function doStep(
  scope: StepScope,
  step: Step,
  about: { resource: Resource | null; note: StepNote },
): Promise<StepNote> {
  if (step.action === "delete") return await deleteResource(scope, step);
  const { resource, note } = about;
  if (resource === null) throw new StepError(`${step.resource} is not in the blueprint that this plan was made of`);
  if (step.action === "create") return await create(scope, step, resource);
  if (step.action === "update") return await update(scope, step, resource);
  if (resource.kind !== "service") throw new StepError(`${step.resource} is no service`);
  return step.action === "link" ? await link(scope, step, resource) : await deploy(scope, resource, note);
}

/** Only this resource's part of the account, as it is now. */
async function look(scope: StepScope, resource: Resource): Promise<Scene> {
  const blueprint = { resources: [resource], unsupported: [] };
  return { blueprint, live: await readLive(scope, blueprint), hash: scope.hash };
}

async function create(scope: StepScope, step: Step, resource: Resource): Promise<StepNote> {
  const scene = await look(scope, resource);
  const found = findLive(scene.live, resource);
  // Somebody has it made already: this step before a crash, or a request whose answer was lost.
  if (found) return await adopt(scope, step, { resource, scene, liveId: found.id });
  const made = await make(scope, step, resource);
  if (resource.kind !== "service" || resource.fields.domains === undefined) return made;
  // What a creation cannot say.
  await settle(scope, step, { resource, scene: await look(scope, resource), liveId: made.resourceId ?? "" });
  return made;
}

/** Its first deploy is followed like that of one that was made just now. */
async function adopt(scope: StepScope, step: Step, place: Place): Promise<StepNote> {
  const note = await settle(scope, step, place);
  if (place.resource.kind !== "service") return note;
  const [first] = (await scope.api.deploys.page(place.liveId, { limit: 1 })).items;
  return { ...note, ...(first && { deployId: first.id, deployStatus: first.status }) };
}

async function make(scope: StepScope, step: Step, resource: Resource): Promise<StepNote> {
  const { api, request } = scope;
  if (resource.kind === "database")
    return { resourceId: (await api.stores.createPostgres(toNewPostgres(resource, request))).id };
  if (resource.kind === "keyvalue")
    return { resourceId: (await api.stores.createKeyValue(toNewKeyValue(resource, request))).id };
  const envVars = await valuesOf(
    scope,
    resource.env.filter(({ key }) => isNamed(step, key)),
  );
  if (resource.kind === "envgroup") {
    const { name } = resource;
    return { resourceId: (await api.groups.create({ name, ownerId: request.ownerId, envVars })).id };
  }
  const { service, deployId } = await api.services.create(toNewService(resource, envVars, request));
  return { resourceId: service.id, ...(deployId !== null && { deployId }) };
}

const isNamed = ({ changes }: Step, key: string) => changes.some(({ field }) => field === `envVars.${key}`);

async function valuesOf(scope: StepScope, entries: readonly EnvEntry[]): Promise<EnvVarInput[]> {
  const values: EnvVarInput[] = [];
  for (const entry of entries) values.push({ key: entry.key, ...(await valueFor(scope, entry)) });
  return values;
}

async function valueFor(scope: StepScope, { key, source }: EnvEntry): Promise<EnvValue> {
  if (source.kind === "value") return { value: source.value };
  if (source.kind === "generated") return { generateValue: true };
  if (source.kind === "by-hand") throw new StepError(`${key} is set by hand, and never from here`);
  const value = await readReference(scope, source);
  if (value === null) throw new StepError(`${key} has no value: ${source.name} is not there, or does not become ready`);
  return { value };
}

type Place = { resource: Resource; scene: Scene; liveId: string };

/** Brings what is there to what the step says. */
async function settle(scope: StepScope, step: Step, { resource, scene, liveId }: Place): Promise<StepNote> {
  const live = findLive(scene.live, resource);
  if (!live) throw new StepError(`${step.resource} is not there any more`);
  const named = new Set(step.changes.map(({ field }) => field));
  const differences = diffResource(scene, resource, live).filter(({ field }) => named.has(field));
  const barred = differences.find((one) => one.barred !== null);
  if (barred) throw new StepError(`${barred.field} cannot be set by now: ${barred.barred}`);
  await writeFields(scope, resource, { differences, live: scene.live, liveId: live.id });
  if ("env" in resource) await writeVariables(scope, resource, { differences, liveId: live.id });
  return { resourceId: liveId };
}

async function update(scope: StepScope, step: Step, resource: Resource): Promise<StepNote> {
  const scene = await look(scope, resource);
  const live = findLive(scene.live, resource);
  return await settle(scope, step, { resource, scene, liveId: live?.id ?? "" });
}

type Writing = { differences: readonly Difference[]; live: Live; liveId: string };

async function writeFields(
  scope: StepScope,
  resource: Resource,
  { differences, live, liveId }: Writing,
): Promise<void> {
  const fields = differences.map(({ field }) => field).filter((field) => !field.startsWith("envVars."));
  if (fields.length === 0) return;
  const { stores } = scope.api;
  if (resource.kind === "database") await stores.updatePostgres(liveId, toPostgresPatch(resource, fields));
  if (resource.kind === "keyvalue") await stores.updateKeyValue(liveId, toKeyValuePatch(resource, fields));
  if (resource.kind !== "service") return;
  const patch = toServicePatch(resource, fields, scope.request);
  if (patch !== null) await scope.api.services.update(liveId, patch);
  const service = live.services.find(({ id }) => id === liveId);
  for (const field of fields)
    await special[field]?.({ scope, id: liveId, wanted: resource.fields[field] ?? null, service });
}

type Special = { scope: StepScope; id: string; wanted: Json; service: LiveService | undefined };

/** Fields that a PATCH does not know; each has a call of its own. */
const special: Record<string, (about: Special) => Promise<void>> = {
  numInstances: ({ scope, id, wanted }) => scope.api.services.scale(id, Number(wanted)),
  scaling: ({ scope, id, wanted }) =>
    wanted === null
      ? scope.api.services.removeAutoscaling(id)
      : scope.api.services.setAutoscaling(id, toAutoscaling(wanted)),
  headers: ({ scope, id, wanted }) => scope.api.services.replaceHeaders(id, toHeaders(wanted)),
  routes: ({ scope, id, wanted }) => scope.api.services.replaceRoutes(id, toRoutes(wanted)),
  domains: writeDomains,
  disk: writeDisk,
};

async function writeDomains({ scope, id, wanted, service }: Special): Promise<void> {
  const named = (wanted ?? []) as string[];
  const there = service?.extras.domains ?? [];
  const extra = there.filter(({ name, redirectForName }) => !named.includes(name) && (redirectForName ?? "") === "");
  const missing = named.filter((name) => !there.some((one) => one.name === name));
  for (const name of missing) await scope.api.services.addDomain(id, name);
  for (const { name } of extra) await scope.api.services.removeDomain(id, name);
}

async function writeDisk({ scope, id, wanted, service }: Special): Promise<void> {
  const disk = wanted as { name: string; mountPath: string; sizeGB: number };
  const there = service?.serviceDetails?.disk;
  if (!there) {
    await scope.api.places.addDisk({ ...disk, serviceId: id });
    return;
  }
  const { name, mountPath, sizeGB } = disk;
  await scope.api.places.updateDisk(there.id, {
    ...(name !== there.name && { name }),
    ...(mountPath !== there.mountPath && { mountPath }),
    ...(sizeGB !== there.sizeGB && { sizeGB }),
  });
}

type EnvWriting = { differences: readonly Difference[]; liveId: string };

/** One by one: the others are not touched, and each is written at most once. */
async function writeVariables(
  scope: StepScope,
  resource: Extract<Resource, { env: EnvEntry[] }>,
  { differences, liveId }: EnvWriting,
): Promise<void> {
  const fields = new Set(differences.filter(({ kind }) => kind !== "extra").map(({ field }) => field));
  for (const entry of resource.env.filter(({ key }) => fields.has(`envVars.${key}`))) {
    const value = await valueFor(scope, entry);
    if (resource.kind === "envgroup") await scope.api.groups.setVar(liveId, entry.key, value);
    else await scope.api.env.set(liveId, entry.key, value);
  }
}

async function link(scope: StepScope, step: Step, resource: ServiceResource): Promise<StepNote> {
  const name = String(step.changes[0]?.to);
  const { api, ownerId } = scope;
  const [service, groups] = [await findService(scope, resource), await api.groups.list({ name, ownerId })];
  const group = groups.find((one) => one.name === name);
  if (!group) throw new StepError(`there is no group called ${JSON.stringify(name)}`);
  const full = await api.groups.get(group.id);
  const isLinked = (full.serviceLinks ?? []).some(({ id }) => id === service.id);
  if (!isLinked) await api.groups.link(group.id, service.id);
  return { resourceId: service.id };
}

async function findService({ api, ownerId }: StepScope, { name, type }: ServiceResource) {
  const found = (await api.services.list({ name, type, ownerId })).filter(
    (one) => one.name === name && one.type === type,
  );
  const [service] = found;
  if (!service || found.length > 1)
    throw new StepError(`it is not clear which live service ${JSON.stringify(name)} is`);
  return service;
}

async function deploy(scope: StepScope, resource: ServiceResource, note: StepNote): Promise<StepNote> {
  const service = await findService(scope, resource);
  const { deploys } = scope.api;
  const newest = async () => (await deploys.page(service.id, { limit: 20 })).items;
  const [before] = await newest();
  // The first attempt remembers where it began; a later one looks whether that attempt got through.
  if (note.deployBefore === undefined)
    await scope.remember({ resourceId: service.id, deployBefore: before?.id ?? null });
  else {
    const own = ownDeploy(await newest(), note.deployBefore);
    if (own) return { resourceId: service.id, deployId: own.id, deployStatus: own.status };
  }
  const made = await deploys.create(service.id);
  const found = made ?? ownDeploy(await newest(), note.deployBefore ?? before?.id ?? null);
  if (!found) throw new StepError("Render took the deploy and does not show it yet; apply again to look once more");
  return { resourceId: service.id, deployId: found.id, deployStatus: found.status };
}

/** The deploy of the API's that is newer than one; lists are newest first. */
function ownDeploy<T extends { id: string; trigger?: string | null }>(
  deploys: readonly T[],
  before: string | null,
): T | null {
  const at = deploys.findIndex(({ id }) => id === before);
  const newer = at === -1 ? deploys : deploys.slice(0, at);
  return newer.find(({ trigger }) => trigger === "api") ?? null;
}

async function deleteResource(scope: StepScope, step: Step): Promise<StepNote> {
  const [, label = "", id = ""] = step.id.split(":");
  try {
    if (label.startsWith("service/")) {
      // Its name has to be the one that was shown; an id that was given to something else is not ours to delete.
      const service = await scope.api.services.get(id);
      if (`service/${service.name}` !== label)
        throw new StepError(`${id} is called ${service.name} by now; nothing was deleted`);
      await scope.api.services.remove(id);
    } else if (label.startsWith("envgroup/")) await scope.api.groups.remove(id);
    else throw new StepError(`${label} is never deleted from here`);
  } catch (error) {
    if (!isGone(error)) throw error;
  }
  return { resourceId: id };
}
