import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { repositoryRoot } from "@signalbox/testing/repository.ts";
import { expect, test } from "vitest";
import { type ApiDocument, toApiPage } from "./api-page.ts";

const folder = join(repositoryRoot, "docs/reference/openapi");
const names = await readdir(folder);
const documents = await Promise.all(
  names.map(async (name) => JSON.parse(await readFile(join(folder, name), "utf8")) as ApiDocument),
);

test("every call of every service is on the page, and every link on it leads somewhere", () => {
  const page = toApiPage(documents, ["/health"]);
  for (const { paths } of documents) {
    for (const [path, calls] of Object.entries(paths))
      for (const method of Object.keys(calls)) expect(page).toContain(`### ${method.toUpperCase()} ${path}\n`);
  }
  expect(page.match(/^### GET \/health$/gm)).toHaveLength(1);
  const anchors = new Set([...page.matchAll(/^### (\w+)$/gm)].map(([, name = ""]) => name.toLowerCase()));
  const targets = [...page.matchAll(/\]\(#(\w+)\)/g)].map(([, target]) => target);
  expect(targets.filter((target = "") => !anchors.has(target))).toEqual([]);
});

test("a call says who may make it, what it wants and what it answers", () => {
  const text = { type: "string", maxLength: 5 };
  const call = {
    summary: "Makes one",
    security: [{ internalKey: [] }],
    parameters: [{ name: "id", in: "path", required: true, schema: { type: "string", format: "uuid" } }],
    requestBody: {
      content: { "application/json": { schema: { type: "object", required: ["a"], properties: { a: text } } } },
    },
    responses: {
      201: { content: { "application/json": { schema: { $ref: "#/components/schemas/One" } } } },
      default: {},
    },
  };
  const document = {
    info: { title: "Signalbox thing" },
    paths: { "/ones/{id}": { post: call } },
    components: { schemas: { One: { properties: { b: { enum: ["x", "y"] } } } } },
  };
  const page = toApiPage([document], []);
  expect(page).toContain(`## thing

### POST /ones/{id}

Makes one. *internal*

* \`id\`\\* (path) uuid
* \`a\`\\* string up to 5
* → 201 [One](#one)
`);
  expect(page).toContain("### One\n\n* `b` `x` or `y`\n");
});
