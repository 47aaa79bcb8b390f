import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Built, buildDashboard, readFleet } from "./build.ts";
import { buildPolicy } from "./policy.ts";

let outDir: string;
let built: Built;

beforeAll(async () => {
  outDir = await mkdtemp(join(tmpdir(), "signalbox-build-"));
  built = await buildDashboard({ outDir });
});

afterAll(() => rm(outDir, { recursive: true, force: true }));

const KB = 1024;

function zippedBytes(paths: readonly string[]): number {
  const files = built.files.filter(({ path }) => paths.includes(path));
  return files.reduce((sum, { contents }) => sum + gzipSync(contents, { level: 9 }).length, 0);
}

const scripts = () => built.files.map(({ path }) => path).filter((path) => path.endsWith(".js"));

test("the first load is at most 45 KB of script, all of it 130, the styles 12", () => {
  expect(zippedBytes(built.firstLoad)).toBeLessThanOrEqual(45 * KB);
  expect(zippedBytes(scripts())).toBeLessThanOrEqual(130 * KB);
  expect(zippedBytes(built.files.map(({ path }) => path).filter((path) => path.endsWith(".css")))).toBeLessThanOrEqual(
    12 * KB,
  );
});

test("no screen adds more than 35 KB", () => {
  expect(Object.keys(built.screens)).toEqual(
    expect.arrayContaining(["tail-screens", "new-task", "work-screens", "fleet-screens", "watch-screens"]),
  );
  for (const [screen, paths] of Object.entries(built.screens))
    expect([screen, zippedBytes(paths) <= 35 * KB]).toEqual([screen, true]);
});

test("the page has no inline script or style, and its policy", async () => {
  const page = await readFile(join(outDir, "index.html"), "utf8");
  expect(page).not.toMatch(/<script(?![^>]*\ssrc=)|<style|\sstyle=|\son\w+=/);
  expect(page).toContain(`content="${buildPolicy(null, true)}"`);
  expect(page).not.toMatch(/%[A-Z]+%/);
});

test("the contracts are types only: no validator of the services is bundled", () => {
  const text = built.files
    .filter(({ path }) => path.endsWith(".js"))
    .map(({ contents }) => new TextDecoder().decode(contents))
    .join("");
  expect(text).not.toMatch(/typebox|~kind|ajv/i);
});

test("every file that is not asked for again has its content in its name", async () => {
  const assets = await readdir(join(outDir, "assets"));
  expect(assets.filter((name) => !/-[A-Z0-9]{8}\.(?:js|css)$/.test(name))).toEqual([]);
});

test("a second build with a fleet writes its addresses and closes the policy to them", async () => {
  const fleet = readFleet({
    ORCHESTRATOR_URL: "https://box.example/",
    LOGGING_URL: "https://log.example",
    FLEET_NAME: "mine",
  });
  const folder = await mkdtemp(join(tmpdir(), "signalbox-build-"));
  await buildDashboard({ outDir: folder, fleet });
  await buildDashboard({ outDir: folder, fleet });
  const [page, config] = await Promise.all(
    ["index.html", "config.json"].map((name) => readFile(join(folder, name), "utf8")),
  );
  await rm(folder, { recursive: true, force: true });

  expect(JSON.parse(config ?? "")).toEqual({
    fleet: "mine",
    services: { orchestrator: "https://box.example", logging: "https://log.example" },
  });
  expect(page).toContain(
    "connect-src 'self' https://box.example https://log.example wss://box.example wss://log.example;",
  );
});
