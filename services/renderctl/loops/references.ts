import { setTimeout as pause } from "node:timers/promises";
import type { BuiltInVariable, DatabaseProperty, EnvSource, ServiceProperty } from "../blueprint.ts";
import { isBuiltIn } from "../blueprint.ts";
import type { RenderApi } from "../clients/render.ts";
import { RenderError } from "../render-error.ts";
import type { Postgres, PostgresConnection } from "../render-resources.ts";
import type { Service } from "../render-shapes.ts";

/*
 * The values that references stand for, in clear text: read just before they are written, and given to nobody else. Where
 * only equality matters they are hashed at once.
 */

export type Reference = Extract<EnvSource, { name: string }>;
export type ReferenceScope = {
  api: RenderApi;
  ownerId: string;
  signal: AbortSignal;
  /** how often a database that is being made is asked whether it is ready, and for how long */
  pollMs: number;
  patienceMs: number;
  /** the account's services, when they have just been read */
  services?: readonly Service[];
};

/** Null when its target is not there or not ready, and does not become ready in time. */
export async function readReference(scope: ReferenceScope, source: Reference): Promise<string | null> {
  if (source.kind === "database") return await readDatabase(scope, source.name, source.property);
  if (source.kind === "keyvalue") return await readKeyValue(scope, source.name, source.property);
  const { api, ownerId } = scope;
  const services = scope.services ?? (await api.services.list({ name: source.name, ownerId }));
  const service = only(services, source.name);
  if (service === null) return null;
  if (source.kind === "service") return propertyOf(service, source.property);
  if (isBuiltIn(source.key)) return builtInOf(service, source.key);
  return (await api.env.find(service.id, source.key))?.value ?? null;
}

function only<T extends { name: string }>(all: readonly T[], name: string): T | null {
  const found = all.filter((one) => one.name === name);
  return found.length === 1 ? (found[0] ?? null) : null;
}

async function untilReady<T extends { status: string }>(
  scope: ReferenceScope,
  first: T,
  read: () => Promise<T>,
): Promise<boolean> {
  const giveUpAt = performance.now() + scope.patienceMs;
  for (let store = first; ; store = await read()) {
    if (store.status === "available") return true;
    if (performance.now() + scope.pollMs > giveUpAt) return false;
    await pause(scope.pollMs, undefined, { signal: scope.signal });
  }
}

async function readDatabase(scope: ReferenceScope, name: string, property: DatabaseProperty): Promise<string | null> {
  const { stores } = scope.api;
  const postgres = only(await stores.listPostgres({ name, ownerId: scope.ownerId }), name);
  if (!postgres || !(await untilReady(scope, postgres, () => stores.getPostgres(postgres.id)))) return null;
  return partOf(postgres, await stores.connectPostgres(postgres.id), property);
}

/** What a URL without a port means; its parser gives none for these schemes. */
const postgresPort = "5432";
const keyValuePort = "6379";

function partOf(postgres: Postgres, connection: PostgresConnection, property: DatabaseProperty): string | null {
  if (property === "connectionString") return connection.internalConnectionString;
  if (property === "connectionPoolString") return connection.internalConnectionPoolString ?? null;
  if (property === "password") return connection.password;
  if (property === "user") return postgres.databaseUser;
  if (property === "database") return postgres.databaseName;
  const { hostname, port } = new URL(connection.internalConnectionString);
  return property === "host" ? hostname : port || postgresPort;
}

async function readKeyValue(scope: ReferenceScope, name: string, property: ServiceProperty): Promise<string | null> {
  const { stores } = scope.api;
  const store = only(await stores.listKeyValue({ name, ownerId: scope.ownerId }), name);
  if (!store || !(await untilReady(scope, store, () => stores.getKeyValue(store.id)))) return null;
  const { internalConnectionString } = await stores.connectKeyValue(store.id);
  if (property === "connectionString") return internalConnectionString;
  const { hostname, port } = new URL(internalConnectionString);
  if (property === "hostport") return `${hostname}:${port || keyValuePort}`;
  return property === "host" ? hostname : port || keyValuePort;
}

/** What Render lets a service listen on when it says nothing: https://render.com/docs/web-services#port-binding */
const usualPort = 10_000;

function propertyOf({ slug, serviceDetails }: Service, property: ServiceProperty): string | null {
  const port = String(serviceDetails?.openPorts?.[0]?.port ?? usualPort);
  if (property === "host" || property === "slug") return slug;
  if (property === "port") return port;
  return property === "hostport" ? `${slug}:${port}` : null;
}

function builtInOf({ name, serviceDetails }: Service, key: BuiltInVariable): string | null {
  if (key === "RENDER_SERVICE_NAME") return name;
  const url = serviceDetails?.url ?? null;
  if (url === null || !/^https?:/.test(url)) return null;
  return key === "RENDER_EXTERNAL_URL" ? url.replace(/\/+$/, "") : new URL(url).hostname;
}

/** Nothing of that id any more. */
export function isGone(error: unknown): boolean {
  return error instanceof RenderError && error.status === 404;
}
