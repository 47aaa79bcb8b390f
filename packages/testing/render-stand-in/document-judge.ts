import { buildAjv, toProblems } from "@signalbox/common/validate.ts";
import type { Problem } from "./api-facts.ts";

type Json = Record<string, unknown>;

/** What the document is called by its own references; nobody looks there. */
const base = "https://render.example/openapi";

/** Judges the body of a request by the document itself, with nothing of ours in between. */
export function buildDocumentJudge(
  document: Json,
): (call: { method: string; path: string; body: unknown }) => Problem[] {
  const ajv = buildAjv({ allErrors: true, strict: false });
  // The details of several types of service fit one body, which is all that `oneOf` stands for here.
  ajv.addSchema(JSON.parse(JSON.stringify(document).replaceAll('"oneOf":', '"anyOf":')) as Json, base);
  const paths = Object.keys(document.paths as Json);
  return ({ method, path, body }) => {
    const template = paths.find((one) => new RegExp(`^${one.replace(/\{\w+\}/g, "[^/]+")}$`).test(path));
    const operation = ((document.paths as Json)[template ?? ""] as Json | undefined)?.[method.toLowerCase()] as Json;
    if (!operation) return [{ path: "", message: `${method} ${path} is not in the document` }];
    const content = (operation.requestBody as { content?: Json } | undefined)?.content ?? {};
    if (Object.keys(content).length === 0) return body === undefined ? [] : [{ path: "", message: "takes no body" }];
    const pointer = [
      "paths",
      template ?? "",
      method.toLowerCase(),
      "requestBody",
      "content",
      "application/json",
      "schema",
    ];
    const $ref = `${base}#/${pointer.map((part) => encodeURIComponent(part.replaceAll("/", "~1"))).join("/")}`;
    const check = ajv.compile({ $ref });
    return check(body) ? [] : toProblems(check.errors);
  };
}
