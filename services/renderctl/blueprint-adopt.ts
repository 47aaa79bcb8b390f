/*
 * Brings the file to what is live, where that is what a person wants: the other way to end a drift. A change is proposed only when the
 * file reads well with it, the drift is gone, and no other one has come; so each of the spellings below may be a guess.
 *
 * A variable's value is never written into a file: what is live becomes `sync: false`, a value that its owner keeps.
 */
import type { Blueprint, Json, Resource } from "./blueprint.ts";
import { labelOf } from "./blueprint.ts";
import { type Difference, diffAccount, type Scene } from "./blueprint-diff.ts";
import type { LiveService } from "./blueprint-live.ts";
import type { Chosen } from "./blueprint-narrow.ts";
import { serviceRules } from "./service-fields.ts";
import { addItem, remove, type Spans, setMember, type YamlDraft } from "./yaml-edit.ts";

export type Adopting = {
  live: Scene["live"];
  hash: Scene["hash"];
  /** null when a text is no good blueprint */
  parse(text: string): Blueprint | null;
  readSpans(text: string): Spans;
};

export type Adopted = {
  text: string;
  adopted: { resource: string; field: string }[];
  left: { resource: string; field: string; reason: string }[];
};

type Edit = (draft: YamlDraft) => string | null;

/** A text that reads well, and what differs with it. */
type Version = { text: string; blueprint: Blueprint; differences: Difference[]; keys: Set<string> };
type Done = { version: Version; adopted: Adopted["adopted"]; left: Adopted["left"] };

/** @param wanted nothing: all that differs */
export function adopt(kit: Adopting, text: string, wanted: readonly Chosen[] | null): Adopted {
  const version = read(kit, text);
  if (version === null) return { text, adopted: [], left: [] };
  const chosen = version.differences.filter((one) => wanted === null || wanted.some((choice) => isMeant(choice, one)));
  const done: Done = { version, adopted: [], left: [] };
  for (const difference of chosen) adoptOne(kit, done, difference);
  for (const choice of wanted ?? []) {
    if (chosen.some((one) => isMeant(choice, one))) continue;
    const { resource, field = "" } = choice;
    if (field === "") adoptStranger(kit, done, resource);
    else done.left.push({ resource, field, reason: "is no drift" });
  }
  return { text: done.version.text, adopted: done.adopted, left: done.left };
}

const isMeant = ({ resource, field = "" }: Chosen, one: Difference) =>
  one.resource === resource && (field === "" || one.field === field);

/** Null when the text is no good blueprint. */
function read({ live, hash, parse }: Adopting, text: string): Version | null {
  const blueprint = parse(text);
  if (blueprint === null) return null;
  const differences = diffAccount({ blueprint, live, hash });
  return { text, blueprint, differences, keys: new Set(differences.map(keyOf)) };
}

const keyOf = ({ resource, field, wanted }: Difference) =>
  `${resource} ${field} ${field === "fromGroup" ? wanted : ""}`;

/** The text as a version, when nothing differs with it that did not before. */
function readFitting(kit: Adopting, text: string | null, before: Version): Version | null {
  const next = text === null ? null : read(kit, text);
  return next && [...next.keys].every((key) => before.keys.has(key)) ? next : null;
}

function adoptOne(kit: Adopting, done: Done, difference: Difference): void {
  const { resource: label, field } = difference;
  const { version } = done;
  const resource = version.blueprint.resources.find((one) => labelOf(one) === label);
  if (!resource) return;
  const draft = { text: version.text, spans: kit.readSpans(version.text) };
  for (const edit of editsFor(kit, resource, { difference, draft })) {
    const next = readFitting(kit, edit(draft), version);
    if (next === null || next.keys.has(keyOf(difference))) continue;
    done.version = next;
    done.adopted.push({ resource: label, field });
    return;
  }
  const isGroup = resource.kind === "envgroup" && field.startsWith("envVars.");
  const reason = isGroup
    ? "a group cannot hold a value that is set by hand; write what is meant into the file"
    : "cannot be written into the file by itself; change it there by hand";
  done.left.push({ resource: label, field, reason });
}

type Wish = { difference: Difference; draft: YamlDraft };

function editsFor(kit: Adopting, resource: Resource, { difference, draft }: Wish): Edit[] {
  const { field, live, wanted } = difference;
  const { pointer } = resource;
  if (field === "") return [taking(pointer)];
  if (field === "fromGroup") return takingLike(draft, pointer, { fromGroup: String(wanted) });
  if (field.startsWith("envVars.")) return variableEdits(draft, pointer, difference);
  if (live === null) return spellings(field, live).map(({ member }) => taking(`${pointer}/${member}`));
  const twin = twins[field];
  const setting = spellings(field, live).flatMap(({ member, value }): Edit[] => {
    const at = `${pointer}/${member}`;
    const set: Edit = (now) => setMember(now, at, value);
    const instead: Edit = (now) => {
      const without = twin === undefined ? null : remove(now, `${pointer}/${twin}`);
      return without === null ? null : setMember({ text: without, spans: kit.readSpans(without) }, at, value);
    };
    return [set, instead];
  });
  return setting;
}

const taking =
  (pointer: string): Edit =>
  (draft) =>
    remove(draft, pointer);

/** The older word for the same: with both in the file it would not be clear which counts. */
const twins: Record<string, string> = { autoDeployTrigger: "autoDeploy", domains: "domain" };

type Spelling = { member: string; value: Json };
type Members = { [member: string]: Json };

const special: Record<string, (live: Json) => Spelling[]> = {
  scaling: (live) => {
    const { min, max, cpu, memory } = (live ?? {}) as Members;
    const shares = { targetCPUPercent: cpu ?? null, targetMemoryPercent: memory ?? null };
    const given = Object.entries(shares).filter(([, share]) => share !== null);
    const value = { minInstances: min ?? 1, maxInstances: max ?? 1, ...Object.fromEntries(given) };
    return [{ member: "scaling", value }];
  },
  image: (live) => [{ member: "image/url", value: live }],
  previews: (live) => [
    { member: "previews/generation", value: live },
    { member: "previews", value: { generation: live } },
  ],
  highAvailability: (live) => [{ member: "highAvailability/enabled", value: live }],
  readReplicas: (live) => [{ member: "readReplicas", value: ((live ?? []) as Json[]).map((name) => ({ name })) }],
  maintenanceMode: (live) => {
    const { enabled = false, uri = "" } = (live ?? {}) as Members;
    return [{ member: "maintenanceMode", value: { enabled, ...(uri !== "" && { uri }) } }];
  },
  ipAllowList: (live) => [
    {
      member: "ipAllowList",
      value: ((live ?? []) as Members[]).map(({ source = "", description = "" }) => ({
        source,
        ...(description !== "" && { description }),
      })),
    },
  ],
};

/** How a field could be written, likeliest first: Render's words have an underscore where blueprints have a hyphen or a space. */
function spellings(field: string, live: Json): Spelling[] {
  const own = special[field]?.(live);
  if (own) return own;
  const words =
    typeof live === "string" && live.includes("_") ? [live.replaceAll("_", "-"), live.replaceAll("_", " ")] : [];
  return [live, ...words].map((value) => ({ member: field, value }));
}

function variableEdits({ text, spans }: YamlDraft, pointer: string, { field, kind }: Difference): Edit[] {
  const key = field.slice("envVars.".length);
  const list = `${pointer}/envVars`;
  const byHand = { key, sync: false };
  if (kind === "extra") {
    return [(draft) => addItem(draft, list, byHand), (draft) => setMember(draft, list, [byHand])];
  }
  if (kind === "missing") return takingLike({ text, spans }, pointer, { key });
  return itemsLike(text, spans, list, { key }).map(
    (at): Edit =>
      (draft) =>
        becomeByHand(draft, at),
  );
}

/** An item of the variables; the only one goes with its list, because a list of nothing is not written. */
function takingLike({ text, spans }: YamlDraft, pointer: string, like: Record<string, string>): Edit[] {
  const list = `${pointer}/envVars`;
  return itemsLike(text, spans, list, like).flatMap((at) => [taking(at), taking(list)]);
}

/** What said where the value comes from says that it is kept by hand. */
function becomeByHand({ text, spans }: YamlDraft, pointer: string): string | null {
  const item = spans.get(pointer);
  const source = ["value", "generateValue", "fromDatabase", "fromService"]
    .map((member) => spans.get(`${pointer}/${member}`))
    .find((span) => span !== undefined);
  if (!item || !source?.member) return null;
  return `${text.slice(0, source.member.keyStart)}sync: false${text.slice(source.end)}`;
}

/** Pointers of the items of a list that have a member of that value, as the text says it. */
function itemsLike(text: string, spans: Spans, list: string, like: Record<string, string>): string[] {
  const [[member, value] = ["", ""]] = Object.entries(like);
  const pattern = new RegExp(`^${list.replaceAll("/", "\\/")}/(\\d+)/${member}$`);
  return [...spans].flatMap(([at, { start, end }]) => {
    const said = text.slice(start, end).replace(/^(["'])(.*)\1$/, "$2");
    return pattern.test(at) && said === value ? [at.slice(0, at.lastIndexOf("/"))] : [];
  });
}

/** What the file does not know at all: an entry that says what is live of it. */
function adoptStranger(kit: Adopting, done: Done, label: string): void {
  const about = { resource: label, field: "" };
  const found = kit.live.services.filter(({ name }) => label === `service/${name}`);
  const [service, ...others] = found;
  if (!service || others.length > 0) {
    const isService = label.startsWith("service/");
    const why = isService ? "there is not exactly one such live service" : "only services can be taken in";
    done.left.push({ ...about, reason: `${why}; write its entry by hand` });
    return;
  }
  const groups = kit.live.groups.filter(({ serviceIds }) => serviceIds.includes(service.id)).map(({ name }) => name);
  const { text } = done.version;
  const added = addItem({ text, spans: kit.readSpans(text) }, "/services", toEntry(service, groups));
  let version = readFitting(kit, added, done.version);
  const pointer = version?.blueprint.resources.find((one) => labelOf(one) === label)?.pointer;
  if (version === null || pointer === undefined) {
    done.left.push({ ...about, reason: "its entry cannot be written by itself; write it by hand" });
    return;
  }
  for (const { field, live, types } of serviceRules) {
    // What has a call of its own was not read of a service that nobody named.
    if (!types.includes(service.type) || ["routes", "headers", "domains"].includes(field)) continue;
    version = addField(kit, version, { pointer, field, live: live(service, null) });
  }
  done.version = version;
  done.adopted.push(about);
}

type Field = { pointer: string; field: string; live: Json };

function addField(kit: Adopting, version: Version, { pointer, field, live }: Field): Version {
  const draft = { text: version.text, spans: kit.readSpans(version.text) };
  if (live === null || isUsual(field, live) || draft.spans.has(`${pointer}/${field}`)) return version;
  for (const { member, value } of spellings(field, live)) {
    const next = readFitting(kit, setMember(draft, `${pointer}/${member}`, value), version);
    if (next) return next;
  }
  return version;
}

/** What every service has that nobody has changed. */
function isUsual(field: string, live: Json): boolean {
  const usual: Record<string, Json> = { previews: "off", renderSubdomainPolicy: "enabled", numInstances: 1 };
  const isOff = field === "maintenanceMode" && (live as Members).enabled === false;
  return isOff || usual[field] === live || (Array.isArray(live) && live.length === 0);
}

const kinds: Record<LiveService["type"], Record<string, Json>> = {
  static_site: { type: "web", runtime: "static" },
  web_service: { type: "web" },
  private_service: { type: "pserv" },
  background_worker: { type: "worker" },
  cron_job: { type: "cron" },
};

/** The least that a blueprint takes, and what it would be said to have otherwise. */
function toEntry(service: LiveService, groups: readonly string[]): Record<string, Json> {
  const { name, type, repo, imagePath, serviceDetails } = service;
  const { type: kind = "web", ...rest } = kinds[type];
  const entry: Record<string, Json> = { type: kind, name, ...rest };
  if (type !== "static_site") entry.runtime = serviceDetails?.runtime ?? "node";
  if (repo) entry.repo = repo;
  if (imagePath) entry.image = { url: imagePath };
  if (type === "cron_job") entry.schedule = serviceDetails?.schedule ?? "";
  if (groups.length > 0) entry.envVars = groups.map((fromGroup) => ({ fromGroup }));
  return entry;
}
