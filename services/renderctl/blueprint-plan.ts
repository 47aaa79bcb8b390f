/*
 * What applying would do, step by step, in the order in which it would be done. The plan is the only thing that is ever
 * applied: a dry run shows it, an apply carries it out, and both come from here.
 *
 * A step names one resource and one kind of action, and is carried out by looking first: what is already as it should be is
 * left alone. So a step may be begun anew after a crash at any point. Its id says what it does, and not when; the same plan
 * made twice has the same ids.
 *
 *   create   in the order of what takes values from what; a new service deploys at once
 *   update   fields and variables of what is there; also variables of a new service that could not be known before
 *   link     a group to a service
 *   deploy   once a service at the most, after all else, and the service that carries out the plan last of all
 *   delete   only with prune
 */
import {
  type Blueprint,
  type EnvEntry,
  type Json,
  labelOf,
  type Resource,
  type ServiceResource,
  type Unsupported,
} from "./blueprint.ts";
import { type Difference, diffLinks, diffResource, diffVariables, type Scene } from "./blueprint-diff.ts";
import { findLive, type Live, namesakes } from "./blueprint-live.ts";
import { inOrder, isSoft, sourceLabel } from "./blueprint-order.ts";
import { findOrphans, type Orphan, toDeletions } from "./blueprint-orphans.ts";

export type Change = { field: string; from: Json; to: Json };
export type Action = "create" | "update" | "delete" | "link" | "deploy";
export type Step = {
  id: string;
  resource: string;
  action: Action;
  changes: Change[];
  causesDeploy: boolean;
  reason: string | null;
  /** ids of steps that must be done before; when one of them fails this one is skipped */
  after: string[];
};

/** What differs and cannot be put right from here. */
export type Blocked = { resource: string; field: string; from: Json; to: Json; reason: string };
/** What is there and left alone. */
export type Unmanaged = { resource: string; field: string; reason: string };
export type NeedsValue = { resource: string; key: string };

export type Plan = {
  steps: Step[];
  blocked: Blocked[];
  unmanaged: Unmanaged[];
  orphans: Orphan[];
  needsValue: NeedsValue[];
  unsupported: Unsupported[];
};

export type PlanOptions = {
  prune: boolean;
  /** ids of what an apply has made or changed before */
  managedIds: readonly string[];
  /** the id of the service that carries out the plan, when it runs on Render itself */
  selfId: string | null;
};

type Draft = Omit<Plan, "orphans" | "unsupported">;
type Making = { scene: Scene; draft: Draft; options: PlanOptions; made: Map<string, string> };

export function planBlueprint(scene: Scene, options: PlanOptions): Plan {
  const draft: Draft = { steps: [], blocked: [], unmanaged: [], needsValue: [] };
  const making: Making = { scene, draft, options, made: new Map() };
  const resources = inOrder(scene.blueprint.resources);
  const late: (() => void)[] = [];
  for (const resource of resources) planResource(making, resource, late);
  for (const finish of late) finish();
  for (const resource of resources) if (resource.kind === "service") planLinks(making, resource);
  const services = resources.filter((one): one is ServiceResource => one.kind === "service");
  planDeploys(making, services);
  const orphans = findOrphans(scene, options);
  const deletions = options.prune ? toDeletions(orphans) : [];
  draft.steps.push(...deletions);
  return { ...draft, orphans, unsupported: scene.blueprint.unsupported };
}

function planResource(making: Making, resource: Resource, late: (() => void)[]): void {
  const { scene, draft } = making;
  const found = namesakes(scene.live, resource);
  const live = findLive(scene.live, resource);
  if (found.length > 0 && live === null) {
    block(draft, whyUnclear(resource, found.length));
    return;
  }
  noteMissingValues(draft, resource, live && "env" in live ? live.env : {});
  if (live) planUpdate(making, resource, diffResource(scene, resource, live), late);
  else planCreation(making, resource, late);
}

function whyUnclear(resource: Resource, count: number): Blocked {
  const reason =
    count > 1
      ? `${count} live resources have this name, so it is not clear which one is meant; rename or delete all but one`
      : "one of this name is live and has another type, which Render cannot change; rename one of them";
  return { resource: labelOf(resource), field: "type", from: null, to: null, reason };
}

function block(draft: Draft, blocked: Blocked): void {
  draft.blocked.push(blocked);
}

function noteMissingValues(draft: Draft, resource: Resource, env: Record<string, string>): void {
  if (!("env" in resource)) return;
  const missing = resource.env.filter(({ key, source }) => source.kind === "by-hand" && env[key] === undefined);
  draft.needsValue.push(...missing.map(({ key }) => ({ resource: labelOf(resource), key })));
}

function planUpdate(
  making: Making,
  resource: Resource,
  differences: readonly Difference[],
  late: (() => void)[],
): void {
  const { draft } = making;
  for (const { field, barred, live, wanted } of differences) {
    if (barred !== null) block(draft, { resource: labelOf(resource), field, from: live, to: wanted, reason: barred });
  }
  // What the blueprint does not name stays (a list that it names is one field and is set as a whole).
  const kept = differences.filter(({ kind, field }) => kind === "extra" && isVariable(field));
  draft.unmanaged.push(...kept.map(({ resource: label, field }) => ({ resource: label, field, reason: notNamed })));
  const doable = differences.filter((one) => one.barred === null && !kept.includes(one));
  const follow = doable.filter(({ field }) => isLate(making, resource, field));
  const now = doable.filter((one) => !follow.includes(one));
  if (now.length > 0) addUpdate(making, resource, now);
  if (follow.length > 0) {
    const entries =
      "env" in resource ? resource.env.filter(({ key }) => follow.some(({ field }) => field === `envVars.${key}`)) : [];
    late.push(() => addLateVariables(making, resource, { entries, creation: null }));
  }
}

function addUpdate(making: Making, resource: Resource, differences: readonly Difference[]): void {
  addStep(making, resource, {
    action: "update",
    changes: differences.map(toChange),
    causesDeploy: resource.kind === "service" && differences.some(({ deploys }) => deploys),
    reason: null,
    after: [...new Set(differences.flatMap(({ field }) => stepsBefore(making, resource, field)))],
  });
}

/** An address of a service that this plan makes only later. */
function isLate(making: Making, resource: Resource, field: string): boolean {
  const entry = "env" in resource ? resource.env.find(({ key }) => `envVars.${key}` === field) : undefined;
  return entry !== undefined && isSoft(entry.source) && !isThere(making, entry.source);
}

const notNamed = "is not in the blueprint, and stays as it is";
const isVariable = (field: string) => field.startsWith("envVars.");
const toChange = ({ field, live, wanted }: Difference): Change => ({ field, from: live, to: wanted });

/** The creation, in this plan, of what a variable's value comes from. */
function stepsBefore({ made }: Making, resource: Resource, field: string): string[] {
  if (!("env" in resource) || !isVariable(field)) return [];
  const entry = resource.env.find(({ key }) => `envVars.${key}` === field);
  const before = entry ? made.get(sourceLabel(entry.source) ?? "") : undefined;
  return before === undefined ? [] : [before];
}

function addStep(making: Making, resource: Resource, step: Omit<Step, "id" | "resource">, detail = ""): Step {
  const label = labelOf(resource);
  const id = `${step.action}:${label}${detail}`;
  const added = { id, resource: label, ...step };
  making.draft.steps.push(added);
  if (step.action === "create" || (step.action === "update" && detail === "")) making.made.set(label, id);
  return added;
}

function planCreation(making: Making, resource: Resource, late: (() => void)[]): void {
  const why = whyNotMade(resource);
  if (why) {
    block(making.draft, { resource: labelOf(resource), field: why.field, from: null, to: null, reason: why.reason });
    return;
  }
  const entries = blockUnknown(making, resource);
  const follow = entries.filter(({ source }) => isSoft(source) && !isThere(making, source));
  const first = entries.filter((entry) => !follow.includes(entry));
  const step = addStep(making, resource, {
    action: "create",
    changes: [...toFieldChanges(resource), ...first.map(toVariableChange)],
    causesDeploy: resource.kind === "service",
    reason: null,
    after: [...new Set(first.flatMap(({ key }) => stepsBefore(making, resource, `envVars.${key}`)))],
  });
  if (follow.length > 0) late.push(() => addLateVariables(making, resource, { entries: follow, creation: step.id }));
}

/** The variables that a new one is given; those that nobody will know are told as blocked. */
function blockUnknown({ scene, draft }: Making, resource: Resource): EnvEntry[] {
  if (!("env" in resource)) return [];
  const barred = diffVariables(scene, resource, {}).filter((one) => one.barred !== null);
  for (const { field, wanted, barred: reason } of barred) {
    block(draft, { resource: labelOf(resource), field, from: "unset", to: wanted, reason: reason ?? "" });
  }
  const isGiven = ({ key, source }: EnvEntry) =>
    source.kind !== "by-hand" && !barred.some(({ field }) => field === `envVars.${key}`);
  return resource.env.filter(isGiven);
}

function isThere({ scene, made }: Making, source: EnvEntry["source"]): boolean {
  const label = sourceLabel(source) ?? "";
  return made.has(label) || scene.live.services.some(({ name }) => `service/${name}` === label);
}

function addLateVariables(
  making: Making,
  resource: Resource,
  late: { entries: EnvEntry[]; creation: string | null },
): void {
  const before = late.entries.flatMap(({ key }) => stepsBefore(making, resource, `envVars.${key}`));
  const step: Omit<Step, "id" | "resource"> = {
    action: "update",
    changes: late.entries.map(toVariableChange),
    causesDeploy: true,
    reason: "these addresses are known only after the services they belong to have been made",
    after: [...new Set([...(late.creation === null ? [] : [late.creation]), ...before])],
  };
  addStep(making, resource, step, ":addresses");
}

const toVariableChange = ({ key, source }: EnvEntry): Change => ({
  field: `envVars.${key}`,
  from: "unset",
  to: "name" in source ? `(from ${source.name})` : "set",
});

function toFieldChanges(resource: Resource): Change[] {
  const fields = { ...resource.defaults, ...("fields" in resource ? resource.fields : {}) };
  return Object.entries(fields).map(([field, to]) => ({ field, from: null, to }));
}

function whyNotMade(resource: Resource): { field: string; reason: string } | null {
  if (resource.kind !== "service" || resource.fields.image !== undefined || resource.fields.repo !== undefined)
    return null;
  const reason = "neither the blueprint nor RENDER_REPO says from which repository it is built";
  return { field: "repo", reason };
}

function planLinks(making: Making, resource: ServiceResource): void {
  const { scene, draft, made } = making;
  const creation = made.get(labelOf(resource));
  const isLive = findLive(scene.live, resource) !== null;
  if (!isLive && creation === undefined) return;
  const missing = isLive ? diffLinks(scene, resource).map(({ wanted }) => String(wanted)) : resource.groups;
  for (const group of missing) {
    const groupStep = made.get(`envgroup/${group}`);
    const isThereAlready = scene.live.groups.some(({ name }) => name === group);
    if (groupStep === undefined && !isThereAlready) {
      const reason = `neither the blueprint nor the account has a group called ${JSON.stringify(group)}`;
      block(draft, { resource: labelOf(resource), field: "fromGroup", from: null, to: group, reason });
      continue;
    }
    const after = [creation, groupStep].filter((id): id is string => id?.startsWith("create:") === true);
    const changes = [{ field: "fromGroup", from: null, to: group }];
    addStep(making, resource, { action: "link", changes, causesDeploy: true, reason: null, after }, `:${group}`);
  }
}

/** Why a service needs a deploy beyond the one that its creation brings. */
function whyDeploy({ draft, made }: Making, service: ServiceResource): { reason: string; after: string[] } | null {
  const label = labelOf(service);
  const own = draft.steps.filter((step) => step.resource === label && step.action !== "create" && step.causesDeploy);
  const groups = service.groups.flatMap((group) => {
    const id = made.get(`envgroup/${group}`);
    return id?.startsWith("update:") ? [id] : [];
  });
  if (own.length === 0 && groups.length === 0) return null;
  const fields = own.flatMap(({ changes }) => changes.map(({ field }) => field));
  const why = [...fields, ...groups.map((id) => id.slice("update:".length))];
  return { reason: `shows ${why.join(", ")}`, after: [...own.map(({ id }) => id), ...groups] };
}

function planDeploys(making: Making, services: readonly ServiceResource[]): void {
  const { draft, options, scene } = making;
  const isSelf = (service: ServiceResource) =>
    findLive(scene.live, service)?.id === options.selfId && options.selfId !== null;
  for (const service of [...services].sort((a, b) => Number(isSelf(a)) - Number(isSelf(b)))) {
    const why = whyDeploy(making, service);
    if (why === null) continue;
    if (isSuspended(scene.live, service)) {
      const reason = "is suspended: changes show after it was resumed and deployed";
      draft.unmanaged.push({ resource: labelOf(service), field: "deploy", reason });
    } else addStep(making, service, { action: "deploy", changes: [], causesDeploy: true, ...why }, "");
  }
}

function isSuspended(live: Live, service: ServiceResource): boolean {
  const found = findLive(live, service);
  return found !== null && "suspended" in found && found.suspended === "suspended";
}

/** The repository of whatever is built and names none. */
export function withRepository(blueprint: Blueprint, repo: string | null): Blueprint {
  if (repo === null) return blueprint;
  const resources = blueprint.resources.map((one) => {
    if (one.kind !== "service" || one.fields.image !== undefined || one.fields.repo !== undefined) return one;
    return { ...one, fields: { ...one.fields, repo } };
  });
  return { ...blueprint, resources };
}
