/*
 * The one spelling of what can be written in several ways, so that a plan shows only what really differs. null, "" and an
 * absent member are one "empty" (null); sets are sorted, lists keep their order; paths lose `./` and a `/` at the end;
 * plans and other words are Render's (`pro plus` is `pro_plus`).
 */
import { canonical, type Fields, type Json } from "./blueprint.ts";

/** One entry of the file; its schema has been checked. */
export type Entry = Record<string, unknown>;

/** One field of a resource of Render. */
export type Rule<L> = {
  field: string;
  /** undefined: the blueprint does not say, so it is not managed */
  wanted(entry: Entry): Json | undefined;
  /** @param wanted what the blueprint wants, for the few that Render decorates */
  live(live: L, wanted: Json): Json;
  /** A running service only shows it after a deploy. */
  deploys?: true;
  /** Why it cannot be changed from one to the other; null when it can. */
  bars?(from: Json, to: Json): string | null;
};

export const orNull = (value: unknown): Json => (value === undefined || value === "" ? null : (value as Json));
export const command = (value: unknown): Json => orNull(typeof value === "string" ? value.trim() : value);

const withoutSlashes = (value: string) =>
  value
    .trim()
    .replace(/^(?:\.?\/+)+/, "")
    .replace(/\/+$/, "");
/** `./dist/` is `dist`; `.` is the place itself, which is the default everywhere. */
export const path = (value: unknown): Json =>
  typeof value === "string" ? orNull(withoutSlashes(value).replace(/^\.$/, "")) : null;

/** Spaces and hyphens are underscores in Render's names; the slugs of machines (`0.5c-1g`) stay. */
export const word = (value: unknown): Json =>
  typeof value === "string" && !/^\d/.test(value) ? value.replace(/[ -]/g, "_") : orNull(value);

export const sorted = (values: readonly Json[]): Json =>
  [...values].sort((a, b) => (canonical(a) < canonical(b) ? -1 : 1));

/** A member that is not there is not managed. */
export const given = <T>(value: unknown, then: (value: T) => Json): Json | undefined =>
  value === undefined ? undefined : then(value as T);
export const same = (field: string, spell: (value: unknown) => Json) => (entry: Entry) => given(entry[field], spell);

export const fixed = (what: string) => () =>
  `Render cannot change ${what} after the creation; delete and create it anew`;

export function repoAddress(value: unknown): Json {
  if (typeof value !== "string" || value.trim() === "") return null;
  const plain = value
    .trim()
    .replace(/\/+$/, "")
    .replace(/\.git$/, "");
  return plain.replace(/^(https?:\/\/)([^/]+)/i, (_all, scheme: string, host: string) =>
    `${scheme}${host}`.toLowerCase(),
  );
}

/** `nginx` is `docker.io/library/nginx:latest`. */
export function imageName(value: unknown): Json {
  if (typeof value !== "string" || value === "") return null;
  const parts = value.split("/");
  const hasHost = parts.length > 1 && /[.:]|^localhost$/.test(parts[0] ?? "");
  const full = hasHost ? value : `docker.io/${parts.length === 1 ? "library/" : ""}${value}`;
  const last = full.slice(full.lastIndexOf("/") + 1);
  return /[:@]/.test(last) ? full : `${full}:latest`;
}

type Source = { source: string; description?: string };
type Range = { cidrBlock: string; description?: string | null };

/** One address is a network of one. */
const withMask = (source: string) => (source.includes("/") ? source : `${source}/${source.includes(":") ? 128 : 32}`);
const wantedRanges = (list: Source[]): Json =>
  sorted(list.map(({ source, description = "" }) => ({ source: withMask(source), description })));
export const liveRanges = (list: Range[] | null | undefined): Json =>
  sorted(
    (list ?? []).map(({ cidrBlock, description }) => ({ source: withMask(cidrBlock), description: description ?? "" })),
  );

export const ranges = {
  field: "ipAllowList",
  wanted: (entry: Entry) => given(entry.ipAllowList, wantedRanges),
  live: (live: { ipAllowList?: Range[] | null }) => liveRanges(live.ipAllowList),
};

/** What an entry says, in the one spelling. */
export function wantedFields(rules: readonly Rule<never>[], entry: Entry): Fields {
  const pairs = rules.map(({ field, wanted }) => [field, wanted(entry)] as const);
  return Object.fromEntries(pairs.filter((pair): pair is [string, Json] => pair[1] !== undefined));
}
