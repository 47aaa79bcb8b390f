/*
 * The format of a blueprint (`render.yaml`), as Render publishes it: https://render.com/schema/render.yaml.json, 2026. An
 * entry of `services` or `envVars` is judged by the one schema that its `type` or its keys ask for, so that a mistake is
 * told once and where it is. Stricter than Render in one thing: a member that nobody knows is refused everywhere.
 */
import { type TProperties, type TSchema, Type } from "typebox";

const closed = { additionalProperties: false } as const;
const optional = <T extends TSchema>(schema: T) => Type.Optional(schema);
const text = Type.String({ maxLength: 10_000 });
const Name = Type.String({ minLength: 1, maxLength: 200 });
const words = (...all: string[]) => Type.Enum(all);
const positive = Type.Integer({ minimum: 1 });
const TextOrNumber = Type.Union([Type.String({ maxLength: 100_000 }), Type.Number()]);

const Region = words("oregon", "ohio", "frankfurt", "singapore", "virginia");
const Trigger = words("off", "commit", "checksPass");
const Generation = words("automatic", "manual", "off");
const computePlans = [
  ...["0.5c-512mb", "1c-2g", "2c-4g", "2c-8g", "2c-16g", "4c-8g", "4c-16g", "4c-32g", "8c-16g", "8c-32g", "8c-64g"],
];
const CronPlan = words("starter", "standard", "pro", "pro plus", ...computePlans);
const ServerPlan = words(
  ...["free", "starter", "standard", "pro", "pro plus", "pro max", "pro ultra"],
  ...[...computePlans, "12c-24g", "12c-48g", "12c-96g"],
);
const KeyValuePlan = words(
  ...["free", "starter", "standard", "pro", "pro plus", "pro max", "pro ultra"],
  ...["256mb", "1g", "3g", "5g", "10g", "20g", "40g", "50g"],
);
const PostgresPlan = words(
  ...["free", "starter", "standard", "pro", "pro plus", "basic-256mb", "basic-1gb", "basic-4gb"],
  ...["4", "8", "16", "32", "64", "128", "192", "256", "384", "512"].map((size) => `pro-${size}gb`),
  ...["16", "32", "64", "128", "256", "384", "512", "768", "1024"].map((size) => `accelerated-${size}gb`),
  ...["0.1c-256mb", "0.5c-1g", "1c-2g", "1c-4g", "2c-4g", "2c-8g", "2c-16g", "4c-16g", "4c-32g", "8c-32g", "8c-64g"],
  ...["16c-64g", "16c-128g", "32c-128g", "32c-256g", "48c-192g", "48c-384g", "64c-256g", "64c-512g", "96c-384g"],
  ...["96c-768g", "128c-512g", "128c-1024g"],
);
const Runtime = words("docker", "elixir", "go", "image", "node", "python", "ruby", "rust", "static");

const IpAllowList = Type.Array(Type.Object({ source: Name, description: optional(text) }, closed));
const BuildFilter = Type.Object(
  { paths: optional(Type.Array(text)), ignoredPaths: optional(Type.Array(text)) },
  { ...closed, minProperties: 1 },
);
const RegistryCredential = Type.Object({ fromRegistryCreds: Type.Object({ name: Name }, closed) }, closed);
const Image = Type.Object({ url: Name, creds: optional(RegistryCredential) }, closed);
const EnvVars = optional(Type.Array(Type.Unknown(), { maxItems: 1_000 }));

const key = { key: Type.String({ minLength: 1, maxLength: 500 }) };
/** By the member that says where the value comes from; a plain one has none of these. */
export const envVarSchemas = {
  fromGroup: Type.Object({ fromGroup: Name }, closed),
  fromDatabase: Type.Object(
    {
      ...key,
      fromDatabase: Type.Object(
        {
          name: Name,
          property: words("connectionString", "connectionPoolString", "host", "port", "user", "password", "database"),
        },
        closed,
      ),
    },
    closed,
  ),
  fromService: Type.Object(
    {
      ...key,
      fromService: Type.Object(
        {
          type: words("web", "cron", "worker", "pserv", "workflow", "static", "dpg", "job", "redis", "keyvalue"),
          name: Name,
          property: optional(words("host", "port", "hostport", "slug", "connectionString")),
          envVarKey: optional(Name),
        },
        closed,
      ),
    },
    closed,
  ),
  plain: Type.Object(
    {
      ...key,
      value: optional(TextOrNumber),
      generateValue: optional(Type.Boolean()),
      sync: optional(Type.Boolean()),
      previewValue: optional(TextOrNumber),
    },
    closed,
  ),
};

const common = {
  name: Name,
  repo: optional(Name),
  branch: optional(Name),
  rootDir: optional(text),
  buildFilter: optional(BuildFilter),
  autoDeploy: optional(Type.Boolean()),
  autoDeployTrigger: optional(Trigger),
  buildCommand: optional(text),
  preDeployCommand: optional(text),
  envVars: EnvVars,
};
const running = {
  region: optional(Region),
  image: optional(Image),
  startCommand: optional(text),
  dockerCommand: optional(text),
  dockerfilePath: optional(text),
  dockerContext: optional(text),
  registryCredential: optional(RegistryCredential),
};
const public_ = {
  domain: optional(Name),
  domains: optional(Type.Array(Name)),
  pullRequestPreviewsEnabled: optional(Type.Boolean()),
  ipAllowList: optional(IpAllowList),
  renderSubdomainPolicy: optional(words("enabled", "disabled")),
};
const entry = (type: TSchema, properties: TProperties) => Type.Object({ type, ...properties }, closed);

/** By kind of service. */
export const serviceSchemas = {
  keyvalue: entry(words("keyvalue", "redis"), {
    name: Name,
    region: optional(Region),
    ipAllowList: IpAllowList,
    plan: optional(KeyValuePlan),
    previewPlan: optional(KeyValuePlan),
    maxmemoryPolicy: optional(
      words(
        ...["allkeys-lru", "volatile-lru", "allkeys-lfu", "volatile-lfu"],
        ...["allkeys-random", "volatile-random", "volatile-ttl", "noeviction"],
      ),
    ),
    persistenceMode: optional(words("journal-snapshot", "snapshot", "off")),
  }),
  cron: entry(words("cron"), {
    ...common,
    ...running,
    plan: optional(CronPlan),
    runtime: Runtime,
    schedule: Type.String({ minLength: 1, maxLength: 200 }),
  }),
  static: entry(words("web"), {
    ...common,
    ...public_,
    runtime: words("static"),
    staticPublishPath: optional(text),
    previews: optional(Type.Object({ generation: optional(Generation) }, closed)),
    headers: optional(Type.Array(Type.Object({ path: text, name: Name, value: text }, closed))),
    routes: optional(
      Type.Array(Type.Object({ type: words("redirect", "rewrite"), source: text, destination: text }, closed)),
    ),
  }),
  server: entry(words("web", "worker", "pserv"), {
    ...common,
    ...running,
    ...public_,
    plan: optional(ServerPlan),
    runtime: optional(Runtime),
    buildSource: optional(Name),
    numInstances: optional(positive),
    healthCheckPath: optional(text),
    scaling: optional(
      Type.Object(
        {
          minInstances: optional(positive),
          maxInstances: optional(positive),
          targetMemoryPercent: optional(Type.Integer({ minimum: 1, maximum: 90 })),
          targetCPUPercent: optional(Type.Integer({ minimum: 1, maximum: 90 })),
        },
        closed,
      ),
    ),
    initialDeployHook: optional(text),
    disk: optional(Type.Object({ name: Name, mountPath: Name, sizeGB: optional(positive) }, closed)),
    previews: optional(
      Type.Object(
        { generation: optional(Generation), plan: optional(ServerPlan), numInstances: optional(positive) },
        closed,
      ),
    ),
    previewPlan: optional(ServerPlan),
    maintenanceMode: optional(
      Type.Object({ enabled: optional(Type.Boolean()), uri: optional(Type.String({ format: "uri" })) }, closed),
    ),
    maxShutdownDelaySeconds: optional(Type.Integer({ minimum: 1, maximum: 300 })),
  }),
  workflow: entry(words("workflow"), {
    name: Name,
    runtime: words("node", "python"),
    region: Region,
    startCommand: text,
    repo: optional(Name),
    branch: optional(Name),
    buildCommand: optional(text),
    rootDir: optional(text),
    buildFilter: optional(BuildFilter),
    autoDeployTrigger: optional(Trigger),
    envVars: EnvVars,
  }),
};

export const DatabaseSchema = Type.Object(
  {
    name: Name,
    databaseName: optional(Name),
    user: optional(Name),
    region: optional(Region),
    plan: optional(PostgresPlan),
    diskSizeGB: optional(positive),
    storageAutoscalingEnabled: optional(Type.Boolean()),
    connectionPool: optional(words("pgbouncer", "none")),
    previewPlan: optional(PostgresPlan),
    previewDiskSizeGB: optional(positive),
    postgresMajorVersion: optional(words("10", "11", "12", "13", "14", "15", "16", "17", "18")),
    highAvailability: optional(Type.Object({ enabled: Type.Boolean() }, closed)),
    ipAllowList: optional(IpAllowList),
    readReplicas: optional(Type.Array(Type.Object({ name: Name }, closed))),
  },
  closed,
);

export const EnvGroupSchema = Type.Object(
  { name: Name, envVars: Type.Array(Type.Unknown(), { maxItems: 1_000 }) },
  closed,
);

const list = optional(Type.Array(Type.Unknown(), { maxItems: 500 }));
const resources = { services: list, databases: list, envVarGroups: list };
const switches = words("enabled", "disabled");
const Environment = Type.Object(
  {
    ...resources,
    name: Name,
    networking: optional(Type.Object({ isolation: optional(switches) }, closed)),
    permissions: optional(Type.Object({ protection: optional(switches) }, closed)),
  },
  closed,
);

/** The file itself; what stands in its lists is judged entry by entry. */
export const FileSchema = Type.Object(
  {
    ...resources,
    version: optional(words("1")),
    previews: optional(Type.Object({ generation: optional(Generation), expireAfterDays: optional(positive) }, closed)),
    previewsEnabled: optional(Type.Boolean()),
    previewsExpireAfterDays: optional(positive),
    buildSources: list,
    projects: optional(
      Type.Array(
        Type.Object({ name: Name, environments: optional(Type.Array(Environment)), buildSources: list }, closed),
      ),
    ),
    ungrouped: optional(Type.Object({ ...resources, buildSources: list }, closed)),
  },
  closed,
);
