/*
 * Forms from JSON Schema. A schema becomes a `Field`, the one thing the form draws; whatever has no field of its own is edited
 * as JSON, so no schema makes a form that cannot be filled in. The value is always plain JSON: the form and the JSON view edit
 * the same one, and switching between them loses nothing.
 */

export type Schema = { readonly [key: string]: unknown };
export type Json = unknown;
export type Path = readonly (string | number)[];

export type Property = { name: string; schema: Schema; required: boolean };
export type Variant = { label: string; schema: Schema };
type Common = { title: string | null; description: string | null; nullable: boolean };
export type Field = Common &
  (
    | {
        kind: "text";
        input: "text" | "date-time" | "date" | "email" | "uri" | "secret" | "long";
        maxLength: number | null;
        example: string | null;
      }
    | { kind: "number"; integer: boolean; minimum: number | null; maximum: number | null }
    | { kind: "flag" }
    | { kind: "choice"; options: readonly Json[] }
    | { kind: "list"; item: Schema; maxItems: number | null }
    | { kind: "group"; properties: readonly Property[]; open: boolean }
    | { kind: "variant"; variants: readonly Variant[] }
    | { kind: "json" }
  );

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

const textOf = (value: unknown) => (typeof value === "string" && value !== "" ? value : null);
const numberOf = (value: unknown) => (typeof value === "number" ? value : null);
const schemaOf = (value: unknown): Schema => (isObject(value) ? value : {});

function followReference(reference: string, root: Schema): Schema | null {
  if (!reference.startsWith("#/")) return null;
  const names = reference
    .slice(2)
    .split("/")
    .map((name) => name.replaceAll("~1", "/").replaceAll("~0", "~"));
  let place: unknown = root;
  for (const name of names) place = isObject(place) ? place[name] : undefined;
  return isObject(place) ? place : null;
}

/** Follows `$ref`s inside the document and folds `allOf` into one object. */
function resolveSchema(schema: Schema, root: Schema, depth = 0): Schema {
  if (depth > 16) return {};
  const reference = textOf(schema.$ref);
  const target = reference ? followReference(reference, root) : null;
  if (target) {
    const { $ref: _followed, ...beside } = schema;
    return resolveSchema({ ...target, ...beside }, root, depth + 1);
  }
  const parts = schema.allOf;
  if (!Array.isArray(parts)) return schema;
  const { allOf: _folded, ...own } = schema;
  return parts.map((part) => resolveSchema(schemaOf(part), root, depth + 1)).reduce(mergeSchemas, own);
}

function mergeSchemas(left: Schema, right: Schema): Schema {
  const properties = { ...schemaOf(left.properties), ...schemaOf(right.properties) };
  const required = [...asStrings(left.required), ...asStrings(right.required)];
  const merged: Record<string, unknown> = { ...left, ...right };
  if (Object.keys(properties).length > 0) merged.properties = properties;
  if (required.length > 0) merged.required = required;
  return merged;
}

function asStrings(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((item) => typeof item === "string") : [];
}

function typesOf(schema: Schema): string[] {
  const type = schema.type;
  if (typeof type === "string") return [type];
  if (Array.isArray(type)) return asStrings(type);
  if (isObject(schema.properties)) return ["object"];
  return [];
}

const isNull = (schema: Schema) => schema.type === "null" || schema.const === null;

function toVariants(schema: Schema, root: Schema): { variants: Variant[]; nullable: boolean } {
  const listed = schema.oneOf ?? schema.anyOf;
  const all = (Array.isArray(listed) ? listed : []).map((item) => resolveSchema(schemaOf(item), root));
  const real = all.filter((variant) => !isNull(variant));
  const variants = real.map((variant, index) => ({ label: labelOf(variant, index), schema: variant }));
  return { variants, nullable: real.length < all.length };
}

function labelOf(variant: Schema, index: number): string {
  const title = textOf(variant.title);
  if (title) return title;
  if (variant.const !== undefined) return String(variant.const);
  const marker = Object.values(schemaOf(variant.properties)).find(
    (property) => isObject(property) && property.const !== undefined,
  );
  if (isObject(marker)) return String(marker.const);
  return textOf(variant.type) ?? `form ${index + 1}`;
}

function toTextField(schema: Schema): Field & { kind: "text" } {
  const format = textOf(schema.format);
  const maxLength = numberOf(schema.maxLength);
  const known = format === "date-time" || format === "date" || format === "email" || format === "uri" ? format : "text";
  const secret = schema.writeOnly === true || format === "password";
  const isLong = known === "text" && (maxLength ?? 0) > 500;
  const examples = schema.examples;
  const example = Array.isArray(examples) ? textOf(examples[0]) : null;
  return { ...commonOf(schema), kind: "text", input: secret ? "secret" : isLong ? "long" : known, maxLength, example };
}

function commonOf(schema: Schema): Common {
  return {
    title: textOf(schema.title),
    description: textOf(schema.description),
    nullable: typesOf(schema).includes("null"),
  };
}

function toGroupField(schema: Schema): Field {
  const required = new Set(asStrings(schema.required));
  const properties = Object.entries(schemaOf(schema.properties)).map(([name, property]) => ({
    name,
    schema: schemaOf(property),
    required: required.has(name),
  }));
  const open = schema.additionalProperties !== false;
  // An object of free keys has no fields of its own.
  return { ...commonOf(schema), ...(properties.length === 0 ? { kind: "json" } : { kind: "group", properties, open }) };
}

function toTypedField(schema: Schema): Field {
  const common = commonOf(schema);
  const types = typesOf(schema).filter((type) => type !== "null");
  if (types.length !== 1) return { ...common, kind: "json" };
  switch (types[0]) {
    case "string":
      return toTextField(schema);
    case "integer":
    case "number":
      return {
        ...common,
        kind: "number",
        integer: types[0] === "integer",
        minimum: numberOf(schema.minimum),
        maximum: numberOf(schema.maximum),
      };
    case "boolean":
      return { ...common, kind: "flag" };
    case "array":
      return { ...common, kind: "list", item: schemaOf(schema.items), maxItems: numberOf(schema.maxItems) };
    case "object":
      return toGroupField(schema);
    default:
      return { ...common, kind: "json" };
  }
}

/** What the form draws for a schema. */
export function toField(raw: Schema, root: Schema): Field {
  const schema = resolveSchema(raw, root);
  const choices = schema.enum ?? (schema.const === undefined ? undefined : [schema.const]);
  if (Array.isArray(choices)) {
    const options = choices.filter((option) => option !== null);
    return { ...commonOf(schema), kind: "choice", options, nullable: options.length < choices.length };
  }
  if (!Array.isArray(schema.oneOf) && !Array.isArray(schema.anyOf)) return toTypedField(schema);
  const { variants, nullable } = toVariants(schema, root);
  const constants = variants.map((variant) => variant.schema.const);
  if (constants.every((constant) => constant !== undefined))
    return { ...commonOf(schema), kind: "choice", options: constants, nullable };
  const only = variants.length === 1 ? variants[0] : undefined;
  if (only) return { ...toField({ ...only.schema, ...commonWords(schema) }, root), nullable };
  return { ...commonOf(schema), kind: "variant", variants, nullable };
}

function commonWords(schema: Schema): Schema {
  const words: Record<string, unknown> = {};
  for (const key of ["title", "description", "default"]) if (schema[key] !== undefined) words[key] = schema[key];
  return words;
}

/** The value a new form starts with: defaults, and required objects with theirs. `undefined` means "leave it out". */
export function initialValue(raw: Schema, root: Schema, required = true, depth = 0): Json {
  const schema = resolveSchema(raw, root);
  if (schema.default !== undefined) return structuredClone(schema.default);
  if (schema.const !== undefined && required) return schema.const;
  const field = required && depth < 16 ? toField(schema, root) : null;
  return field?.kind === "group" ? initialGroup(field.properties, root, depth) : undefined;
}

/** An object with its members' initial values. */
export function initialGroup(properties: readonly Property[], root: Schema, depth = 0): Record<string, unknown> {
  const value: Record<string, unknown> = {};
  for (const property of properties) {
    const inner = initialValue(property.schema, root, property.required, depth + 1);
    if (inner !== undefined) value[property.name] = inner;
  }
  return value;
}

export function valueAt(value: Json, path: Path): Json {
  let place = value;
  for (const step of path) {
    if (typeof place !== "object" || place === null) return undefined;
    place = (place as Record<string | number, unknown>)[step];
  }
  return place;
}

/** The value with one place replaced; `undefined` takes a member out of its object or an item out of its list. */
export function withValueAt(value: Json, path: Path, next: Json): Json {
  const [step, ...rest] = path;
  if (step === undefined) return next;
  if (typeof step === "number") {
    const list = Array.isArray(value) ? [...value] : [];
    const inner = withValueAt(list[step], rest, next);
    if (inner === undefined) list.splice(step, 1);
    else list[step] = inner;
    return list;
  }
  const { [step]: old, ...others } = isObject(value) ? value : {};
  const inner = withValueAt(old, rest, next);
  if (inner === undefined) return others;
  return isObject(value) && step in value ? { ...value, [step]: inner } : { ...others, [step]: inner };
}

/** One spelling of a place in a value, whatever way its sender writes it: `/payload/items/0`, `payload.items[0]`, `#/payload`. */
export function toPointer(path: string | Path): string {
  if (typeof path !== "string") return path.map((step) => `/${step}`).join("");
  const plain = path.replace(/^#/, "");
  if (plain === "" || plain.startsWith("/")) return plain;
  return `/${plain
    .replaceAll(/\[(\d+)\]/g, ".$1")
    .split(".")
    .filter((step) => step !== "")
    .join("/")}`;
}
