import { eventually } from "@signalbox/testing/eventually.ts";
import { expect, test } from "vitest";
import { type Renderctl, sideEffects, startRenderctl } from "./renderctl.fixture.ts";

const repo = "https://github.com/acme/web";
const vite = ["dist/index.html  0.46 kB │ gzip: 0.30 kB", "✓ built in 1.94s"];

async function startMonitored(
  details: { rootDir?: string; buildCommand: string; publishPath: string },
  monitored = "shop",
) {
  const renderctl = await startRenderctl({
    render: { hasLimits: false },
    env: { RENDER_MONITOR_SERVICES: monitored },
    overrides: { monitorMs: 100 },
  });
  const { control } = renderctl.render;
  control.setRepo({ url: repo, folders: { "": { has: ["package.json"], output: "dist", log: vite } } });
  const { rootDir = "", ...serviceDetails } = details;
  const service = control.addService({ type: "static_site", name: "shop", repo, rootDir, serviceDetails });
  control.deploy(service);
  return Object.assign(renderctl, { service });
}

const stories = async (renderctl: Renderctl) => (await renderctl.call("/render/repairs")).body.items;
const story = (renderctl: Renderctl, state: string) =>
  eventually(async () => (await stories(renderctl)).find((one: { state: string }) => one.state === state), {
    what: `a repair that is ${state}`,
    timeoutMs: 20_000,
    everyMs: 100,
  });

test("a publish path that the build contradicts is corrected, once, with its story in the audit", async () => {
  await using renderctl = await startMonitored({ buildCommand: "npm run build", publishPath: "build" });
  const fixed = await story(renderctl, "fixed");
  expect(fixed).toMatchObject({
    service: { id: renderctl.service.id, name: "shop" },
    cause: "publish_path_missing",
    evidence: ["==> Publish directory build does not exist!"],
    fix: { before: { publishPath: "build" }, after: { publishPath: "dist" } },
    attempts: 1,
  });
  expect(renderctl.service.details.publishPath).toBe("dist");
  expect(renderctl.service.deploys.map(({ status, clearCache }) => `${status} ${clearCache}`)).toEqual([
    "live true",
    "build_failed false",
  ]);
  const task = await renderctl.until(fixed.taskId, ({ status }) => status === "completed");
  expect(sideEffects(task)).toEqual(["PATCH update-service", "POST create-deploy"]);
});

test("a fix that does not help is taken back, tried no second time, and a person is told", async () => {
  await using renderctl = await startMonitored({ buildCommand: "npm run build", publishPath: "build" });
  const { control } = renderctl.render;
  const log = [...vite, "==> Publish directory dist does not exist!"];
  control.scriptBuild({ serviceId: renderctl.service.id, times: 9, status: "build_failed", log });
  await story(renderctl, "reverted");
  expect(renderctl.service.details.publishPath).toBe("build");
  // The report is written first, then the task that asks a person.
  const reported = (await eventually(
    async () => (await story(renderctl, "reported")).taskId && story(renderctl, "reported"),
    {
      what: "the task of the report",
      timeoutMs: 30_000,
    },
  )) as { taskId: string };
  const waiting = await renderctl.until(reported.taskId, ({ waitingFor }) => waitingFor === "approval");
  expect(waiting).toMatchObject({
    type: "render.deploy",
    approval: { reason: expect.stringContaining("publish_path_missing") },
  });
  expect(renderctl.service.deploys).toHaveLength(2);
  expect(await stories(renderctl)).toHaveLength(2);
});

test("what is no matter of settings is left alone and told, and a service that is not listed is not even looked at", async () => {
  await using renderctl = await startMonitored({ buildCommand: "npm run build", publishPath: "dist" });
  const { control } = renderctl.render;
  const log = ["src/a.ts(3,1): error TS2304: Cannot find name 'x'.", "==> Publish directory dist does not exist!"];
  control.scriptBuild({ serviceId: renderctl.service.id, times: 1, status: "build_failed", log });
  const other = control.addService({
    type: "static_site",
    name: "other",
    repo,
    serviceDetails: { buildCommand: "x", publishPath: "y" },
  });
  control.deploy(renderctl.service);
  control.deploy(other);
  expect(await story(renderctl, "reported")).toMatchObject({ cause: "compile_error", fix: null });
  expect(renderctl.render.control.writes()).toEqual([]);
  expect(await stories(renderctl)).toHaveLength(1);
});

test("a look-alike task with nobody's repair does nothing", async () => {
  await using renderctl = await startMonitored({ buildCommand: "npm run build", publishPath: "dist" });
  const repairId = "0190c2a0-0000-7000-8000-000000000000";
  const { id } = await renderctl.makeTask({ type: "renderctl.repair", payload: { repairId } }, "service");
  expect((await renderctl.until(id, ({ status }) => status === "failed")).error).toMatchObject({ code: "not_found" });
  expect(renderctl.render.control.writes()).toEqual([]);
});
