import { defaultOf, isRequired, isSecret, type SettingsSchema } from "@signalbox/common/settings.ts";

/*
 * The parts of infra/render.blueprint.yaml that repeat what the services' settings declare: the variables of each service,
 * between two marks. Everything else in the file is written by hand. Where a value comes from is decided here, once for a
 * key: of the fleet itself (the database, other services, the shared group), fixed, or by hand (`sync: false`).
 */

export const blueprintPath = "infra/render.blueprint.yaml";

type Source = (service: string) => string[] | null;

const value =
  (text: string): Source =>
  () => [`value: ${text}`];
const addressOf =
  (name: string): Source =>
  () => ["fromService:", "  type: web", `  name: signalbox-${name}`, "  envVarKey: RENDER_EXTERNAL_URL"];

/** Keys that the fleet answers by itself. Null: of this service it is left out. */
const known: Record<string, Source> = {
  // Every address of the machine, inside its container; the port is the one that Render looks for first.
  HOST: value("0.0.0.0"),
  PORT: value('"10000"'),
  PUBLIC_URL: (service) => addressOf(service)(service),
  ORCHESTRATOR_URL: addressOf("orchestrator"),
  LOGGING_URL: addressOf("logging"),
  WS_ALLOWED_ORIGINS: addressOf("dashboard"),
  DATABASE_URL: () => ["fromDatabase:", "  name: signalbox", "  property: connectionString"],
  REDIS_URL: () => ["fromService:", "  type: keyvalue", "  name: signalbox-doorbell", "  property: connectionString"],
  GITHUB_WEBHOOK_SECRET: () => ["generateValue: true"],
  TELEGRAM_INGEST_MODE: value("webhook"),
  TELEGRAM_WEBHOOK_SECRET: () => ["generateValue: true"],
};

/** In the group that all services share. */
const inGroup = new Set([
  ...["BASIC_AUTH_USER", "BASIC_AUTH_PASS", "INTERNAL_KEY", "SECRETS_KEY", "LOG_LEVEL", "LOG_FORMAT"],
]);
/** Optional in their settings, and yet what makes the service worth deploying: a person gives them a value. */
const byHand = new Set(["TELEGRAM_ALLOWED_USER_IDS", "RENDER_OWNER_ID"]);
const group = "signalbox";

/** The list of one service's variables, as YAML items without indentation. */
export function toEnvSection(settings: SettingsSchema): string[] {
  const keys = Object.keys(settings.schema.properties);
  const own = keys.flatMap((key) => toItem(settings, key));
  return keys.some((key) => inGroup.has(key)) ? [...own, `- fromGroup: ${group}`] : own;
}

function toItem(settings: SettingsSchema, key: string): string[] {
  if (inGroup.has(key)) return [];
  const lines = known[key]?.(settings.service) ?? toHandSource(settings, key);
  return lines === null ? [] : [`- key: ${key}`, ...lines.map((line) => `  ${line}`)];
}

/** What has a default needs nothing; what must be given, and nobody here knows, a person gives. */
function toHandSource(settings: SettingsSchema, key: string): string[] | null {
  return isRequired(settings, key) || byHand.has(key) ? ["sync: false"] : null;
}

const begin = (service: string) => `# generated from services/${service}/settings.ts`;
const end = "# end of what is generated";

/** The file with the sections of these services as their settings say. @throws Error when a service has no section */
export function withEnvSections(text: string, declared: readonly SettingsSchema[]): string {
  return declared.reduce((now, settings) => replaceSection(now, settings), text);
}

/** A service that is not deployed with the fleet, such as an example; the file says so itself. */
const leftOut = (service: string) => `# left out: services/${service}`;

/** The file with an entry for a new agent, after the last service that has one. */
export function withNewService(text: string, service: string): string {
  const lines = text.split("\n");
  const at = lines.findLastIndex((line) => line.trim() === end);
  if (at === -1) throw new Error(`${blueprintPath} has no service after which ${service} could stand`);
  return [...lines.slice(0, at + 1), "", ...toNewEntry(service), ...lines.slice(at + 1)].join("\n");
}

function toNewEntry(service: string): string[] {
  const paths = [`services/${service}/**`, "packages/common/**", "infra/**"];
  const shared = ["package.json", "pnpm-lock.yaml", "pnpm-workspace.yaml"];
  const entry = [
    "- type: web",
    `  name: signalbox-${service}`,
    "  runtime: docker",
    "  plan: starter",
    "  region: frankfurt",
    `  dockerfilePath: ./services/${service}/Dockerfile`,
    "  dockerContext: .",
    "  healthCheckPath: /health",
    "  # A service that is told to stop finishes what it has in hand within 25 seconds.",
    "  maxShutdownDelaySeconds: 30",
    "  autoDeployTrigger: commit",
    "  buildFilter:",
    "    paths:",
    ...[...paths, ...shared].map((path) => `      - ${path}`),
    "  envVars:",
    `    ${begin(service)}`,
    `    ${end}`,
  ];
  return entry.map((line) => `  ${line}`);
}

function replaceSection(text: string, settings: SettingsSchema): string {
  const lines = text.split("\n");
  if (lines.some((line) => line.trim() === leftOut(settings.service))) return text;
  const from = lines.findIndex((line) => line.trim() === begin(settings.service));
  const to = lines.findIndex((line, index) => index > from && line.trim() === end);
  if (from === -1 || to === -1) {
    throw new Error(
      `${blueprintPath} has no section for ${settings.service}; add the service with the lines "${begin(settings.service)}" and "${end}" under its envVars, or the line "${leftOut(settings.service)}", see docs/blueprint.md`,
    );
  }
  const indent = /^ */.exec(lines[from] ?? "")?.[0] ?? "";
  const section = toEnvSection(settings).map((line) => `${indent}${line}`);
  return [...lines.slice(0, from + 1), ...section, ...lines.slice(to)].join("\n");
}

/** Secrets that have a default would be in the repository; there is none. */
export function secretsWithDefault({ schema }: SettingsSchema): string[] {
  return Object.entries(schema.properties).flatMap(([key, property]) => {
    const fallback = defaultOf(property);
    const isEmpty = fallback === undefined || (Array.isArray(fallback) && fallback.length === 0);
    return isSecret(property) && !isEmpty ? [key] : [];
  });
}
