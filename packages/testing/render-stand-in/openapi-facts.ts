/*
 * The part of an OpenAPI document that says what may be sent and what comes back, in a notation of our own: without a word
 * of its descriptions, small enough to be committed and read. `api.json` is such a part of Render's document.
 *
 *   "string" "number" "integer" "boolean" "time"   a value of that type; "any" of none in particular
 *   "=a|b"                                          one of these texts
 *   "#name"                                         the shape of that name
 *   ["x"]                                           a list of x
 *   {"a!": "x", "b": "y"}                           an object; a! must be there
 *   {"|": ["x", "y"]}                               one or the other
 *   {"*": "x"}                                      an object of any names
 */

export type Shape = string | [Shape] | { [member: string]: Shape | Shape[] };

export type OperationFacts = {
  call: string;
  query?: Record<string, Shape>;
  /** media type of the body when it is not JSON */
  bodyType?: string;
  body?: Shape;
  /** by status; null for an empty body */
  replies: Record<string, Shape | null>;
};

export type ApiFacts = { operations: Record<string, OperationFacts>; shapes: Record<string, Shape> };

/** What happened to a service comes in fifty shapes, and nobody here looks further into them. */
const opaque = ["serviceEventDetails"];

type Json = { [key: string]: unknown };

const methods = ["get", "post", "put", "patch", "delete"];

/** The facts about these operations and about every shape that they name. */
export function toApiFacts(document: unknown, operationIds: readonly string[]): ApiFacts {
  const root = document as Json;
  const named = new Map<string, Shape>();
  const reader = buildReader(root, named);
  const operations: Record<string, OperationFacts> = {};
  for (const [path, item] of Object.entries(root.paths as Json)) {
    for (const method of methods) {
      const found = (item as Json)[method] as Json | undefined;
      const id = String(found?.operationId);
      if (found && operationIds.includes(id))
        operations[id] = reader.operation(`${method.toUpperCase()} ${path}`, found);
    }
  }
  return { operations: sorted(operations), shapes: sorted(Object.fromEntries(named)) };
}

type Reader = { operation(call: string, found: Json): OperationFacts };

function buildReader(root: Json, named: Map<string, Shape>): Reader {
  const resolve = (value: unknown): Json => {
    const ref = (value as Json).$ref;
    return typeof ref === "string" ? (lookUp(root, ref) as Json) : (value as Json);
  };

  function shape(schema: Json): Shape {
    if (typeof schema.$ref === "string") return reference(schema.$ref);
    const union = (schema.oneOf ?? schema.anyOf) as Json[] | undefined;
    if (union) return { "|": union.map(shape) };
    if (Array.isArray(schema.allOf)) return merge(schema.allOf as Json[]);
    return typed(schema);
  }

  function typed(schema: Json): Shape {
    if (Array.isArray(schema.enum)) return `=${schema.enum.join("|")}`;
    if (schema.type === "array") return [shape(schema.items as Json)];
    if (schema.type === "object" || schema.properties) return object(schema);
    return schema.format === "date-time" ? "time" : String(schema.type);
  }

  function reference(ref: string): Shape {
    const name = ref.split("/").at(-1) ?? "";
    if (opaque.includes(name)) return "any";
    if (!named.has(name)) {
      named.set(name, "");
      named.set(name, shape(lookUp(root, ref) as Json));
    }
    return `#${name}`;
  }

  function object(schema: Json): Shape {
    if (typeof schema.additionalProperties === "object") return { "*": shape(schema.additionalProperties as Json) };
    const required = (schema.required ?? []) as string[];
    const members = Object.entries((schema.properties ?? {}) as Json);
    return Object.fromEntries(
      members.map(([name, member]) => [required.includes(name) ? `${name}!` : name, shape(member as Json)]),
    );
  }

  function merge(parts: Json[]): Shape {
    const shapes = parts.map((part) => shape(resolve(part)));
    return shapes.length === 1 ? (shapes[0] ?? "") : Object.assign({}, ...shapes);
  }

  function body(value: unknown): Pick<OperationFacts, "body" | "bodyType"> {
    const [[type, content] = []] = Object.entries((resolve(value).content ?? {}) as Json);
    if (!type) return {};
    return { ...(type !== "application/json" && { bodyType: type }), body: shape((content as Json).schema as Json) };
  }

  return {
    operation(call, found) {
      const parameters = ((found.parameters ?? []) as unknown[]).map(resolve).filter((one) => one.in === "query");
      const query = parameters.map((one) => [one.required ? `${one.name}!` : one.name, shape(one.schema as Json)]);
      const good = Object.entries(found.responses as Json).filter(([status]) => status.startsWith("2"));
      const replies = good.map(([status, reply]) => [status, body(reply).body ?? null]);
      return {
        call,
        ...(query.length > 0 && { query: Object.fromEntries(query) as Record<string, Shape> }),
        ...(found.requestBody ? body(found.requestBody) : {}),
        replies: Object.fromEntries(replies) as OperationFacts["replies"],
      };
    },
  };
}

function lookUp(root: Json, ref: string): unknown {
  return ref
    .replace(/^#\//, "")
    .split("/")
    .reduce<unknown>((node, part) => (node as Json)[part.replaceAll("~1", "/")], root);
}

function sorted<T>(map: Record<string, T>): Record<string, T> {
  return Object.fromEntries(Object.entries(map).sort(([a], [b]) => (a < b ? -1 : 1)));
}
