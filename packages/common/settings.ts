import { createHash } from "node:crypto";
import { type Static, type TObject, type TProperties, type TSchema, Type } from "typebox";
import type { ConfigReport } from "./contracts/service.ts";
import { buildAjv, toMessage, withoutIds } from "./validate.ts";

export type Env = Record<string, string | undefined>;

/** The settings of one service: the names of the properties are the environment's keys. */
export type SettingsSchema<P extends TProperties = TProperties> = { service: string; schema: TObject<P> };

export type SettingProblem = { key: string; message: string };

/** Names every bad key and what is expected of it; holds no value, because it goes to the terminal and the log. */
export class ConfigError extends Error {
  readonly problems: SettingProblem[];

  constructor(service: string, problems: SettingProblem[]) {
    super(`${service}: ${problems.map(({ key, message }) => `${key} ${message}`).join("; ")}`);
    this.name = "ConfigError";
    this.problems = problems;
  }
}

/**
 * Declares what a service demands. A key with a `default` may be left out and always has a value; one in
 * `Type.Optional` may stay without one; every other is required. Secrets are `writeOnly`.
 */
export function defineSettings<P extends TProperties>(service: string, properties: P): SettingsSchema<P> {
  return { service, schema: Type.Object(properties, { additionalProperties: false }) };
}

const ajv = buildAjv({ allErrors: true });

/**
 * The settings from the environment: texts become what the schema says, defaults are filled in. An empty text counts
 * as not set, because that is what `KEY=` in an env file means.
 *
 * @throws ConfigError naming every bad key
 */
export function ensureConfig<P extends TProperties>(settings: SettingsSchema<P>, env: Env): Static<TObject<P>> {
  const { values, problems } = readSettings(settings, env);
  if (problems.size > 0) {
    throw new ConfigError(
      settings.service,
      [...problems].map(([key, { message }]) => ({ key, message })),
    );
  }
  return values as Static<TObject<P>>;
}

/** What `/config/validate` answers; computed from the same reading as `ensureConfig`. */
export function buildConfigReport<P extends TProperties>(settings: SettingsSchema<P>, env: Env): ConfigReport {
  const { problems } = readSettings(settings, env);
  const entries = Object.entries(settings.schema.properties).map(([key, property]) => {
    const problem = problems.get(key);
    return {
      key,
      status: problem?.status ?? statusOf(property, env[key]),
      required: isRequired(settings, key),
      secret: isSecret(property),
      ...(problem && { message: problem.message }),
    };
  });
  return {
    service: settings.service,
    ok: problems.size === 0,
    schemaHash: schemaHash(settings),
    settings: entries,
  };
}

/** sha256 of the schema as canonical JSON: equal on two machines exactly when they demand the same. */
export function schemaHash(settings: SettingsSchema): string {
  return createHash("sha256")
    .update(canonical(withoutIds(settings.schema)))
    .digest("hex");
}

export function isSecret(property: TSchema): boolean {
  return memberOf(property, "writeOnly") === true;
}

export function defaultOf(property: TSchema): unknown {
  return memberOf(property, "default");
}

/** Must be given: neither optional nor with a default. */
export function isRequired(settings: SettingsSchema, key: string): boolean {
  const { schema } = settings;
  const property = schema.properties[key];
  const isListed = Array.isArray(schema.required) && schema.required.includes(key);
  return isListed && property !== undefined && defaultOf(property) === undefined;
}

type Problem = { status: "missing" | "invalid"; message: string };

function readSettings(settings: SettingsSchema, env: Env): { values: unknown; problems: Map<string, Problem> } {
  const values: Record<string, unknown> = {};
  const problems = new Map<string, Problem>();
  for (const [key, property] of Object.entries(settings.schema.properties)) {
    const text = env[key];
    const value = isSet(text) ? fromText(text, property) : structuredClone(defaultOf(property));
    if (value !== undefined) values[key] = value;
    else if (isRequired(settings, key)) problems.set(key, { status: "missing", message: "is required but not set" });
  }
  for (const [key, message] of judge(settings, values)) {
    if (!problems.has(key)) problems.set(key, { status: "invalid", message });
  }
  return { values, problems };
}

function judge({ schema }: SettingsSchema, values: unknown): Map<string, string> {
  const validate = ajv.compile(withoutIds(schema));
  const found = new Map<string, string>();
  if (validate(values)) return found;
  for (const error of validate.errors ?? []) {
    const [, key] = error.instancePath.split("/");
    if (key === undefined || found.has(key)) continue;
    const title = memberOf(schema.properties[key], "title");
    // A pattern explains nothing to a person; the title says what is wanted.
    const isShape = error.keyword === "pattern" || error.keyword === "format";
    found.set(key, isShape && title ? `must be ${String(title)}` : toMessage(error));
  }
  return found;
}

function statusOf(property: TSchema, text: string | undefined): "set" | "default" | "missing" {
  if (isSet(text)) return "set";
  return defaultOf(property) === undefined ? "missing" : "default";
}

function isSet(text: string | undefined): text is string {
  return text !== undefined && text !== "";
}

/** What is not the text of the type stays as it is, and the schema refuses it. */
function fromText(text: string, property: TSchema): unknown {
  const trimmed = text.trim();
  switch (memberOf(property, "type")) {
    case "integer":
    case "number":
      return /^-?\d+(\.\d+)?$/.test(trimmed) ? Number(trimmed) : text;
    case "boolean":
      return booleans.get(trimmed.toLowerCase()) ?? text;
    case "array":
      return trimmed
        .split(",")
        .map((item) => item.trim())
        .filter((item) => item !== "");
    default:
      return text;
  }
}

const booleans = new Map([
  ["true", true],
  ["1", true],
  ["yes", true],
  ["false", false],
  ["0", false],
  ["no", false],
]);

function memberOf(schema: TSchema | undefined, member: string): unknown {
  return (schema as Record<string, unknown> | undefined)?.[member];
}

/** JSON with sorted keys and without space. */
function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`;
  if (value === null || typeof value !== "object") return JSON.stringify(value);
  const members = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${members.map(([key, member]) => `${JSON.stringify(key)}:${canonical(member)}`).join(",")}}`;
}

/** An origin with a path or none; what would be lost or told to others on the way (name, query, fragment) is no part of it. */
export const httpUrl = "^https?://[^\\s/?#@]+(?:/[^\\s?#]*)?$";

/** A header cannot carry anything else, and spaces at its ends would be lost on the way. */
export const headerSafe = "^[\\x21-\\x7e]+$";

/** @param fallback the port of the service on a machine where nothing else is said */
export function portSetting(fallback: number) {
  return Type.Integer({
    title: "Port",
    description: "Port to listen on; 0 lets the system pick one",
    minimum: 0,
    maximum: 65_535,
    default: fallback,
  });
}

/** Settings that several services share; each service takes only those that it uses. */
export const serviceSettings = {
  PORT: portSetting(0),
  HOST: Type.String({
    title: "Host",
    description: "Address to listen on; in containers 0.0.0.0",
    minLength: 1,
    default: "127.0.0.1",
  }),
  PUBLIC_URL: Type.Optional(
    Type.String({
      title: "an http(s) URL",
      description: "Where others reach this service, without a slash at the end; default: http://HOST:PORT",
      format: "uri",
      pattern: httpUrl,
    }),
  ),
  ORCHESTRATOR_URL: Type.String({
    title: "an http(s) URL",
    description: "Address of the orchestrator",
    format: "uri",
    pattern: httpUrl,
    default: "http://127.0.0.1:4000",
  }),
  LOGGING_URL: Type.String({
    title: "an http(s) URL",
    description: "Address of the logging service",
    format: "uri",
    pattern: httpUrl,
    default: "http://127.0.0.1:4001",
  }),
  DATABASE_URL: Type.String({
    title: "a postgres:// URL",
    description: "The one PostgreSQL (15 or later) of the fleet",
    pattern: "^postgres(ql)?://",
    writeOnly: true,
  }),
  BASIC_AUTH_USER: Type.String({
    title: "a name without a colon",
    description: "User name of the person who runs the fleet (HTTP Basic)",
    minLength: 1,
    pattern: "^[^:]+$",
  }),
  BASIC_AUTH_PASS: Type.String({
    title: "Password",
    description: "Password of the person who runs the fleet (HTTP Basic), at least 8 characters",
    minLength: 8,
    writeOnly: true,
  }),
  INTERNAL_KEY: Type.String({
    title: "printable ASCII without spaces",
    description: "Key that services show each other (X-INTERNAL-KEY), at least 8 characters without spaces",
    minLength: 8,
    pattern: headerSafe,
    writeOnly: true,
  }),
  INTERNAL_KEY_PREVIOUS: Type.Optional(
    Type.String({
      title: "printable ASCII without spaces",
      description: "The key before, still accepted while the services are given the new one",
      minLength: 8,
      pattern: headerSafe,
      writeOnly: true,
    }),
  ),
  WS_ALLOWED_ORIGINS: Type.Array(Type.String({ pattern: "^https?://[^\\s/?#@*]+$" }), {
    title: "origins such as https://dashboard.example, without a path, separated by commas",
    description: "Web pages that may call this service (CORS and WebSocket): exact origins, separated by commas",
    default: [],
  }),
  LOG_LEVEL: Type.Enum(["trace", "debug", "info", "warn", "error", "fatal"], {
    title: "Log level",
    description: "Least important level that is logged",
    default: "info",
  }),
  LOG_FORMAT: Type.Enum(["json", "pretty"], {
    title: "Log format",
    description: "Lines on stdout: json for machines, pretty for people",
    default: "json",
  }),
  LOG_REDACT_KEYS: Type.Optional(
    Type.Array(Type.String({ pattern: "[\\p{L}\\p{N}]", maxLength: 100 }), {
      title: "names of keys, separated by commas",
      description:
        "Keys whose values are hidden in the log besides the usual ones (password, token, …), in any case and joining, separated by commas",
    }),
  ),
  LOG_REDACT_PATTERNS: Type.Optional(
    Type.Array(Type.String({ pattern: "^[^*]{3,100}\\*?$" }), {
      title: "patterns of at least three characters, with * at the end only, separated by commas",
      description:
        "Shapes of values that are hidden in the log besides the usual ones, separated by commas: * at the end is the rest of a token, ? one character of it, # a digit (acme_*, ####-####)",
    }),
  ),
  OTEL_EXPORTER_OTLP_ENDPOINT: Type.Optional(
    Type.String({
      title: "an http(s) URL",
      description:
        "Base address of an OpenTelemetry collector that is sent the traces (OTLP/HTTP, JSON); default: none is",
      format: "uri",
      pattern: httpUrl,
    }),
  ),
  OTEL_EXPORTER_OTLP_HEADERS: Type.Optional(
    Type.String({
      title: "name=value, separated by commas",
      description: "Headers that the collector wants, such as its key: name=value, separated by commas",
      pattern: "^[^=,]+=[^,]*(?:,[^=,]+=[^,]*)*$",
      writeOnly: true,
    }),
  ),
  SPOOL_DIR: Type.Optional(
    Type.String({
      title: "Spool folder",
      description: "Folder that keeps log records while the logging service is away; default: they wait in memory",
      minLength: 1,
    }),
  ),
  RUN_ID: Type.Optional(
    Type.String({
      title: "Run id",
      description: "Names this run of the process in its log records; default: drawn at start",
      minLength: 1,
      maxLength: 200,
    }),
  ),
};
