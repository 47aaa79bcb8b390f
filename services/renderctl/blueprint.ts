import type { ServiceType } from "./render-shapes.ts";

/* What a blueprint asks for, after everything that can be written in two ways has been written in one. */

export type Json = null | boolean | number | string | Json[] | { [member: string]: Json };

/** By the blueprint's own name of the field; a field that is not there is not managed. Null is "empty". */
export type Fields = Record<string, Json>;

export type DatabaseProperty =
  | "connectionString"
  | "connectionPoolString"
  | "host"
  | "port"
  | "user"
  | "password"
  | "database";
export type ServiceProperty = "host" | "port" | "hostport" | "slug" | "connectionString";

export type EnvSource =
  | { kind: "value"; value: string }
  /** drawn by Render when the key is not there */
  | { kind: "generated" }
  /** `sync: false`: a person gives it a value, and nobody else touches it */
  | { kind: "by-hand" }
  | { kind: "database"; name: string; property: DatabaseProperty }
  | { kind: "keyvalue"; name: string; property: ServiceProperty }
  | { kind: "service"; name: string; property: ServiceProperty }
  | { kind: "variable"; name: string; key: string };
export type EnvEntry = { key: string; source: EnvSource };

type Declared = {
  name: string;
  /** where in the file it stands, as a JSON Pointer */
  pointer: string;
  /** what nobody asked for but a new one must have, because Render's own default is another one */
  defaults: Fields;
};
export type ServiceResource = Declared & {
  kind: "service";
  type: ServiceType;
  fields: Fields;
  env: EnvEntry[];
  groups: string[];
};
export type DatabaseResource = Declared & { kind: "database"; fields: Fields };
export type KeyValueResource = Declared & { kind: "keyvalue"; fields: Fields };
export type GroupResource = Declared & { kind: "envgroup"; env: EnvEntry[] };
export type Resource = ServiceResource | DatabaseResource | KeyValueResource | GroupResource;

/** Something of the file that is understood and not carried out. */
export type Unsupported = { resource: string; field: string; reason: string };

export type Blueprint = { resources: Resource[]; unsupported: Unsupported[] };

/** How a resource is called in plans, drifts and applies. */
export function labelOf({ kind, name }: Pick<Resource, "kind" | "name">): string {
  return `${kind}/${name}`;
}

/** JSON with sorted keys and no spaces: equal values have equal texts. */
export function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`;
  if (value === null || typeof value !== "object") return JSON.stringify(value ?? null);
  const members = Object.entries(value)
    .filter(([, member]) => member !== undefined)
    .sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${members.map(([key, member]) => `${JSON.stringify(key)}:${canonical(member)}`).join(",")}}`;
}

/**
 * Variables that Render itself sets in every service, as far as they are known from outside of it. They are there as soon as
 * the service is, so two services may name each other's.
 */
const builtInVariables = ["RENDER_EXTERNAL_URL", "RENDER_EXTERNAL_HOSTNAME", "RENDER_SERVICE_NAME"] as const;
export type BuiltInVariable = (typeof builtInVariables)[number];

export function isBuiltIn(key: string): key is BuiltInVariable {
  return (builtInVariables as readonly string[]).includes(key);
}
