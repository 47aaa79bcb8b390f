/*
 * The fields of a service, each once: how the blueprint says it, how Render shows it, both in one spelling; whether a change
 * of it needs a deploy, and what of it cannot be changed any more. Plans, drifts and applies all come from these tables, so
 * they cannot disagree.
 */
import type { Json } from "./blueprint.ts";
import {
  command,
  type Entry,
  fixed,
  given,
  imageName,
  liveRanges,
  orNull,
  path,
  type Rule,
  ranges,
  repoAddress,
  same,
  sorted,
  word,
} from "./blueprint-spelling.ts";
import type { Service, ServiceDetails, ServiceType } from "./render-shapes.ts";

const sites: readonly ServiceType[] = ["static_site"];
const webs: readonly ServiceType[] = ["web_service", "static_site"];
const servers: readonly ServiceType[] = ["web_service", "private_service", "background_worker"];
const runs: readonly ServiceType[] = [...servers, "cron_job"];
const all: readonly ServiceType[] = [...runs, "static_site"];

const details = (service: Service): ServiceDetails => service.serviceDetails ?? {};
const build = (service: Service) => details(service).envSpecificDetails ?? {};

function scalingOf(entry: Entry): Json | undefined {
  return given(entry.scaling, (scaling: Record<string, number | undefined>) => {
    const min = scaling.minInstances ?? 1;
    const max = scaling.maxInstances ?? min;
    return { min, max, cpu: scaling.targetCPUPercent ?? null, memory: scaling.targetMemoryPercent ?? null };
  });
}

function liveScaling(service: Service): Json {
  const scaling = details(service).autoscaling;
  if (!scaling?.enabled) return null;
  const { cpu, memory } = scaling.criteria;
  const share = (one: { enabled: boolean; percentage: number }) => (one.enabled ? one.percentage : null);
  return { min: scaling.min, max: scaling.max, cpu: share(cpu), memory: share(memory) };
}

type Disk = { name: string; mountPath: string; sizeGB?: number };
/** Render's page says 10 GB where the blueprint is silent, its API 1. */
const defaultDiskGB = 10;

function diskBars(from: Json, to: Json): string | null {
  const [before, after] = [from as Disk | null, to as Disk];
  return before?.sizeGB !== undefined && (after.sizeGB ?? 0) < before.sizeGB ? "a disk cannot become smaller" : null;
}

const listOf = (entry: Entry): string[] | undefined => {
  if (entry.domain === undefined && entry.domains === undefined) return undefined;
  return [
    ...new Set([entry.domain as string, ...((entry.domains as string[]) ?? [])].filter((name) => name !== undefined)),
  ];
};

function previewsOf(entry: Entry): Json | undefined {
  const { generation } = (entry.previews ?? {}) as { generation?: string };
  if (generation !== undefined) return generation;
  return given(entry.pullRequestPreviewsEnabled, (isOn) => (isOn === true ? "automatic" : "off"));
}

const triggerOf = (entry: Entry): Json | undefined =>
  given(entry.autoDeployTrigger, orNull) ?? given(entry.autoDeploy, (isOn) => (isOn === true ? "commit" : "off"));

type Header = { path: string; name: string; value: string };
type Rewrite = { type: string; source: string; destination: string };
type Filter = { paths?: string[] | null; ignoredPaths?: string[] | null };
const filter = (value: unknown): Json => {
  const { paths, ignoredPaths } = (value ?? {}) as Filter;
  const none = (paths ?? []).length === 0 && (ignoredPaths ?? []).length === 0;
  return none ? null : { paths: sorted(paths ?? []), ignoredPaths: sorted(ignoredPaths ?? []) };
};

/** What the API shows of a service beyond its own object. */
export type ServiceExtras = {
  /** null: not read */
  routes: Rewrite[] | null;
  headers: Header[] | null;
  /** companions that Render adds to a name have `redirectForName` */
  domains: { name: string; redirectForName?: string | null }[] | null;
};
export type FullService = Service & { extras: ServiceExtras };

export type ServiceRule = Rule<FullService> & { types: readonly ServiceType[] };

export const serviceRules: readonly ServiceRule[] = [
  {
    field: "repo",
    types: all,
    deploys: true,
    wanted: same("repo", repoAddress),
    live: ({ repo }) => repoAddress(repo),
  },
  { field: "branch", types: all, deploys: true, wanted: same("branch", orNull), live: ({ branch }) => orNull(branch) },
  { field: "rootDir", types: all, deploys: true, wanted: same("rootDir", path), live: ({ rootDir }) => path(rootDir) },
  {
    field: "buildFilter",
    types: all,
    wanted: same("buildFilter", filter),
    live: ({ buildFilter }) => filter(buildFilter),
  },
  {
    field: "autoDeployTrigger",
    types: all,
    wanted: triggerOf,
    live: ({ autoDeployTrigger, autoDeploy }) => autoDeployTrigger ?? (autoDeploy === "no" ? "off" : "commit"),
  },
  {
    field: "image",
    types: runs,
    deploys: true,
    wanted: (entry) => given(entry.image, ({ url }: { url: string }) => imageName(url)),
    live: ({ imagePath }) => imageName(imagePath),
  },
  {
    field: "registryCredential",
    types: runs,
    deploys: true,
    wanted: (entry) => {
      const { creds = entry.registryCredential } = (entry.image ?? {}) as { creds?: unknown };
      return given(creds, (one: { fromRegistryCreds: { name: string } }) => one.fromRegistryCreds.name);
    },
    live: (live) => live.registryCredential?.name ?? build(live).registryCredential?.name ?? null,
  },
  {
    field: "runtime",
    types: runs,
    deploys: true,
    wanted: same("runtime", orNull),
    live: (live) => orNull(details(live).runtime),
  },
  { field: "plan", types: runs, deploys: true, wanted: same("plan", word), live: (live) => word(details(live).plan) },
  {
    field: "region",
    types: runs,
    wanted: same("region", orNull),
    live: (live) => orNull(details(live).region),
    bars: fixed("the region"),
  },
  {
    field: "buildCommand",
    types: all,
    deploys: true,
    wanted: same("buildCommand", command),
    live: (live) => command(live.type === "static_site" ? details(live).buildCommand : build(live).buildCommand),
  },
  {
    field: "startCommand",
    types: runs,
    deploys: true,
    wanted: same("startCommand", command),
    live: (live) => command(build(live).startCommand),
  },
  {
    field: "preDeployCommand",
    types: runs,
    deploys: true,
    wanted: same("preDeployCommand", command),
    live: (live) => command(build(live).preDeployCommand ?? details(live).preDeployCommand),
  },
  {
    field: "dockerCommand",
    types: runs,
    deploys: true,
    wanted: same("dockerCommand", command),
    live: (live) => command(build(live).dockerCommand),
  },
  {
    field: "dockerfilePath",
    types: runs,
    deploys: true,
    wanted: same("dockerfilePath", path),
    live: (live) => path(build(live).dockerfilePath),
  },
  {
    field: "dockerContext",
    types: runs,
    deploys: true,
    wanted: same("dockerContext", path),
    live: (live) => path(build(live).dockerContext),
  },
  {
    field: "staticPublishPath",
    types: sites,
    deploys: true,
    wanted: same("staticPublishPath", path),
    live: (live) => path(details(live).publishPath),
  },
  {
    field: "healthCheckPath",
    types: ["web_service"],
    deploys: true,
    wanted: same("healthCheckPath", orNull),
    live: (live) => orNull(details(live).healthCheckPath),
  },
  {
    field: "maxShutdownDelaySeconds",
    types: servers,
    deploys: true,
    wanted: same("maxShutdownDelaySeconds", orNull),
    live: (live) => orNull(details(live).maxShutdownDelaySeconds),
  },
  {
    field: "schedule",
    types: ["cron_job"],
    wanted: same("schedule", command),
    live: (live) => command(details(live).schedule),
  },
  {
    field: "numInstances",
    types: servers,
    // Autoscaling decides the number itself.
    wanted: (entry) => (entry.scaling === undefined ? given(entry.numInstances, orNull) : undefined),
    live: (live) => orNull(details(live).numInstances),
  },
  { field: "scaling", types: servers, wanted: scalingOf, live: liveScaling },
  {
    field: "disk",
    types: servers,
    deploys: true,
    wanted: (entry) => given(entry.disk, (disk: Disk) => ({ sizeGB: defaultDiskGB, ...disk })),
    live: (live) => {
      const disk = details(live).disk;
      return disk ? { name: disk.name, mountPath: disk.mountPath, sizeGB: disk.sizeGB } : null;
    },
    bars: diskBars,
  },
  {
    field: "domains",
    types: webs,
    wanted: (entry) => given(listOf(entry), sorted),
    live: ({ extras }, wanted) => {
      const named = Array.isArray(wanted) ? wanted : [];
      const isOwn = ({ name, redirectForName }: { name: string; redirectForName?: string | null }) =>
        named.includes(name) || (redirectForName ?? "") === "";
      return sorted((extras.domains ?? []).filter(isOwn).map(({ name }) => name));
    },
  },
  {
    field: "maintenanceMode",
    types: ["web_service"],
    wanted: (entry) =>
      given(entry.maintenanceMode, (mode: Entry) => ({ enabled: mode.enabled === true, uri: String(mode.uri ?? "") })),
    live: (live) => {
      const { enabled = false, uri = "" } = details(live).maintenanceMode ?? {};
      return { enabled, uri };
    },
  },
  { ...ranges, types: webs, live: (live) => liveRanges(details(live).ipAllowList) },
  {
    field: "renderSubdomainPolicy",
    types: webs,
    wanted: same("renderSubdomainPolicy", orNull),
    live: (live) => details(live).renderSubdomainPolicy ?? "enabled",
  },
  {
    field: "previews",
    types: [...servers, "static_site"],
    wanted: previewsOf,
    live: (live) => orNull(details(live).previews?.generation ?? "off"),
  },
  {
    field: "headers",
    types: sites,
    wanted: (entry) => given(entry.headers, (list: Header[]) => sorted(list.map(toHeader))),
    live: ({ extras }) => sorted((extras.headers ?? []).map(toHeader)),
  },
  {
    field: "routes",
    types: sites,
    wanted: (entry) => given(entry.routes, (list: Rewrite[]) => list.map(toRewrite)),
    live: ({ extras }) => (extras.routes ?? []).map(toRewrite),
  },
];

const toHeader = ({ path: at, name, value }: Header): Json => ({ path: at, name, value });
const toRewrite = ({ type, source, destination }: Rewrite): Json => ({ type, source, destination });
