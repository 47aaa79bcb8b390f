import type { EnvVar, EnvVarInput, IpRange, Region, SecretFile, Suspension } from "./render-shapes.ts";

/* What Render's API gives and takes besides services: databases, key value stores, env groups, projects, disks. */

type Maybe<T> = T | null | undefined;

/** References can be resolved once it is `available`. */
export type StoreStatus = "creating" | "available" | "unavailable" | "suspended" | "unknown" | (string & {});

export type Postgres = {
  id: string;
  name: string;
  status: StoreStatus;
  plan: string;
  region: Region;
  version: string;
  /** with a random suffix that Render adds: `app` reads `app_2mfb` */
  databaseName: string;
  databaseUser: string;
  diskSizeGB?: Maybe<number>;
  highAvailabilityEnabled?: Maybe<boolean>;
  diskAutoscalingEnabled?: Maybe<boolean>;
  connectionPool?: Maybe<string>;
  ipAllowList?: Maybe<IpRange[]>;
  readReplicas?: Maybe<{ id?: Maybe<string>; name: string }[]>;
  environmentId?: Maybe<string>;
  suspended?: Maybe<Suspension>;
  owner?: Maybe<{ id: string }>;
  createdAt?: Maybe<string>;
  updatedAt?: Maybe<string>;
};

export type PostgresPatch = {
  name?: string;
  plan?: string;
  diskSizeGB?: number;
  enableDiskAutoscaling?: boolean;
  enableHighAvailability?: boolean;
  connectionPool?: string;
  ipAllowList?: IpRange[];
  readReplicas?: { name: string }[];
};

export type NewPostgres = PostgresPatch & {
  name: string;
  ownerId: string;
  plan: string;
  version: string;
  region?: Region;
  databaseName?: string;
  databaseUser?: string;
  environmentId?: string;
};

/** All of it is secret. */
export type PostgresConnection = {
  password: string;
  internalConnectionString: string;
  externalConnectionString: string;
  internalConnectionPoolString?: Maybe<string>;
  externalConnectionPoolString?: Maybe<string>;
};

export type KeyValue = {
  id: string;
  name: string;
  status: StoreStatus;
  plan: string;
  region: Region;
  version?: Maybe<string>;
  options?: Maybe<{ maxmemoryPolicy?: Maybe<string>; persistenceMode?: Maybe<string> }>;
  ipAllowList?: Maybe<IpRange[]>;
  environmentId?: Maybe<string>;
  owner?: Maybe<{ id: string }>;
  createdAt?: Maybe<string>;
  updatedAt?: Maybe<string>;
};

export type KeyValuePatch = {
  name?: string;
  plan?: string;
  maxmemoryPolicy?: string;
  persistenceMode?: string;
  ipAllowList?: IpRange[];
};

export type NewKeyValue = KeyValuePatch & {
  name: string;
  ownerId: string;
  plan: string;
  region?: Region;
  environmentId?: string;
};

/** All of it is secret. */
export type KeyValueConnection = { internalConnectionString: string; externalConnectionString: string };

export type EnvGroupSummary = {
  id: string;
  name: string;
  ownerId: string;
  serviceLinks?: Maybe<{ id: string; name: string; type: string }[]>;
  environmentId?: Maybe<string>;
  createdAt?: Maybe<string>;
  updatedAt?: Maybe<string>;
};
/** Only reading one group gives its variables; the list lacks them. */
export type EnvGroup = EnvGroupSummary & { envVars?: Maybe<EnvVar[]>; secretFiles?: Maybe<SecretFile[]> };

export type NewEnvGroup = {
  name: string;
  ownerId: string;
  envVars: EnvVarInput[];
  secretFiles?: SecretFile[];
  serviceIds?: string[];
  environmentId?: string;
};

export type Disk = { id: string; name: string; sizeGB: number; mountPath: string; serviceId?: Maybe<string> };
export type DiskPatch = { name?: string; sizeGB?: number; mountPath?: string };
export type NewDisk = { name: string; sizeGB: number; mountPath: string; serviceId: string };

export type Project = { id: string; name: string; owner?: Maybe<{ id: string }>; environmentIds?: Maybe<string[]> };
export type NewEnvironment = {
  name: string;
  protectedStatus?: "protected" | "unprotected";
  networkIsolationEnabled?: boolean;
  ipAllowList?: IpRange[];
};
export type NewProject = { name: string; ownerId: string; environments: NewEnvironment[] };

export type Environment = {
  id: string;
  name: string;
  projectId: string;
  serviceIds?: Maybe<string[]>;
  databasesIds?: Maybe<string[]>;
  redisIds?: Maybe<string[]>;
  envGroupIds?: Maybe<string[]>;
  protectedStatus?: Maybe<"protected" | "unprotected">;
  networkIsolationEnabled?: Maybe<boolean>;
  ipAllowList?: Maybe<IpRange[]>;
};

export type RegistryCredential = { id: string; name: string };
