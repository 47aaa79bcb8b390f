import { Ajv2020, type ErrorObject, type ValidateFunction } from "ajv/dist/2020.js";
import addFormats from "ajv-formats";
import type { TSchema } from "typebox";
import type { ErrorDetail } from "./errors.ts";

/** Validates a value; null means that it is fine. */
export type Check = (value: unknown, sizeBytes?: number) => ErrorDetail[] | null;

const dateTime = /^\d{4}-\d\d-\d\dT(?:[01]\d|2[0-3]):\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)$/i;

/** As nearly everybody writes it, on a day that every month has: nothing is left to be looked at more closely. */
const plainInstant =
  /^(?!0000)\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|1\d|2[0-8])T(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d{1,9})?Z$/;

/** The first and last instant whose RFC 3339 text has a four-digit year, as every answer must. */
const firstInstant = Date.parse("0001-01-01T00:00:00.000Z");
const lastInstant = Date.parse("9999-12-31T23:59:59.999Z");

/**
 * An RFC 3339 instant that a Date can hold. Stricter than ajv's `date-time`, which lets leap seconds pass that
 * `new Date` answers with Invalid Date; and stricter than `new Date`, which turns February 30 into March.
 */
export function isInstant(text: string): boolean {
  if (plainInstant.test(text)) return true;
  if (!dateTime.test(text)) return false;
  const at = Date.parse(text);
  const day = Number(text.slice(8, 10));
  return (
    at >= firstInstant && at <= lastInstant && day <= daysInMonth(Number(text.slice(0, 4)), Number(text.slice(5, 7)))
  );
}

const instantMessage = "must be an RFC 3339 time such as 2026-01-31T08:00:00.000Z";

function daysInMonth(year: number, month: number): number {
  return new Date(Date.UTC(year, month, 0)).getUTCDate();
}

/**
 * Ajv for JSON Schema 2020-12 with all formats; the one place where its options are chosen.
 *
 * @param options.strict false for schemas that others wrote: keywords that Ajv does not know are then ignored
 */
export function buildAjv(options: { allErrors: boolean; strict?: boolean }): Ajv2020 {
  // No `strictTypes`: a schema may judge the members of objects and let every other JSON pass, as an agent's payload does.
  const strict = options.strict ?? true;
  // What is odd about others' schemas would be printed on the console at every use.
  const logger = strict ? undefined : false;
  const ajv = new Ajv2020({ strict, strictTypes: false, allErrors: options.allErrors, logger });
  addFormats.default(ajv);
  ajv.addFormat("date-time", { type: "string", validate: isInstant });
  // Theirs also lets `urn:uuid:…` pass, which PostgreSQL refuses.
  ajv.addFormat("uuid", /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i);
  return ajv;
}

// An instance costs milliseconds and a megabyte for its meta-schemas, so there is one of each.
const quickAjv = buildAjv({ allErrors: false });
const thoroughAjv = buildAjv({ allErrors: true });

/** All errors are only collected for input of this size: a megabyte of wrong items would collect a million. */
const thoroughBytes = 65_536;

/**
 * Compiles a schema once; the answer validates values without any further work on the schema.
 *
 * @param schema a TypeBox value, or any JSON Schema 2020-12
 */
export function compileCheck(schema: TSchema): Check {
  // The $id names a component of the OpenAPI document. Ajv would take it for an address that must be unique.
  const plain = withoutIds(schema);
  const quick = compileWith(quickAjv, plain);
  let thorough: ValidateFunction | null = null;
  return (value, sizeBytes = 0) => {
    if (quick(value)) return null;
    if (sizeBytes > thoroughBytes) return toProblems(quick.errors);
    thorough ??= compileWith(thoroughAjv, plain);
    thorough(value);
    return toProblems(thorough.errors ?? quick.errors);
  };
}

function compileWith(ajv: Ajv2020, schema: Record<string, unknown>): ValidateFunction {
  const validate = ajv.compile(schema);
  // Ajv remembers every schema it compiled, for ever; this one is held by its caller instead.
  ajv.removeSchema(schema);
  return validate;
}

export function withoutIds(schema: TSchema): Record<string, unknown> {
  // TypeBox keeps what only the compiler needs in hidden members, so a round trip leaves plain JSON Schema.
  return JSON.parse(JSON.stringify(schema), dropSchemaId);
}

/** Only a text is a schema's own `$id`; a property that is called `$id` has a schema. */
function dropSchemaId(key: string, value: unknown): unknown {
  return key === "$id" && typeof value === "string" ? undefined : value;
}

export function toProblems(errors: ErrorObject[] | null | undefined): ErrorDetail[] {
  const problems = new Map<string, ErrorDetail>();
  for (const error of errors ?? []) {
    const problem = { path: toPath(error), message: toMessage(error) };
    const known = problems.get(problem.path);
    // A union complains once for each of its members and once for itself; the first member says the most.
    if (!known || known.message === "must be null") problems.set(problem.path, problem);
  }
  return [...problems.values()];
}

function toPath(error: ErrorObject): string {
  const member = error.params.missingProperty ?? error.params.additionalProperty;
  return typeof member === "string" ? `${error.instancePath}/${escapePointer(member)}` : error.instancePath;
}

/** What is expected, never what was sent: the value may be a secret. */
export function toMessage(error: ErrorObject): string {
  const { params } = error;
  switch (error.keyword) {
    case "required":
      return "is required";
    case "additionalProperties":
    case "unevaluatedProperties":
      return "is not a known member";
    case "enum":
      return `must be one of ${list(params.allowedValues)}`;
    case "const":
      return `must be ${JSON.stringify(params.allowedValue)}`;
    case "format":
      return params.format === "date-time" ? instantMessage : `must be a valid ${String(params.format)}`;
    default:
      return error.message ?? "is not valid";
  }
}

function list(values: unknown): string {
  return Array.isArray(values) ? values.map((value) => JSON.stringify(value)).join(", ") : "the allowed values";
}

/** @see RFC 6901 */
export function escapePointer(member: string): string {
  const short = member.length > 100 ? `${member.slice(0, 100)}…` : member;
  return short.replaceAll("~", "~0").replaceAll("/", "~1");
}
