import { join } from "node:path";
import type { ServicePlan } from "./child.ts";
import { compileCacheFolder, serviceMemory } from "./compile-cache.ts";
import { findText } from "./home.ts";
import { localUrl } from "./ports.ts";

/*
 * What a fleet consists of. A new service is one line in `fleetServices`: where it listens and what it does for others.
 * Which settings it takes, and which it cannot do without, is read from the generated schema, so that a service gets
 * nothing of another's and is off, with the reason, while a required setting is missing.
 */

export type Role = "orchestrator" | "logging" | "agent";
export type FleetService = { name: string; portOffset: number; role: Role };

export const fleetServices: readonly FleetService[] = [
  { name: "orchestrator", portOffset: 0, role: "orchestrator" },
  { name: "logging", portOffset: 1, role: "logging" },
  { name: "echo-agent", portOffset: 2, role: "agent" },
];

/** Further orchestrators listen on +41, +42, …; no service of the contract lives there. */
const furtherOrchestratorOffset = 39;
export const mostOrchestrators = 10;

export type PlannedService = { name: string; role: Role; port: number } & (
  | { kind: "run"; plan: ServicePlan }
  | { kind: "off"; reason: string }
);

export type PlanOptions = {
  repository: string;
  home: string;
  portBase: number;
  orchestrators: number;
  dashboardPort: number;
  /** Settings by key, all sources merged. */
  values: Record<string, string>;
  databaseUrl: string;
};

/** Which settings a service declares; null while its schema is not generated. */
type Declared = { keys: string[]; required: string[] };

export async function planFleet(options: PlanOptions): Promise<PlannedService[]> {
  const schemas = await readSchemas(options.repository);
  return listServices(options.orchestrators).map((service) => planService(service, schemas, options));
}

/** Every service with its port, the further orchestrators after the first. */
export function listServices(orchestrators: number): (FleetService & { program: string })[] {
  const services = fleetServices.map((service) => ({ ...service, program: service.name }));
  const further = Array.from({ length: orchestrators - 1 }, (_, index) => ({
    name: `orchestrator-${index + 2}`,
    program: "orchestrator",
    portOffset: furtherOrchestratorOffset + index + 2,
    role: "orchestrator" as const,
  }));
  return services.flatMap((service) => (service.role === "orchestrator" ? [service, ...further] : [service]));
}

/** The programs of a fleet, each once. */
export function listPrograms(repository: string): string[] {
  return fleetServices.map(({ name }) => programOf(repository, name));
}

function programOf(repository: string, name: string): string {
  return join(repository, "services", name, "main.ts");
}

function planService(
  { name, program, portOffset, role }: FleetService & { program: string },
  schemas: Map<string, Declared>,
  options: PlanOptions,
): PlannedService {
  const port = options.portBase + portOffset;
  const known = { ...options.values, ...addressSettings(port, options) };
  const declared = schemas.get(program);
  const missing = (declared?.required ?? []).filter((key) => !known[key]);
  if (missing.length > 0) {
    return {
      kind: "off",
      name,
      role,
      port,
      reason: `${missing.join(", ")} ${missing.length > 1 ? "are" : "is"} not set`,
    };
  }
  const keys = declared?.keys ?? Object.keys(known);
  const own = Object.fromEntries(keys.flatMap((key) => (known[key] ? [[key, known[key]]] : [])));
  const main = programOf(options.repository, program);
  const env = {
    ...passedOn(options.values),
    NODE_COMPILE_CACHE: compileCacheFolder(options.repository),
    ...serviceMemory,
    ...own,
  };
  return { kind: "run", name, role, port, plan: { name, main, url: localUrl(port), env } };
}

/** What the supervisor alone knows: who listens where. These win over every source. */
function addressSettings(port: number, options: PlanOptions): Record<string, string> {
  const { portBase, dashboardPort, values } = options;
  const at = (wanted: Role) => portBase + (fleetServices.find(({ role }) => role === wanted)?.portOffset ?? 0);
  const ownOrigins = `http://127.0.0.1:${dashboardPort},http://localhost:${dashboardPort}`;
  return {
    HOST: "127.0.0.1",
    PORT: String(port),
    PUBLIC_URL: localUrl(port),
    ORCHESTRATOR_URL: localUrl(at("orchestrator")),
    LOGGING_URL: localUrl(at("logging")),
    DATABASE_URL: options.databaseUrl,
    WS_ALLOWED_ORIGINS: values.WS_ALLOWED_ORIGINS ?? ownOrigins,
    SPOOL_DIR: join(options.home, "spool"),
  };
}

/** What a process needs from its surroundings whatever it does. */
const surroundings = ["PATH", "HOME", "TMPDIR", "TZ", "LANG", "SystemRoot", "NODE_OPTIONS", "NODE_EXTRA_CA_CERTS"];

function passedOn(values: Record<string, string>): Record<string, string> {
  return Object.fromEntries(surroundings.flatMap((key) => (values[key] ? [[key, values[key]]] : [])));
}

async function readSchemas(repository: string): Promise<Map<string, Declared>> {
  const text = await findText(join(repository, "infra", "config.schema.json"));
  const { $defs = {} } = JSON.parse(text ?? "{}") as { $defs?: Record<string, unknown> };
  return new Map(Object.entries($defs).map(([name, schema]) => [name, toDeclared(schema)]));
}

function toDeclared(schema: unknown): Declared {
  const { properties = {}, required = [] } = schema as { properties?: Record<string, unknown>; required?: string[] };
  const hasDefault = (key: string) => (properties[key] as { default?: unknown } | undefined)?.default !== undefined;
  return { keys: Object.keys(properties), required: required.filter((key) => !hasDefault(key)) };
}
