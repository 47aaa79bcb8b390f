import type { TSchema } from "typebox";
import { invalidInput, invalidRequest } from "./errors.ts";
import { compileCheck, escapePointer } from "./validate.ts";

export type Parameters = Record<string, unknown>;

type Coerce = (text: string) => unknown;

/**
 * Reads the query text of a URL. Parameters may come once: which of two would count is a guess, and two parsers
 * guess differently.
 *
 * @param text what follows the `?`; "" for none
 * @throws ApiError 400 for bad %-encoding, NUL, or a repeated parameter
 */
export function parseQuery(text: string): Map<string, string> {
  const parameters = new Map<string, string>();
  for (const pair of text.split("&")) {
    if (pair === "") continue;
    const equals = pair.indexOf("=");
    const name = decodePart(equals === -1 ? pair : pair.slice(0, equals));
    if (parameters.has(name)) throw invalidRequest(`/${escapePointer(name)}`, "was given more than once");
    parameters.set(name, equals === -1 ? "" : decodePart(pair.slice(equals + 1)));
  }
  return parameters;
}

function decodePart(text: string): string {
  const spaced = text.replaceAll("+", " ");
  if (!spaced.includes("%")) return spaced;
  return decodeUrlText(spaced);
}

/** @throws ApiError 400 */
export function decodeUrlText(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw invalidRequest("", "has a URL with bad %-encoding (it must be UTF-8)");
  }
}

/** Compiles the reading of query or path parameters: texts become what the schema says, then the schema judges. */
export function compileParameters(schema: TSchema | undefined, what: "query parameter" | "path parameter") {
  const properties = propertiesOf(schema);
  const coercions = new Map<string, Coerce>();
  for (const [name, property] of Object.entries(properties)) coercions.set(name, coercionOf(property));
  const check = schema ? compileCheck(schema) : null;
  const isOpen = schema !== undefined && "additionalProperties" in schema && schema.additionalProperties === true;
  const known = [...coercions.keys()].filter((name) => name !== "auth");

  function read(name: string, text: string): unknown {
    if (text.includes("\u0000")) throw invalidRequest(`/${escapePointer(name)}`, "holds a NUL character (%00)");
    const coerce = coercions.get(name);
    if (!coerce && !isOpen) throw invalidRequest(`/${escapePointer(name)}`, unknownMessage(what, known));
    return coerce?.(text);
  }

  return (given: Iterable<[string, string]>): Parameters => {
    const values: Parameters = {};
    for (const [name, text] of given) {
      const value = read(name, text);
      if (value !== undefined) values[name] = value;
    }
    const problems = check?.(values);
    if (problems) throw invalidInput(problems);
    return values;
  };
}

function unknownMessage(what: string, known: string[]): string {
  return known.length === 0
    ? `is not a known ${what}; there are none here`
    : `is not a known ${what}; known: ${known.join(", ")}`;
}

export function propertiesOf(schema: TSchema | undefined): Record<string, TSchema> {
  const properties: unknown = schema && "properties" in schema ? schema.properties : undefined;
  return (properties ?? {}) as Record<string, TSchema>;
}

/** Strict on purpose: `Number` would take "", " 7" and "0x10". What does not fit stays text, and the schema refuses it. */
function coercionOf(property: TSchema): Coerce {
  const type = "type" in property ? property.type : undefined;
  if (type === "integer") return (text) => (/^-?\d{1,15}$/.test(text) ? Number(text) : text);
  if (type === "number") return (text) => (/^-?\d{1,15}(\.\d{1,15})?$/.test(text) ? Number(text) : text);
  if (type === "boolean") return (text) => toBoolean(text);
  return (text) => text;
}

function toBoolean(text: string): unknown {
  if (text === "true") return true;
  return text === "false" ? false : text;
}
