import { randomBytes } from "node:crypto";
import type { Handler } from "./handler.ts";
import { filterBy, toPage } from "./pages.ts";
import { ensureOwner, getById, type Json, newId, nowMs, Refusal, type State, type Store, toTime } from "./state.ts";

/** Not sold any more, though the document still names them. */
const legacyPlans = ["starter", "standard", "pro", "pro_plus"];

const short = () => newId("x").slice(2, 6);
const password = () => randomBytes(24).toString("base64url");

function newStore(state: State, id: string, given: Json): Store {
  return {
    id,
    name: String(given.name),
    ownerId: ensureOwner(state, given.ownerId),
    createdAtMs: nowMs(state),
    updatedAt: toTime(nowMs(state)),
    plan: given.plan,
    region: given.region ?? "oregon",
    environmentId: given.environmentId ?? null,
    ipAllowList: given.ipAllowList ?? [],
    connection: {},
  };
}

function statusOf(state: State, store: Store): string {
  return nowMs(state) - store.createdAtMs < state.stageMs ? "creating" : "available";
}

/** What both kinds show alike. An empty allow list reads null. */
function toCommon(state: State, store: Store): Json {
  const { id, name, plan, region, environmentId, ipAllowList, updatedAt } = store;
  return {
    id,
    name,
    plan,
    region,
    ...(environmentId !== null && { environmentId }),
    ipAllowList: (ipAllowList as unknown[]).length === 0 ? null : ipAllowList,
    status: statusOf(state, store),
    owner: state.owners.find((owner) => owner.id === store.ownerId),
    createdAt: toTime(store.createdAtMs),
    updatedAt,
    dashboardUrl: `https://dashboard.render.com/d/${id}`,
  };
}

function toPostgres(state: State, store: Store): Json {
  const { databaseName, databaseUser, version, diskSizeGB, connectionPool, readReplicas } = store;
  return {
    ...toCommon(state, store),
    databaseName,
    databaseUser,
    version,
    diskSizeGB,
    connectionPool,
    readReplicas,
    highAvailabilityEnabled: store.enableHighAvailability,
    diskAutoscalingEnabled: store.enableDiskAutoscaling,
    role: "primary",
    suspended: "not_suspended",
    suspenders: [],
  };
}

function toKeyValue(state: State, store: Store): Json {
  const { maxmemoryPolicy, persistenceMode } = store;
  return { ...toCommon(state, store), options: { maxmemoryPolicy, persistenceMode }, version: "8.1.4" };
}

/** Unlike in lists, without its address in the dashboard. */
function toKeyValueDetail(state: State, store: Store): Json {
  const { dashboardUrl: _url, ...rest } = toKeyValue(state, store);
  return rest;
}

function connectionOf(state: State, store: Store): Json {
  if (statusOf(state, store) === "available") return store.connection;
  throw new Refusal(400, `${store.name} is still being created`);
}

const filters = {
  name: ({ name }: Store) => name,
  ownerId: ({ ownerId }: Store) => ownerId,
  region: ({ region }: Store) => region,
  environmentId: ({ environmentId }: Store) => environmentId,
};

const createPostgres: Handler = ({ state, body }) => {
  const given = body as Json;
  if (legacyPlans.includes(String(given.plan))) throw new Refusal(400, `plan ${String(given.plan)} is not available`);
  const id = `${newId("dpg")}-a`;
  const wanted = String(given.databaseName ?? String(given.name).replaceAll(/\W/g, "_"));
  const databaseName = `${wanted}_${short()}`;
  const databaseUser = String(given.databaseUser ?? `${wanted}_user`);
  const secret = password();
  const internal = `postgresql://${databaseUser}:${secret}@${id}/${databaseName}`;
  const external = `postgresql://${databaseUser}:${secret}@${id}.oregon-postgres.render.com/${databaseName}`;
  const { version, enableHighAvailability = false, enableDiskAutoscaling = false, connectionPool = "none" } = given;
  const store: Store = Object.assign(newStore(state, id, given), {
    databaseName,
    databaseUser,
    version,
    diskSizeGB: given.diskSizeGB ?? 15,
    enableHighAvailability,
    enableDiskAutoscaling,
    connectionPool,
    readReplicas: toReplicas(given.readReplicas),
    connection: {
      password: secret,
      internalConnectionString: internal,
      externalConnectionString: external,
      psqlCommand: `PGPASSWORD=${secret} psql -h ${id}.oregon-postgres.render.com -U ${databaseUser} ${databaseName}`,
    },
  });
  state.postgres.unshift(store);
  return { status: 201, body: toPostgres(state, store) };
};

function toReplicas(given: unknown): Json[] {
  return ((given ?? []) as Json[]).map(({ name }) => ({ id: `${newId("dpg")}-b`, name }));
}

const updatePostgres: Handler = ({ state, params, body }) => {
  const store = getById(state.postgres, params.postgresId, "postgres");
  const { readReplicas, ...patch } = body as Json;
  if (Number(patch.diskSizeGB ?? store.diskSizeGB) < Number(store.diskSizeGB)) {
    throw new Refusal(400, "disk size cannot be decreased");
  }
  if (patch.plan === "free" && store.plan !== "free") throw new Refusal(400, "cannot downgrade to a free plan");
  Object.assign(store, patch, { updatedAt: toTime(nowMs(state)) });
  if (readReplicas !== undefined) store.readReplicas = toReplicas(readReplicas);
  return { status: 200, body: toPostgres(state, store) };
};

const createKeyValue: Handler = ({ state, body }) => {
  const given = body as Json;
  const id = newId("red");
  const secret = password();
  const { maxmemoryPolicy = "allkeys_lru", persistenceMode = given.plan === "free" ? "off" : "journal_snapshot" } =
    given;
  const store: Store = Object.assign(newStore(state, id, given), {
    maxmemoryPolicy,
    persistenceMode,
    connection: {
      internalConnectionString: `redis://${id}:6379`,
      externalConnectionString: `rediss://${id}:${secret}@oregon-keyvalue.render.com:6379`,
      cliCommand: `REDISCLI_AUTH=${secret} redis-cli --user ${id} -h oregon-keyvalue.render.com -p 6379 --tls`,
    },
  });
  state.keyValues.unshift(store);
  return { status: 201, body: toKeyValueDetail(state, store) };
};

const updateKeyValue: Handler = ({ state, params, body }) => {
  const store = getById(state.keyValues, params.redisId, "key value");
  Object.assign(store, body, { updatedAt: toTime(nowMs(state)) });
  return { status: 200, body: toKeyValueDetail(state, store) };
};

export const storeHandlers: Record<string, Handler> = {
  "list-postgres": ({ state, query }) => ({
    status: 200,
    body: toPage(filterBy(state.postgres, query, filters), query, "postgres", (one) => toPostgres(state, one)),
  }),
  "create-postgres": createPostgres,
  "retrieve-postgres": ({ state, params }) => ({
    status: 200,
    body: toPostgres(state, getById(state.postgres, params.postgresId, "postgres")),
  }),
  "update-postgres": updatePostgres,
  "retrieve-postgres-connection-info": ({ state, params }) => ({
    status: 200,
    body: connectionOf(state, getById(state.postgres, params.postgresId, "postgres")),
  }),
  "list-key-value": ({ state, query }) => ({
    status: 200,
    body: toPage(filterBy(state.keyValues, query, filters), query, "keyValue", (one) => toKeyValue(state, one)),
  }),
  "create-key-value": createKeyValue,
  "retrieve-key-value": ({ state, params }) => ({
    status: 200,
    body: toKeyValueDetail(state, getById(state.keyValues, params.redisId, "key value")),
  }),
  "update-key-value": updateKeyValue,
  "retrieve-key-value-connection-info": ({ state, params }) => ({
    status: 200,
    body: connectionOf(state, getById(state.keyValues, params.redisId, "key value")),
  }),
};
