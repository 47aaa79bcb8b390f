import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { repositoryRoot } from "@signalbox/testing/repository.ts";
import { expect, test } from "vitest";
import { ensureDashboard } from "./dashboard-build.ts";
import { temporaryFolder } from "./fixtures/fleet-fixture.ts";

test("two that want the dashboard at once get one build, and nothing else is left", async () => {
  const home = await temporaryFolder();
  const both = await Promise.all([ensureDashboard(repositoryRoot, home), ensureDashboard(repositoryRoot, home)]);
  expect(both.map(({ isNew }) => isNew)).toEqual([true, false]);
  expect(both[0]?.folder).toBe(both[1]?.folder);
  const folders = (await readdir(join(home, "dashboard"))).map((name) => join(home, "dashboard", name));
  expect(folders).toEqual([both[0]?.folder]);
  expect(await readdir(folders[0] ?? "")).toContain("index.html");
});
