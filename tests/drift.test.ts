import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { parseEnv } from "node:util";
import { findDrift, generateFiles } from "@signalbox/cli/generate.ts";
import { buildAjv } from "@signalbox/common/validate.ts";
import { repositoryRoot } from "@signalbox/testing/repository.ts";
import { expect, test } from "vitest";

test("the generated files are what the code says; if not, run `npx pnpm generate`", async () => {
  expect(await findDrift(repositoryRoot)).toEqual([]);
});

test(".env.example has exactly the keys of the schema, and no values", async () => {
  const schema = JSON.parse(await readFile(join(repositoryRoot, "infra/config.schema.json"), "utf8"));
  const example = parseEnv(await readFile(join(repositoryRoot, ".env.example"), "utf8"));
  const keys = Object.values(schema.$defs as Record<string, { properties: object }>).flatMap(({ properties }) =>
    Object.keys(properties),
  );
  expect(Object.keys(example).sort()).toEqual([...new Set(keys)].sort());
  expect(Object.values(example).filter((value) => value !== "")).toEqual([]);
});

test("the schema of the settings stands on its own, in strict mode", async () => {
  const schema = JSON.parse(await readFile(join(repositoryRoot, "infra/config.schema.json"), "utf8"));
  for (const service of Object.keys(schema.$defs)) {
    expect(() => buildAjv({ allErrors: true }).compile({ ...schema, $ref: `#/$defs/${service}` })).not.toThrow();
  }
});

test("every drift is found and named: a changed line, a missing file, a document of no service", async () => {
  const root = await mkdtemp(join(tmpdir(), "signalbox-drift-"));
  try {
    for (const [path, text] of await generateFiles()) {
      await mkdir(dirname(join(root, path)), { recursive: true });
      await writeFile(join(root, path), text);
    }
    await writeFile(join(root, ".env.example"), `ADDED=1\n${(await generateFiles()).get(".env.example")}`);
    await rm(join(root, "docs/reference/settings.md"));
    await writeFile(join(root, "docs/reference/openapi/gone.json"), "{}");
    expect(await findDrift(root)).toEqual([
      expect.stringMatching(/^\.env\.example:1 is "ADDED=1", should be "# Settings/),
      "docs/reference/settings.md is missing",
      "docs/reference/openapi/gone.json belongs to no service",
    ]);
  } finally {
    await rm(root, { recursive: true });
  }
});

test("packages are judged by the Node that runs them", async () => {
  const read = (path: string) => readFile(join(repositoryRoot, path), "utf8");
  const { devDependencies } = JSON.parse(await read("package.json")) as { devDependencies: Record<string, string> };
  expect(await read("pnpm-workspace.yaml")).toContain(`\nnodeVersion: ${devDependencies.node}\n`);
});
