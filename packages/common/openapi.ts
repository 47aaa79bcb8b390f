import type { TSchema } from "typebox";
import { ErrorReply } from "./contracts/errors.ts";
import { propertiesOf } from "./query.ts";
import type { AuthRule, RouteContract } from "./route.ts";

type Json = Record<string, unknown>;

/**
 * OpenAPI 3.1 of one service, from the very contracts that validate its requests. The order of keys follows the paths'
 * alphabet, so that the committed document changes only where a contract does.
 */
export function buildOpenapi(info: { service: string; version: string }, routes: readonly RouteContract[]): Json {
  const components = new Map<string, unknown>();
  components.set("ErrorReply", toComponent(ErrorReply, components));
  const paths = new Map<string, Map<string, Json>>();
  for (const route of routes) {
    for (const path of [route.path, ...(route.aliases ?? [])]) {
      const key = path.replace(/:(\w+)/g, "{$1}");
      const operations = paths.get(key) ?? new Map<string, Json>();
      operations.set(route.method.toLowerCase(), toOperation(route, path, components));
      paths.set(key, operations);
    }
  }
  return {
    openapi: "3.1.0",
    info: { title: `Signalbox ${info.service}`, version: info.version },
    paths: sorted(new Map([...paths].map(([path, operations]) => [path, sorted(operations)]))),
    components: {
      schemas: sorted(components),
      securitySchemes: {
        basic: { type: "http", scheme: "basic" },
        internalKey: { type: "apiKey", in: "header", name: "X-INTERNAL-KEY" },
      },
    },
  };
}

function toOperation(route: RouteContract, path: string, components: Map<string, unknown>): Json {
  const parameters = [...toParameters(route.params, "path"), ...toParameters(route.query, "query")];
  return {
    operationId: toOperationId(route.method, path),
    summary: route.summary,
    security: securityOf(route.auth),
    ...(route.auth === "signed" && { "x-signed": true }),
    ...(parameters.length > 0 && { parameters }),
    ...(route.body && { requestBody: toRequestBody(route, components) }),
    responses: toResponses(route, components),
  };
}

function toOperationId(method: string, path: string): string {
  const words = path.split(/[^A-Za-z0-9]+/).filter((word) => word !== "");
  return [method.toLowerCase(), ...words.map((word) => word.charAt(0).toUpperCase() + word.slice(1))].join("");
}

function securityOf(auth: AuthRule): Json[] {
  if (auth === "any") return [{ basic: [] }, { internalKey: [] }];
  return auth === "internal" ? [{ internalKey: [] }] : [];
}

function toParameters(schema: TSchema | undefined, place: "path" | "query"): Json[] {
  const required = requiredOf(schema);
  return Object.entries(propertiesOf(schema)).map(([name, property]) => {
    const { description, ...rest } = plain(property);
    return {
      name,
      in: place,
      required: place === "path" || required.includes(name),
      ...(description !== undefined && { description }),
      schema: rest,
    };
  });
}

function toRequestBody(route: RouteContract, components: Map<string, unknown>): Json {
  const { body, bodyOptional, bodyTypes = ["application/json"] } = route;
  if (!body) return {};
  const schema = toComponent(body, components);
  const content = bodyTypes.map((type) => [type, { schema: type === "application/json" ? schema : {} }]);
  return { required: !(bodyOptional ?? requiredOf(body).length === 0), content: Object.fromEntries(content) };
}

function toResponses(route: RouteContract, components: Map<string, unknown>): Json {
  const responses = Object.entries(route.replies).map(([status, schema]) => [
    status,
    {
      description: reasonOf(Number(status)),
      ...(status !== "204" && {
        content: { [route.replyType ?? "application/json"]: { schema: toComponent(schema, components) } },
      }),
    },
  ]);
  const error = { schema: { $ref: "#/components/schemas/ErrorReply" } };
  return {
    ...Object.fromEntries(responses),
    default: { description: "Any error", content: { "application/json": error } },
  };
}

function reasonOf(status: number): string {
  if (status < 300) return status === 202 ? "Accepted" : "Done";
  return status === 503 ? "Not ready" : "Refused";
}

/** A schema with an `$id` becomes a component and a reference to it, however deep it lies. */
function toComponent(schema: TSchema, components: Map<string, unknown>): unknown {
  return hoist(plain(schema), components);
}

function hoist(node: unknown, components: Map<string, unknown>): unknown {
  if (Array.isArray(node)) return node.map((item) => hoist(item, components));
  if (node === null || typeof node !== "object") return node;
  const { $id, $defs, ...rest } = node as Json;
  if ($defs !== undefined) hoist(Object.values($defs as Json), components);
  if (typeof $id === "string" && components.has($id)) return { $ref: `#/components/schemas/${$id}` };
  if (typeof $id === "string") components.set($id, null); // held before it is filled: a schema may refer to itself
  const members = Object.entries(rest).map(([key, value]) => [key, hoistMember(key, value, components)]);
  const hoisted = Object.fromEntries(members);
  if (typeof $id !== "string") return hoisted;
  components.set($id, hoisted);
  return { $ref: `#/components/schemas/${$id}` };
}

/** TypeBox refers to a definition by its bare name. */
function hoistMember(key: string, value: unknown, components: Map<string, unknown>): unknown {
  if (key === "$ref" && typeof value === "string") return `#/components/schemas/${value.replace(/^#\/\$defs\//, "")}`;
  return hoist(value, components);
}

function requiredOf(schema: TSchema | undefined): string[] {
  const required: unknown = schema && "required" in schema ? schema.required : undefined;
  return Array.isArray(required) ? required : [];
}

function plain(schema: TSchema): Json {
  return JSON.parse(JSON.stringify(schema));
}

function sorted<T>(entries: Map<string, T>): Record<string, unknown> {
  const byKey = [...entries].sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(
    byKey.map(([key, value]) => [key, value instanceof Map ? Object.fromEntries(value) : value]),
  );
}
