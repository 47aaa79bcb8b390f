import { readFileSync } from "node:fs";
import { join } from "node:path";
import { buildAjv, toProblems } from "@signalbox/common/validate.ts";
import type { ApiFacts, OperationFacts, Shape } from "./openapi-facts.ts";

/* Judges requests and answers by facts about an API: nothing that they do not name is let through. */

export type Problem = { path: string; message: string };

export type ApiJudge = {
  operations: Record<string, OperationFacts>;
  /** The operation of a call, with the values of the names in its path; null when there is none. */
  find(method: string, path: string): { id: string; params: Record<string, string> } | null;
  judgeQuery(id: string, query: URLSearchParams): Problem[];
  judgeBody(id: string, body: unknown): Problem[];
  judgeReply(id: string, status: number, body: unknown): Problem[];
  /** By the name of a shape. */
  judgeShape(name: string, value: unknown): Problem[];
};

/** What this repository knows of Render's API. */
export function readRenderFacts(): ApiFacts {
  return JSON.parse(readFileSync(join(import.meta.dirname, "api.json"), "utf8")) as ApiFacts;
}

/** What the schemas call each other by; nobody looks there. */
const base = "https://render.example/facts";

export function buildApiJudge({ operations, shapes }: ApiFacts): ApiJudge {
  const routes = Object.entries(operations).map(([id, { call }]) => toRoute(id, call));
  const ajv = buildAjv({ allErrors: true });
  ajv.addSchema({ $id: base, $defs: Object.fromEntries(Object.entries(shapes).map(([k, v]) => [k, toSchema(v)])) });
  const checks = new Map<string, ReturnType<typeof ajv.compile>>();

  function judge(key: string, shape: Shape, value: unknown): Problem[] {
    const check = checks.get(key) ?? ajv.compile(toSchema(shape));
    checks.set(key, check);
    return check(value) ? [] : toProblems(check.errors);
  }

  return {
    operations,
    find(method, path) {
      for (const route of routes) {
        const match = route.method === method ? route.pattern.exec(path) : null;
        if (!match) continue;
        return {
          id: route.id,
          params: Object.fromEntries(route.names.map((name, at) => [name, decode(match[at + 1])])),
        };
      }
      return null;
    },
    judgeQuery(id, query) {
      const shape = operations[id]?.query ?? {};
      return judge(`${id} query`, shape, toQuery(query, shape));
    },
    judgeBody(id, body) {
      const shape = operations[id]?.body;
      if (shape === undefined) return body === undefined ? [] : [{ path: "", message: "takes no body" }];
      if (body === undefined) return [{ path: "", message: "needs a body" }];
      return judge(`${id} body`, shape, body);
    },
    judgeReply(id, status, body) {
      const replies = operations[id]?.replies ?? {};
      const shape = replies[status];
      if (shape === undefined) return [{ path: "", message: `${status} is not among its answers` }];
      if (shape === null) return body === null ? [] : [{ path: "", message: "has no body" }];
      return judge(`${id} ${status}`, shape, body);
    },
    judgeShape: (name, value) => judge(`#${name}`, `#${name}`, value),
  };
}

function toRoute(id: string, call: string) {
  const [method = "", template = ""] = call.split(" ");
  const names = [...template.matchAll(/\{(\w+)\}/g)].map(([, name]) => name ?? "");
  const pattern = new RegExp(`^${template.replace(/\{\w+\}/g, "([^/]+)")}$`);
  return { id, method, names, pattern };
}

function decode(segment: string | undefined): string {
  return decodeURIComponent(segment ?? "");
}

/** Texts become what the facts say; a list may come as repeated names. */
function toQuery(query: URLSearchParams, shape: Record<string, Shape>): Record<string, unknown> {
  return Object.fromEntries(
    [...new Set(query.keys())].map((name) => {
      const wanted = shape[name] ?? shape[`${name}!`];
      const values = query.getAll(name);
      if (Array.isArray(wanted)) return [name, values];
      return [name, values.length === 1 ? toValue(values[0] ?? "", wanted) : values];
    }),
  );
}

function toValue(text: string, wanted: Shape | undefined): unknown {
  if (wanted === "number" || wanted === "integer")
    return text.trim() !== "" && !Number.isNaN(Number(text)) ? Number(text) : text;
  if (wanted === "boolean") return text === "true" ? true : text === "false" ? false : text;
  return text;
}

const simple: Record<string, Record<string, unknown>> = {
  time: { type: "string", format: "date-time" },
  any: {},
};

/** The same as JSON Schema; an object has no members but those that are named. */
function toSchema(shape: Shape): Record<string, unknown> {
  if (typeof shape === "string") {
    if (shape.startsWith("#")) return { $ref: `${base}#/$defs/${shape.slice(1)}` };
    if (shape.startsWith("=")) return { enum: shape.slice(1).split("|") };
    return simple[shape] ?? { type: shape };
  }
  if (Array.isArray(shape)) return { type: "array", items: toSchema(shape[0]) };
  if (Array.isArray(shape["|"])) return { anyOf: (shape["|"] as Shape[]).map(toSchema) };
  if (shape["*"] !== undefined) return { type: "object", additionalProperties: toSchema(shape["*"] as Shape) };
  const members = Object.entries(shape as Record<string, Shape>);
  return {
    type: "object",
    properties: Object.fromEntries(members.map(([name, member]) => [name.replace(/!$/, ""), toSchema(member)])),
    required: members.filter(([name]) => name.endsWith("!")).map(([name]) => name.slice(0, -1)),
    additionalProperties: false,
  };
}
