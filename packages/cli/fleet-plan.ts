import { join } from "node:path";
import type { ServicePlan } from "./child.ts";
import { compileCacheFolder, loggingFlags, loggingMemory, serviceFlags, serviceMemory } from "./compile-cache.ts";
import { findText } from "./home.ts";
import { localUrl } from "./ports.ts";

/*
 * What a fleet consists of: every service in the generated schema of all settings, on the port that it declares (which is
 * its place after the base). It gets its own settings and nothing of another's, and is off, with the reason, while a
 * required one is missing. A new service is a folder and `pnpm generate`; nothing here knows its name.
 */

export type Role = "orchestrator" | "logging" | "agent";
export type FleetService = { name: string; portOffset: number; role: Role };

/** Which settings a service declares. */
type Declared = { keys: string[]; required: string[]; port: number | null };
type Schemas = ReadonlyMap<string, Declared>;

/** The base that the declared ports count from. */
const declaredBase = 4_000;

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

export async function planFleet(options: PlanOptions): Promise<PlannedService[]> {
  const schemas = await readSchemas(options.repository);
  const services = toServices(schemas);
  return withFurther(services, options.orchestrators).map((service) => planService(service, schemas, options));
}

/** Every service with its port, the further orchestrators after the first. */
export async function listServices(repository: string, orchestrators: number): Promise<FleetService[]> {
  return withFurther(toServices(await readSchemas(repository)), orchestrators);
}

/** The programs of a fleet, each once. */
export async function listPrograms(repository: string): Promise<string[]> {
  return toServices(await readSchemas(repository)).map(({ name }) => programOf(repository, name));
}

function toServices(schemas: Schemas): FleetService[] {
  const services: FleetService[] = [];
  for (const [name, { port }] of schemas) {
    if (port !== null) services.push({ name, portOffset: port - declaredBase, role: toRole(name) });
  }
  return services.sort((a, b) => a.portOffset - b.portOffset);
}

function toRole(name: string): Role {
  return name === "orchestrator" || name === "logging" ? name : "agent";
}

function withFurther(services: FleetService[], orchestrators: number): (FleetService & { program: string })[] {
  const further = Array.from({ length: orchestrators - 1 }, (_, index) => ({
    name: `orchestrator-${index + 2}`,
    program: "orchestrator",
    portOffset: furtherOrchestratorOffset + index + 2,
    role: "orchestrator" as const,
  }));
  return services.flatMap((service) => {
    const own = { ...service, program: service.name };
    return service.role === "orchestrator" ? [own, ...further] : [own];
  });
}

function programOf(repository: string, name: string): string {
  return join(repository, "services", name, "main.ts");
}

function planService(
  { name, program, portOffset, role }: FleetService & { program: string },
  schemas: Schemas,
  options: PlanOptions,
): PlannedService {
  const port = options.portBase + portOffset;
  const known = { ...options.values, ...addressSettings(port, schemas, options) };
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
    ...(role === "logging" ? loggingMemory : serviceMemory),
    ...own,
  };
  const flags = role === "logging" ? loggingFlags : serviceFlags;
  return { kind: "run", name, role, port, plan: { name, main, url: localUrl(port), env, flags } };
}

/** What the supervisor alone knows: who listens where. These win over every source. */
function addressSettings(port: number, schemas: Schemas, options: PlanOptions): Record<string, string> {
  const { portBase, dashboardPort, values } = options;
  const at = (name: Role) => portBase + (schemas.get(name)?.port ?? declaredBase) - declaredBase;
  const ownOrigins = `http://127.0.0.1:${dashboardPort},http://localhost:${dashboardPort}`;
  return {
    HOST: "127.0.0.1",
    PORT: String(port),
    PUBLIC_URL: localUrl(port),
    ORCHESTRATOR_URL: localUrl(at("orchestrator")),
    LOGGING_URL: localUrl(at("logging")),
    DATABASE_URL: options.databaseUrl,
    WS_ALLOWED_ORIGINS: values.WS_ALLOWED_ORIGINS ?? ownOrigins,
    // Whoever tries subscriptions on one machine has the receiver there too.
    SUBSCRIPTIONS_ALLOW_PRIVATE: values.SUBSCRIPTIONS_ALLOW_PRIVATE ?? "true",
    SPOOL_DIR: join(options.home, "spool"),
  };
}

/** What a process needs from its surroundings whatever it does. */
const surroundings = ["PATH", "HOME", "TMPDIR", "TZ", "LANG", "SystemRoot", "NODE_OPTIONS", "NODE_EXTRA_CA_CERTS"];

function passedOn(values: Record<string, string>): Record<string, string> {
  return Object.fromEntries(surroundings.flatMap((key) => (values[key] ? [[key, values[key]]] : [])));
}

async function readSchemas(repository: string): Promise<Schemas> {
  const text = await findText(join(repository, "infra", "config.schema.json"));
  const { $defs = {} } = JSON.parse(text ?? "{}") as { $defs?: Record<string, unknown> };
  return new Map(Object.entries($defs).map(([name, schema]) => [name, toDeclared(schema)]));
}

type Properties = Record<string, { default?: unknown } | undefined>;

function toDeclared(schema: unknown): Declared {
  const { properties = {}, required = [] } = schema as { properties?: Properties; required?: string[] };
  const port = properties.PORT?.default;
  return {
    keys: Object.keys(properties),
    required: required.filter((key) => properties[key]?.default === undefined),
    port: typeof port === "number" ? port : null,
  };
}
