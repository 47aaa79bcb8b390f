import { readdirSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";

/* Whoever can read one list can read every other: the shape, the limit and the cursor are the same everywhere. */

type Operation = {
  parameters?: { name: string }[];
  responses?: Record<string, { content?: Record<string, { schema?: unknown }> }>;
};
type OpenApi = { paths: Record<string, { get?: Operation }>; components?: { schemas?: Record<string, unknown> } };

const folder = "docs/reference/openapi";
const documents = readdirSync(folder).filter((name) => name.endsWith(".json"));

function isList(document: OpenApi, operation: Operation): boolean {
  const schema = operation.responses?.["200"]?.content?.["application/json"]?.schema as
    | { $ref?: string; properties?: Record<string, unknown> }
    | undefined;
  const name = schema?.$ref?.split("/").at(-1);
  const meant = (name === undefined ? schema : document.components?.schemas?.[name]) as typeof schema;
  return meant?.properties !== undefined && "nextCursor" in meant.properties;
}

test.each(documents)("every list of %s takes a limit and a cursor", (file) => {
  const document = JSON.parse(readFileSync(`${folder}/${file}`, "utf8")) as OpenApi;
  const lists = Object.entries(document.paths).flatMap(([path, { get }]) =>
    get && isList(document, get) ? [{ path, takes: (get.parameters ?? []).map(({ name }) => name) }] : [],
  );
  for (const { path, takes } of lists) expect([path, ...takes]).toEqual(expect.arrayContaining(["limit", "cursor"]));
});
