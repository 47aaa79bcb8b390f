/*
 * What Render's API gives and takes, as far as a fleet needs it; the names are Render's own. What is given is read
 * leniently: a member that Render leaves out or sends as null is optional here. What is taken is written strictly, and
 * tests hold every request against Render's OpenAPI document.
 */

export type ServiceType = "static_site" | "web_service" | "private_service" | "background_worker" | "cron_job";
export type Runtime = "docker" | "elixir" | "go" | "node" | "python" | "ruby" | "rust" | "image";
export type Region = "frankfurt" | "oregon" | "ohio" | "singapore" | "virginia";
export type AutoDeployTrigger = "commit" | "off" | "checksPass";
export type Suspension = "suspended" | "not_suspended";

/** A member that Render may leave out, or send as null. */
type Maybe<T> = T | null | undefined;

export type Owner = { id: string; name: string; email?: Maybe<string>; type?: Maybe<"user" | "team"> };

/** Who did something in a workspace; `metadata` names what it was done to. */
export type AuditEntry = {
  id: string;
  timestamp: string;
  event: string;
  status: string;
  actor: { type: string; email?: Maybe<string>; id?: Maybe<string> };
  metadata?: Maybe<Record<string, string>>;
};

export type BuildFilter = { paths: string[]; ignoredPaths: string[] };
export type IpRange = { cidrBlock: string; description: string };
export type MaintenanceMode = { enabled: boolean; uri: string };
export type Percentage = { enabled: boolean; percentage: number };
export type Autoscaling = {
  enabled: boolean;
  min: number;
  max: number;
  criteria: { cpu: Percentage; memory: Percentage };
};

/** How a native runtime, or a Dockerfile or image, is built and started. `preDeployCommand` is only read here. */
export type BuildDetails = {
  buildCommand?: Maybe<string>;
  startCommand?: Maybe<string>;
  dockerCommand?: Maybe<string>;
  dockerContext?: Maybe<string>;
  dockerfilePath?: Maybe<string>;
  preDeployCommand?: Maybe<string>;
  registryCredential?: Maybe<{ id: string; name: string }>;
};

/** The details of all five types in one: those that a type lacks are absent. */
export type ServiceDetails = {
  url?: Maybe<string>;
  buildCommand?: Maybe<string>;
  publishPath?: Maybe<string>;
  plan?: Maybe<string>;
  region?: Maybe<Region>;
  runtime?: Maybe<Runtime>;
  envSpecificDetails?: Maybe<BuildDetails>;
  healthCheckPath?: Maybe<string>;
  preDeployCommand?: Maybe<string>;
  schedule?: Maybe<string>;
  numInstances?: Maybe<number>;
  autoscaling?: Maybe<Autoscaling>;
  disk?: Maybe<{ id: string; name: string; sizeGB: number; mountPath: string }>;
  openPorts?: Maybe<{ port: number; protocol: string }[]>;
  ipAllowList?: Maybe<IpRange[]>;
  maintenanceMode?: Maybe<MaintenanceMode>;
  maxShutdownDelaySeconds?: Maybe<number>;
  previews?: Maybe<{ generation?: Maybe<string> }>;
  renderSubdomainPolicy?: Maybe<"enabled" | "disabled">;
};

export type Service = {
  id: string;
  name: string;
  slug: string;
  type: ServiceType;
  ownerId: string;
  repo?: Maybe<string>;
  branch?: Maybe<string>;
  rootDir?: Maybe<string>;
  imagePath?: Maybe<string>;
  registryCredential?: Maybe<{ id: string; name: string }>;
  autoDeploy?: Maybe<"yes" | "no">;
  autoDeployTrigger?: Maybe<AutoDeployTrigger>;
  buildFilter?: Maybe<BuildFilter>;
  environmentId?: Maybe<string>;
  dashboardUrl?: Maybe<string>;
  suspended: Suspension;
  suspenders?: Maybe<string[]>;
  createdAt: string;
  updatedAt: string;
  serviceDetails?: Maybe<ServiceDetails>;
};

export type EnvVar = { key: string; value: string };
export type EnvValue = { value: string } | { generateValue: true };
export type EnvVarInput = { key: string } & EnvValue;
export type SecretFile = { name: string; content: string };

export type Image = { ownerId: string; imagePath: string; registryCredentialId?: string };

type BuildDetailsInput = {
  buildCommand?: string;
  startCommand?: string;
  dockerCommand?: string;
  dockerContext?: string;
  dockerfilePath?: string;
  registryCredentialId?: string;
};

/** Details that can be given at the creation and changed later. */
type ChangeableDetails = {
  buildCommand?: string;
  publishPath?: string;
  plan?: string;
  runtime?: Runtime;
  envSpecificDetails?: BuildDetailsInput;
  healthCheckPath?: string;
  preDeployCommand?: string;
  schedule?: string;
  ipAllowList?: IpRange[];
  maintenanceMode?: MaintenanceMode;
  maxShutdownDelaySeconds?: number;
  previews?: { generation: "off" | "manual" | "automatic" };
  renderSubdomainPolicy?: "enabled" | "disabled";
};

type ChangeableService = {
  repo?: string;
  branch?: string;
  rootDir?: string;
  image?: Image;
  autoDeployTrigger?: AutoDeployTrigger;
  /** both null clears it */
  buildFilter?: BuildFilter | { paths: null; ignoredPaths: null };
};

export type NewService = ChangeableService & {
  type: ServiceType;
  name: string;
  ownerId: string;
  envVars?: EnvVarInput[];
  secretFiles?: SecretFile[];
  environmentId?: string;
  serviceDetails?: ChangeableDetails & {
    region?: Region;
    numInstances?: number;
    autoscaling?: Autoscaling;
    disk?: { name: string; mountPath: string; sizeGB?: number };
    routes?: RouteInput[];
    headers?: Header[];
  };
};

/** What a PATCH can change; the rest needs calls of its own (env, routes, headers, scaling, disks) or is fixed. */
export type ServicePatch = ChangeableService & { name?: string; serviceDetails?: ChangeableDetails };

/** In order: the first that fits applies. */
export type RouteInput = { type: "redirect" | "rewrite"; source: string; destination: string };
export type Route = RouteInput & { id: string; priority?: Maybe<number> };
export type Header = { path: string; name: string; value: string };

export type CustomDomain = {
  id: string;
  name: string;
  /** set on the companion that Render adds to an apex or `www` name */
  redirectForName?: Maybe<string>;
  verificationStatus?: Maybe<string>;
};

export type DeployStatus =
  | "created"
  | "queued"
  | "build_in_progress"
  | "pre_deploy_in_progress"
  | "update_in_progress"
  | "live"
  | "deactivated"
  | "build_failed"
  | "pre_deploy_failed"
  | "update_failed"
  | "canceled";

export type Deploy = {
  id: string;
  status: DeployStatus;
  trigger?: Maybe<string>;
  commit?: Maybe<{ id?: Maybe<string>; message?: Maybe<string>; createdAt?: Maybe<string> }>;
  image?: Maybe<{ ref?: Maybe<string>; sha?: Maybe<string> }>;
  createdAt?: Maybe<string>;
  startedAt?: Maybe<string>;
  updatedAt?: Maybe<string>;
  finishedAt?: Maybe<string>;
};

export type DeployInput =
  | { clearCache?: "clear" | "do_not_clear"; commitId?: string; imageUrl?: string }
  | { deployMode: "deploy_only" | "build_and_deploy" };

export type LogLine = { id?: Maybe<string>; timestamp: string; message: string };
export type LogQuery = {
  ownerId: string;
  resource: string;
  type?: "app" | "request" | "build";
  startTime?: string;
  endTime?: string;
  direction?: "forward" | "backward";
  limit?: number;
};
export type LogPage = {
  hasMore: boolean;
  nextStartTime?: Maybe<string>;
  nextEndTime?: Maybe<string>;
  logs: LogLine[];
};

/** `details` differ by type; `details.reason.failure` says why a build or deploy failed. */
export type ServiceEvent = { id: string; timestamp: string; type: string; details?: Maybe<Record<string, unknown>> };
