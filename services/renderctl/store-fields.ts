import type { Json } from "./blueprint.ts";
import { fixed, given, orNull, type Rule, ranges, same, sorted, word } from "./blueprint-spelling.ts";
import type { KeyValue, Postgres } from "./render-resources.ts";

/* The fields of databases and key value stores, each once; see service-fields.ts. */

const shrinks = (what: string) => (from: Json, to: Json) =>
  typeof from === "number" && typeof to === "number" && to < from ? `${what} cannot become smaller` : null;
/** Render adds a random ending to the name that was asked for: `app` reads `app_2mfb`. */
const withoutSuffix = (live: string | null | undefined, wanted: Json): Json =>
  typeof wanted === "string" &&
  live &&
  live.startsWith(`${wanted}_`) &&
  /^_[a-z0-9]{4}$/.test(live.slice(wanted.length))
    ? wanted
    : orNull(live);

export const databaseRules: readonly Rule<Postgres>[] = [
  {
    field: "plan",
    wanted: same("plan", word),
    live: ({ plan }) => word(plan),
    bars: (_from, to) => (to === "free" ? "a paid database cannot become a free one" : null),
  },
  { field: "region", wanted: same("region", orNull), live: ({ region }) => orNull(region), bars: fixed("the region") },
  {
    field: "postgresMajorVersion",
    wanted: same("postgresMajorVersion", orNull),
    live: ({ version }) => orNull(version.split(".")[0]),
    bars: () => "Render cannot change the version through its API; upgrade the database in its settings",
  },
  {
    field: "databaseName",
    wanted: same("databaseName", orNull),
    live: ({ databaseName }, wanted) => withoutSuffix(databaseName, wanted),
    bars: fixed("the name of the database"),
  },
  {
    field: "user",
    wanted: same("user", orNull),
    live: ({ databaseUser }, wanted) => withoutSuffix(databaseUser, wanted),
    bars: fixed("the user"),
  },
  {
    field: "diskSizeGB",
    wanted: same("diskSizeGB", orNull),
    live: ({ diskSizeGB }) => orNull(diskSizeGB),
    bars: shrinks("a database's disk"),
  },
  {
    field: "storageAutoscalingEnabled",
    wanted: same("storageAutoscalingEnabled", orNull),
    live: ({ diskAutoscalingEnabled }) => diskAutoscalingEnabled === true,
  },
  {
    field: "connectionPool",
    wanted: same("connectionPool", orNull),
    live: ({ connectionPool }) => orNull(connectionPool ?? "none") ?? "none",
  },
  {
    field: "highAvailability",
    wanted: (entry) => given(entry.highAvailability, ({ enabled }: { enabled: boolean }) => enabled),
    live: ({ highAvailabilityEnabled }) => highAvailabilityEnabled === true,
  },
  ranges,
  {
    field: "readReplicas",
    wanted: (entry) => given(entry.readReplicas, (list: { name: string }[]) => sorted(list.map(({ name }) => name))),
    live: ({ readReplicas }) => sorted((readReplicas ?? []).map(({ name }) => name)),
    bars: (from, to) => {
      const kept = to as Json[];
      const lost = (from as Json[]).filter((name) => !kept.includes(name));
      return lost.length > 0 ? `read replicas are never deleted from here: ${lost.join(", ")}` : null;
    },
  },
];

export const keyValueRules: readonly Rule<KeyValue>[] = [
  { field: "plan", wanted: same("plan", word), live: ({ plan }) => word(plan) },
  { field: "region", wanted: same("region", orNull), live: ({ region }) => orNull(region), bars: fixed("the region") },
  {
    field: "maxmemoryPolicy",
    wanted: same("maxmemoryPolicy", word),
    live: ({ options }) => word(options?.maxmemoryPolicy),
  },
  {
    field: "persistenceMode",
    wanted: same("persistenceMode", word),
    live: ({ options }) => word(options?.persistenceMode),
  },
  ranges,
];
