import { asService, serveRoutes } from "@signalbox/testing/http-service.ts";
import { Type } from "typebox";
import { expect, test } from "vitest";
import { buildOpenapi } from "./openapi.ts";
import { defineRoute } from "./route.ts";

const Thing = Type.Object({ id: Type.String(), parent: Type.Union([Type.String(), Type.Null()]) }, { $id: "Thing" });

const patchThing = defineRoute({
  method: "PATCH",
  path: "/thing/:id",
  aliases: ["/things/:id"],
  auth: "any",
  summary: "Changes a thing",
  params: Type.Object({ id: Type.String({ format: "uuid", description: "its id" }) }),
  query: Type.Object({ limit: Type.Optional(Type.Integer({ maximum: 5 })) }, { additionalProperties: false }),
  body: Type.Object({ name: Type.String() }, { additionalProperties: false }),
  replies: { 200: Thing, 202: Type.Array(Thing) },
  async handle() {
    return { status: 204 };
  },
});
const hook = defineRoute({
  method: "POST",
  path: "/hook",
  auth: "signed",
  summary: "Takes a hook",
  replies: { 204: Type.Unknown() },
  async handle() {
    return { status: 204 };
  },
});
const beat = defineRoute({ ...hook, path: "/beat", auth: "internal", body: Type.Object({}), summary: "Beats" });

const info = { service: "test", version: "1.2.3" };
const document = buildOpenapi(info, [patchThing, hook, beat]);

test("a route's contract is what the document says", () => {
  expect(document.openapi).toBe("3.1.0");
  expect(document.info).toEqual({ title: "Signalbox test", version: "1.2.3" });
  expect(document.paths).toMatchObject({
    "/thing/{id}": {
      patch: {
        operationId: "patchThingId",
        summary: "Changes a thing",
        security: [{ basic: [] }, { internalKey: [] }],
        parameters: [
          { name: "id", in: "path", required: true, description: "its id", schema: { type: "string", format: "uuid" } },
          { name: "limit", in: "query", required: false, schema: { type: "integer", maximum: 5 } },
        ],
        requestBody: {
          required: true,
          content: { "application/json": { schema: { required: ["name"], additionalProperties: false } } },
        },
        responses: {
          200: { content: { "application/json": { schema: { $ref: "#/components/schemas/Thing" } } } },
          202: { content: { "application/json": { schema: { items: { $ref: "#/components/schemas/Thing" } } } } },
          default: { content: { "application/json": { schema: { $ref: "#/components/schemas/ErrorReply" } } } },
        },
      },
    },
  });
  expect(document.components).toMatchObject({ schemas: { Thing: { type: "object", required: ["id", "parent"] } } });
});

test("an alias is listed with an id of its own", () => {
  expect(document).toHaveProperty(["paths", "/things/{id}", "patch", "operationId"], "patchThingsId");
});

test("who may call is said for every rule", () => {
  expect(document).toHaveProperty(["paths", "/hook", "post", "security"], []);
  expect(document).toHaveProperty(["paths", "/beat", "post", "security"], [{ internalKey: [] }]);
  expect(document).toHaveProperty(["paths", "/beat", "post", "requestBody", "required"], false);
});

test("the order of the routes does not change the document", () => {
  expect(JSON.stringify(buildOpenapi(info, [beat, hook, patchThing]))).toBe(JSON.stringify(document));
});

test("a schema that refers to itself becomes a component once", () => {
  const Tree = Type.Cyclic({ Tree: Type.Object({ children: Type.Array(Type.Ref("Tree")) }) }, "Tree");
  const route = defineRoute({ ...hook, path: "/tree", replies: { 200: Tree } });
  const tree = { $ref: "#/components/schemas/Tree" };
  const of200 = ["responses", "200", "content", "application/json", "schema"];
  expect(buildOpenapi(info, [route])).toHaveProperty(["paths", "/tree", "post", ...of200], tree);
  expect(buildOpenapi(info, [route])).toHaveProperty("components.schemas.Tree.properties.children.items", tree);
});

test("a service serves its own document, with the routes that every service has", async () => {
  await using service = await serveRoutes([patchThing]);
  const served = (await (await service.fetch("/openapi.json")).json()) as { paths: Record<string, unknown> };
  expect(Object.keys(served.paths)).toEqual([
    "/config/validate",
    "/health",
    "/healthz",
    "/metrics",
    "/openapi.json",
    "/ready",
    "/thing/{id}",
    "/things/{id}",
  ]);
  expect((await service.fetch("/thing/x", { headers: asService })).status).toBe(405);
});
