import { type OutputUnit, Validator } from "@cfworker/json-schema";
import { isObject, type Json, type Schema, toPointer } from "./schema.ts";

/** A message for each place of the value that the schema refuses, by JSON pointer; the deepest place wins over its parents. */
export type Faults = ReadonlyMap<string, string>;

// These only say that a part below them failed; that part says why.
const wrappers = new Set([
  "properties",
  "items",
  "prefixItems",
  "allOf",
  "anyOf",
  "oneOf",
  "$ref",
  "if",
  "then",
  "else",
  "dependentSchemas",
]);

function missingName(unit: OutputUnit): string | null {
  return unit.keyword === "required" ? (/"([^"]+)"/.exec(unit.error)?.[1] ?? null) : null;
}

const sentences: Record<string, string> = {
  required: "This is required.",
  minLength: "This is too short.",
  maxLength: "This is too long.",
  pattern: "This does not have the expected form.",
  format: "This does not have the expected form.",
  enum: "This is none of the allowed values.",
  const: "This is not the expected value.",
  uniqueItems: "No two items may be the same.",
};

function toFault(unit: OutputUnit): [string, string] {
  const missing = missingName(unit);
  const pointer = toPointer(decodeURIComponent(unit.instanceLocation));
  const message = sentences[unit.keyword] ?? unit.error.replace(/^Instance /, "This ");
  return [missing === null ? pointer : `${pointer}/${missing}`, message];
}

/**
 * Checks a value against a schema the way the service will. Ajv would need `unsafe-eval`, which the page's policy forbids; a
 * schema that this validator cannot read is left to the service, whose answer lands on the same fields.
 */
export function findFaults(value: Json, schema: Schema): Faults {
  const faults = new Map<string, string>();
  try {
    const { valid, errors } = new Validator(schema, "2020-12", false).validate(value);
    if (valid) return faults;
    const own = errors.filter((unit) => !wrappers.has(unit.keyword));
    for (const unit of own.length > 0 ? own : errors) {
      const [pointer, message] = toFault(unit);
      if (!faults.has(pointer)) faults.set(pointer, message);
    }
  } catch {
    return new Map();
  }
  return faults;
}

function readDetail(detail: unknown): { pointer: string | null; text: string } {
  const { path, message } = isObject(detail) ? detail : {};
  const text = typeof message === "string" ? message : "This was refused.";
  // Some services name the place from the request's root.
  const pointer = typeof path === "string" ? toPointer(path.replace(/^\/?body(?=[/.]|$)/, "")) : null;
  return { pointer, text };
}

/** An API error's `details`, as faults of the form; `prefix` is where the form's value stands in the body. */
export function toFaults(details: readonly unknown[], prefix: string): { faults: Faults; others: string[] } {
  const faults = new Map<string, string>();
  const others: string[] = [];
  for (const { pointer, text } of details.map(readDetail)) {
    if (pointer?.startsWith(prefix)) faults.set(pointer.slice(prefix.length), text);
    else others.push(pointer ? `${pointer} ${text}` : text);
  }
  return { faults, others };
}

/** The faults of what was typed: an empty dialog is not full of mistakes, its button only waits. */
export function findTypedFaults(value: Json, schema: Schema): Faults {
  return findFaults(value, { ...schema, required: [] });
}
