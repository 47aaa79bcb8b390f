import { execFile } from "node:child_process";
import { cp, mkdir, mkdtemp, readFile, realpath, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { promisify } from "node:util";
import { credentials } from "@signalbox/testing/http-service.ts";
import { repositoryRoot } from "@signalbox/testing/repository.ts";
import { startService } from "@signalbox/testing/service-process.ts";
import { standInOrchestrator } from "@signalbox/testing/stand-in-orchestrator.ts";
import { expect, test } from "vitest";
import { agentFiles } from "./agent-template.ts";
import { findDrift } from "./generate.ts";
import { makeAgent } from "./new-agent.ts";

const run = promisify(execFile);

/** As much of the repository as an agent is written into; the packages are the real ones. */
async function copyOfRepository() {
  const root = await realpath(await mkdtemp(join(tmpdir(), "signalbox-agent-")));
  await mkdir(join(root, "services"));
  for (const path of ["infra", "docs/reference", "services/echo-agent"]) {
    await cp(join(repositoryRoot, path), join(root, path), {
      recursive: true,
      filter: (from) => !from.includes("node_modules") && !/openapi.(?!echo-agent)[^/\\]+\.json$/.test(from),
    });
  }
  for (const path of ["package.json", ".env.example", "biome.json", "tsconfig.json"])
    await cp(join(repositoryRoot, path), join(root, path));
  for (const path of ["node_modules", "packages"]) await symlink(join(repositoryRoot, path), join(root, path));
  return { root, [Symbol.asyncDispose]: () => rm(root, { recursive: true, force: true }) };
}

test("a new agent is found by everything that looks for services, and its own test passes", async () => {
  await using copy = await copyOfRepository();
  const { root } = copy;
  const written = await makeAgent(root, "price-watcher");
  expect(written).toEqual(
    expect.arrayContaining([
      "services/price-watcher/app.ts",
      "infra/render.blueprint.yaml",
      "docs/reference/openapi/price-watcher.json",
      "services/price-watcher/Dockerfile",
    ]),
  );
  expect(await findDrift(root, root)).toEqual([]);
  const blueprint = await readFile(join(root, "infra/render.blueprint.yaml"), "utf8");
  expect(blueprint).toContain("name: signalbox-price-watcher");
  expect(blueprint.split("# generated from services/price-watcher/settings.ts")[1]).toMatch(/^\n +- key: PORT/);

  await writeFile(join(root, "vitest.config.ts"), "export default {};\n");
  const vitest = join(repositoryRoot, "node_modules/vitest/vitest.mjs");
  const { stdout } = await run(process.execPath, [vitest, "run", "--root", root, "services/price-watcher"]);
  expect(stdout).toMatch(/3 passed/);
  const biome = join(repositoryRoot, "node_modules/.bin/biome");
  await run(biome, ["check", "--vcs-enabled=false", "--error-on-warnings", "services/price-watcher"], { cwd: root });
  await writeFile(
    join(root, "tsconfig.one.json"),
    JSON.stringify({
      extends: "./tsconfig.json",
      include: ["services/price-watcher"],
      compilerOptions: { incremental: false, tsBuildInfoFile: null },
    }),
  );
  await run(join(repositoryRoot, "node_modules/.bin/tsc"), ["-p", "tsconfig.one.json"], { cwd: root });
}, 120_000);

test("it boots with a fleet's settings, registers, and runs a task", async () => {
  await using copy = await copyOfRepository();
  await makeAgent(copy.root, "price-watcher");
  await using orchestrator = await standInOrchestrator();
  await using agent = await startService({
    main: relative(repositoryRoot, join(copy.root, "services/price-watcher/main.ts")),
    env: {
      BASIC_AUTH_USER: credentials.user,
      BASIC_AUTH_PASS: credentials.pass,
      INTERNAL_KEY: orchestrator.internalKey,
      ORCHESTRATOR_URL: orchestrator.url,
    },
  });
  expect(await orchestrator.registered()).toMatchObject({ name: "price-watcher" });
  const wanted = { path: "/run/price-watcher", type: "price-watcher.run", payload: { text: "a b" } };
  const answer = await orchestrator.run(agent.url, wanted);
  expect(await answer.json()).toEqual({ result: { words: 2 } });
});

test("what is to be changed by hand is less than a hundred lines", () => {
  const files = agentFiles({ name: "x", port: 4_003 });
  const lines = ["settings.ts", "app.ts", "app.test.ts"].map((file) => files.get(file)?.split("\n").length ?? 0);
  expect(lines.reduce((sum, one) => sum + one, 0)).toBeLessThan(100);
});

test.each(["Price", "price_watcher", "-x", "x-", "", "a".repeat(41), "../x"])(
  "%j is no name for an agent",
  async (name) => {
    await expect(makeAgent("/nowhere", name)).rejects.toThrow("cannot be an agent's name");
  },
);

test.each(["common", "dashboard", "orchestrator-2"])("%s is a part of Signalbox, and no agent", async (name) => {
  await expect(makeAgent(repositoryRoot, name)).rejects.toThrow("a part of Signalbox itself");
});

test("an agent that is there is not written over", async () => {
  await using copy = await copyOfRepository();
  await expect(makeAgent(copy.root, "echo-agent")).rejects.toThrow("is there already");
});
