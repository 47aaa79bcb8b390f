import type * as stores from "../render-resources.ts";
import type * as shapes from "../render-shapes.ts";

/*
 * Render's API as the rest of the service knows it. Lists are whole: all pages, in Render's order. Every call may throw
 * RenderError (render-error.ts), whose message is safe to show: it never holds the token or a value that was sent.
 */

export type OwnerCalls = {
  list(): Promise<shapes.Owner[]>;
  /** The newest hundred. Not every plan of Render's has them: a refusal then. */
  listAudit(ownerId: string): Promise<shapes.AuditEntry[]>;
};

export type ServiceCalls = {
  /** Previews are left out. Render's own match of `name` may be loose: compare it again. */
  list(filter?: { name?: string; type?: shapes.ServiceType; ownerId?: string }): Promise<shapes.Service[]>;
  get(id: string): Promise<shapes.Service>;
  /** A first deploy starts at once. */
  create(service: shapes.NewService): Promise<{ service: shapes.Service; deployId: string | null }>;
  /** No deploy follows. */
  update(id: string, patch: shapes.ServicePatch): Promise<shapes.Service>;
  remove(id: string): Promise<void>;
  suspend(id: string): Promise<void>;
  resume(id: string): Promise<void>;
  scale(id: string, numInstances: number): Promise<void>;
  setAutoscaling(id: string, autoscaling: shapes.Autoscaling): Promise<void>;
  removeAutoscaling(id: string): Promise<void>;
  listRoutes(id: string): Promise<shapes.Route[]>;
  replaceRoutes(id: string, routes: shapes.RouteInput[]): Promise<void>;
  listHeaders(id: string): Promise<(shapes.Header & { id: string })[]>;
  replaceHeaders(id: string, headers: shapes.Header[]): Promise<void>;
  listDomains(id: string): Promise<shapes.CustomDomain[]>;
  addDomain(id: string, name: string): Promise<void>;
  removeDomain(id: string, nameOrId: string): Promise<void>;
};

export type EnvCalls = {
  /** In clear text: hash at once, never log. Variables of linked groups are not among them. */
  list(serviceId: string): Promise<shapes.EnvVar[]>;
  /** Null when the service has no such variable. */
  find(serviceId: string, key: string): Promise<shapes.EnvVar | null>;
  set(serviceId: string, key: string, value: shapes.EnvValue): Promise<void>;
  /** What is gone already is no error. */
  remove(serviceId: string, key: string): Promise<void>;
  /** Replaces ALL variables. */
  replaceAll(serviceId: string, vars: shapes.EnvVarInput[]): Promise<void>;
  listFiles(serviceId: string): Promise<shapes.SecretFile[]>;
  setFile(serviceId: string, file: shapes.SecretFile): Promise<void>;
  removeFile(serviceId: string, name: string): Promise<void>;
};

export type DeployCalls = {
  /** One page, newest first; `next` is null at the end. */
  page(
    serviceId: string,
    page?: { limit?: number; cursor?: string },
  ): Promise<{ items: shapes.Deploy[]; next: string | null }>;
  get(serviceId: string, deployId: string): Promise<shapes.Deploy>;
  /** Null when Render queued it without saying its id: it is then the newest with trigger `api`. */
  create(serviceId: string, deploy?: shapes.DeployInput): Promise<shapes.Deploy | null>;
  cancel(serviceId: string, deployId: string): Promise<shapes.Deploy>;
  rollback(serviceId: string, deployId: string): Promise<shapes.Deploy>;
  /** Newest first, one page of at most 100. */
  listEvents(serviceId: string, range?: { startTime?: string; endTime?: string }): Promise<shapes.ServiceEvent[]>;
  /** One page; Render's window is the last hour unless times are given. */
  readLogs(query: shapes.LogQuery): Promise<shapes.LogPage>;
};

export type StoreCalls = {
  listPostgres(filter?: { name?: string; ownerId?: string }): Promise<stores.Postgres[]>;
  getPostgres(id: string): Promise<stores.Postgres>;
  createPostgres(postgres: stores.NewPostgres): Promise<stores.Postgres>;
  updatePostgres(id: string, patch: stores.PostgresPatch): Promise<stores.Postgres>;
  connectPostgres(id: string): Promise<stores.PostgresConnection>;
  listKeyValue(filter?: { name?: string; ownerId?: string }): Promise<stores.KeyValue[]>;
  getKeyValue(id: string): Promise<stores.KeyValue>;
  createKeyValue(keyValue: stores.NewKeyValue): Promise<stores.KeyValue>;
  updateKeyValue(id: string, patch: stores.KeyValuePatch): Promise<stores.KeyValue>;
  connectKeyValue(id: string): Promise<stores.KeyValueConnection>;
};

export type GroupCalls = {
  /** Without variables: read each group for those. */
  list(filter?: { name?: string; ownerId?: string }): Promise<stores.EnvGroupSummary[]>;
  get(id: string): Promise<stores.EnvGroup>;
  create(group: stores.NewEnvGroup): Promise<stores.EnvGroup>;
  rename(id: string, name: string): Promise<void>;
  remove(id: string): Promise<void>;
  setVar(id: string, key: string, value: shapes.EnvValue): Promise<void>;
  removeVar(id: string, key: string): Promise<void>;
  setFile(id: string, file: shapes.SecretFile): Promise<void>;
  removeFile(id: string, name: string): Promise<void>;
  /** Leaves other links as they are. */
  link(id: string, serviceId: string): Promise<void>;
  unlink(id: string, serviceId: string): Promise<void>;
};

export type PlaceCalls = {
  listDisks(filter?: { serviceId?: string; ownerId?: string }): Promise<stores.Disk[]>;
  addDisk(disk: stores.NewDisk): Promise<stores.Disk>;
  updateDisk(id: string, patch: stores.DiskPatch): Promise<stores.Disk>;
  listProjects(filter?: { name?: string; ownerId?: string }): Promise<stores.Project[]>;
  createProject(project: stores.NewProject): Promise<stores.Project>;
  listEnvironments(projectId: string): Promise<stores.Environment[]>;
  createEnvironment(environment: stores.NewEnvironment & { projectId: string }): Promise<stores.Environment>;
  updateEnvironment(id: string, patch: Partial<stores.NewEnvironment>): Promise<stores.Environment>;
  addToEnvironment(id: string, resourceIds: string[]): Promise<void>;
  listRegistryCredentials(filter?: { name?: string; ownerId?: string }): Promise<stores.RegistryCredential[]>;
};

export type RenderApi = {
  owners: OwnerCalls;
  services: ServiceCalls;
  env: EnvCalls;
  deploys: DeployCalls;
  stores: StoreCalls;
  groups: GroupCalls;
  places: PlaceCalls;
};

/** One write that Render carried out, or may have carried out; for the audit. Holds no value that was sent. */
export type RenderWrite = {
  operation: string;
  method: string;
  path: string;
  /** null: the connection was lost before the answer */
  status: number | null;
};

/** Calls made for one piece of work. */
export type Work = {
  signal: AbortSignal;
  /** Awaited after each write, before the call returns. */
  onWrite?(write: RenderWrite): Promise<void>;
  /** How long one call may wait for rate limits and new attempts, in ms, before it fails as retryable; default 25 s. */
  patienceMs?: number;
};

export type RenderClient = {
  /** The API for one piece of work: its calls end when the signal aborts, and its writes are told. */
  during(work: Work): RenderApi;
  close(): Promise<void>;
};
