import { randomBytes } from "node:crypto";
import type { BuildOutcome, BuildScript, Repo } from "./builds.ts";
import type { Fault } from "./faults.ts";
import type { Spending } from "./limits.ts";

/** JSON as it goes over the wire. */
export type Json = Record<string, unknown>;

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
  trigger: string;
  commit: { id: string; message: string; createdAt: string } | null;
  imageRef: string | null;
  createdAtMs: number;
  updatedAtMs: number;
  finishedAtMs: number | null;
  /** Decided when it begins, by the settings of that moment. */
  outcome: BuildOutcome;
  isRollback: boolean;
  clearCache: boolean;
  hasLogged: boolean;
};

export type LogRow = { id: string; atMs: number; message: string; type: "build" | "app" };

export type Service = {
  id: string;
  name: string;
  slug: string;
  type: string;
  ownerId: string;
  repo: string | null;
  branch: string | null;
  rootDir: string;
  imagePath: string | null;
  registryCredentialId: string | null;
  autoDeployTrigger: string;
  buildFilter: Json | null;
  environmentId: string | null;
  isSuspended: boolean;
  createdAt: string;
  updatedAt: string;
  /** as they are read */
  details: Json;
  envVars: Map<string, string>;
  secretFiles: Map<string, string>;
  routes: Json[];
  headers: Json[];
  domains: Json[];
  /** newest first, as are all lists here */
  deploys: Deploy[];
  events: Json[];
  logs: LogRow[];
};

export type Store = Json & {
  id: string;
  name: string;
  ownerId: string;
  createdAtMs: number;
  /** what `connection-info` shows once it is available */
  connection: Json;
};

export type EnvGroup = {
  id: string;
  name: string;
  ownerId: string;
  environmentId: string | null;
  createdAt: string;
  updatedAt: string;
  envVars: Map<string, string>;
  secretFiles: Map<string, string>;
  serviceIds: Set<string>;
};

export type SeenRequest = {
  method: string;
  path: string;
  /** of Render's document; null when there is none */
  operation: string | null;
  query: Record<string, string>;
  body: unknown;
  status: number | null;
  /** changed something */
  isWrite: boolean;
};

export type Options = {
  token: string;
  /** How long a deploy or a new database stays in each of its states, in ms. */
  stageMs: number;
  /** Whether calls beyond Render's limits are refused. */
  hasLimits: boolean;
};

export type State = Options & {
  /** how far its clock is ahead of the machine's */
  aheadMs: number;
  owners: Json[];
  services: Service[];
  postgres: Store[];
  keyValues: Store[];
  groups: EnvGroup[];
  projects: Json[];
  environments: Json[];
  credentials: Json[];
  /** who did what in the workspace */
  audit: Json[];
  repos: Map<string, Repo>;
  scripts: BuildScript[];
  /** The next deploys that are asked for are queued and answered 202 without a body. */
  queueNext: number;
  requests: SeenRequest[];
  faults: Fault[];
  spending: Map<string, Spending>;
};

const firstOwnerId = "tea-cjnxpkdhshc73d12t9i0";

export function newState(options: Options): State {
  return {
    ...options,
    aheadMs: 0,
    owners: [newOwner(firstOwnerId, "Acme", "team")],
    services: [],
    postgres: [],
    keyValues: [],
    groups: [],
    projects: [],
    environments: [],
    credentials: [],
    audit: [],
    repos: new Map(),
    scripts: [],
    queueNext: 0,
    requests: [],
    faults: [],
    spending: new Map(),
  };
}

export function newOwner(id: string, name: string, type: "team" | "user"): Json {
  return { id, name, email: `${name.toLowerCase().replaceAll(/\W/g, "-")}@example.com`, type };
}

/** Why a call is refused, as Render says it: `{"id","message"}`. */
export class Refusal extends Error {
  readonly status: number;
  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

const alphabet = "0123456789abcdefghijklmnopqrstuv";

/** Like Render's: a prefix and twenty of base32's characters. */
export function newId(prefix: string): string {
  return `${prefix}-${[...randomBytes(20)].map((byte) => alphabet[byte % 32]).join("")}`;
}

export function nowMs(state: State): number {
  return Date.now() + state.aheadMs;
}

export function toTime(ms: number): string {
  return new Date(ms).toISOString();
}

export function now(state: State): string {
  return toTime(nowMs(state));
}

/** @throws Refusal 404 */
export function getById<T extends { id: string }>(rows: readonly T[], id: string | undefined, what: string): T {
  const row = rows.find((one) => one.id === id);
  if (!row) throw new Refusal(404, `not found: ${what} ${id}`);
  return row;
}

/** @throws Refusal 404 */
export function ensureOwner(state: State, id: unknown): string {
  if (state.owners.some((owner) => owner.id === id)) return String(id);
  throw new Refusal(404, `not found: owner ${String(id)}`);
}

export function isObject(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
