import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { findBroken } from "@signalbox/cli/openapi-compare.ts";
import { type Released, readDocuments, releasedPath } from "@signalbox/cli/release.ts";
import { repositoryRoot } from "@signalbox/testing/repository.ts";
import { expect, test } from "vitest";

test("nothing that the last release offered is taken away or changed", async () => {
  const released = JSON.parse(await readFile(join(repositoryRoot, releasedPath), "utf8")) as Released;
  const now = await readDocuments(repositoryRoot);
  const broken = Object.entries(released.documents).flatMap(([service, document]) =>
    findBroken(document, now[service] ?? {}).map((line) => `${service}: ${line}`),
  );
  expect(broken).toEqual([]);
});
