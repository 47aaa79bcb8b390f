import type { Task } from "@signalbox/common/contracts/task.ts";
import { buildLog } from "@signalbox/common/log.ts";
import { buildPool } from "@signalbox/common/sql.ts";
import { eventually } from "@signalbox/testing/eventually.ts";
import { expect, test } from "vitest";
import { names, readCase } from "./build-logs.fixture.ts";
import { buildTaskClient } from "./clients/orchestrator.ts";
import { buildRenderClient } from "./clients/render-client.ts";
import { buildMonitor } from "./loops/monitor.ts";
import { buildWorkspace } from "./loops/workspace.ts";
import type { Service } from "./render-shapes.ts";
import { type Items, type Renderctl, sideEffects, startRenderctl, takeNotices } from "./renderctl.fixture.ts";
import type { SiteSettings } from "./repair-fix.ts";
import { buildRepairStore } from "./store/repairs.ts";

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

/** As much of a repair as is read below. */
type Told = {
  state: string;
  taskId: string;
  deployId: string;
  service: { name: string };
  fix: { after: unknown } | null;
};

const stories = async (renderctl: Renderctl) => (await renderctl.call<Items<Told>>("/render/repairs")).body.items;
const story = (renderctl: Renderctl, state: string) =>
  eventually(async () => (await stories(renderctl)).find((one) => one.state === state), {
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
  const reported = await story(renderctl, "reported");
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

type MonitorWish = {
  events?: string[];
  monitored?: string[];
  siteOf?: (service: Service) => Promise<SiteSettings | null>;
};

/** A monitor of our own beside a renderctl whose monitor watches nobody. */
function openMonitor(
  { database, render, orchestrator }: Renderctl,
  { events = [], monitored = ["shop"], siteOf = async () => null }: MonitorWish,
) {
  const pool = buildPool({ url: database.url, name: "test monitor", onError: () => undefined });
  const client = buildRenderClient({ baseUrl: render.apiUrl, token: render.token });
  const tasks = buildTaskClient({ url: orchestrator.url, internalKey: "test-internal-key" });
  const logs = buildLog({ service: "renderctl", level: "fatal", format: "json", delivery: null });
  const store = buildRepairStore(pool);
  const build = (insert: typeof store.insert) =>
    buildMonitor({
      ...{ client, tasks, workspace: buildWorkspace(undefined), planner: { siteOf } },
      ...{ repairs: { ...store, insert }, monitored, log: () => logs.log, everyMs: 0 },
    });
  return {
    dying: build(async () => {
      events.push("died");
      throw new Error("killed");
    }),
    living: build(store.insert),
    [Symbol.asyncDispose]: async () => {
      await Promise.all([client.close(), tasks.close(), pool.end(), logs.close()]);
    },
  };
}

test("a monitor that dies before it wrote its report has asked a person already, and the next one asks nobody again", async () => {
  await using renderctl = await startMonitored({ buildCommand: "npm run build", publishPath: "dist" }, "nobody");
  const { control } = renderctl.render;
  const scripted = (log: string[]) =>
    control.scriptBuild({ serviceId: renderctl.service.id, times: 1, status: "build_failed", log });
  scripted(["src/a.ts(3,1): error TS2304: Cannot find name 'x'."]);
  control.deploy(renderctl.service);
  const events: string[] = [];
  await using monitor = openMonitor(renderctl, { events });
  const { signal } = new AbortController();
  const asked = async () => (await renderctl.onOrchestrator<Items<Task>>("/tasks?waitingFor=approval")).body.items;
  await expect(monitor.dying.look(signal)).rejects.toThrow("killed");
  expect([events, await stories(renderctl)]).toEqual([["died"], []]);
  const [task, ...others] = await asked();
  expect(others).toEqual([]);
  expect(task).toMatchObject({ type: "render.deploy", payload: { serviceId: renderctl.service.id } });
  // Its log has grown meanwhile, so the next one would word it otherwise.
  const [deploy] = renderctl.service.deploys;
  const atMs = (deploy?.finishedAtMs ?? 0) + 1;
  renderctl.service.logs.push({
    id: "late",
    atMs,
    type: "build",
    message: "src/b.ts(1,1): error TS1005: ';' expected.",
  });
  await monitor.living.look(signal);
  await monitor.living.look(signal);
  expect(await stories(renderctl)).toMatchObject([{ state: "reported", cause: "compile_error", taskId: task?.id }]);
  expect(await asked()).toHaveLength(1);
});

test("who takes notices is told of a repair once", async () => {
  await using renderctl = await startMonitored({ buildCommand: "npm run build", publishPath: "dist" });
  await using chat = await takeNotices(renderctl);
  renderctl.service.details.publishPath = "build";
  renderctl.render.control.deploy(renderctl.service);
  const fixed = await story(renderctl, "fixed");
  const news = await eventually(() => chat.notices.find(({ kind }) => kind === "deploy.repaired"), {
    what: "the news",
  });
  expect(news).toMatchObject({
    text: expect.stringContaining('publishPath is now "dist"'),
    taskId: fixed.taskId,
    incident: `deploy:${renderctl.service.id}:${fixed.deployId}`,
  });
  expect(chat.notices).toHaveLength(1);
});

test("of all the build logs each recognisable one is repaired with the right settings, and each look-alike is left alone", async () => {
  const env = { RENDER_MONITOR_SERVICES: names.join(",") };
  await using renderctl = await startRenderctl({
    render: { hasLimits: false },
    env,
    overrides: { monitorMs: 3_600_000 },
  });
  const { control } = renderctl.render;
  const siteOf = async ({ name }: Service) => readCase(name).patient.blueprint;
  await using monitor = openMonitor(renderctl, { monitored: names, siteOf });
  const { signal } = new AbortController();
  for (const name of names) {
    const { expected, failed, patient } = readCase(name);
    const { rootDir, ...serviceDetails } = patient.live;
    const isSite = patient.type === "static_site";
    const details = isSite
      ? serviceDetails
      : { runtime: "node", envSpecificDetails: { buildCommand: "x", startCommand: "y" } };
    const service = control.addService({ type: patient.type, name, repo, rootDir, serviceDetails: details });
    const status = failed.status as "build_failed";
    control.scriptBuild({ serviceId: service.id, times: 1, status, log: failed.lines, failure: failed.failure ?? {} });
    control.deploy(service);
    const before = { ...service.details, rootDir: service.rootDir };
    // Bounds are facts of their own; here every log is the first of its day.
    await renderctl.database.pool.query("delete from render_repairs");
    await monitor.living.look(signal);
    if (expected.fix === null) {
      expect([name, service.deploys.length, { ...service.details, rootDir: service.rootDir }]).toEqual([
        name,
        1,
        before,
      ]);
    } else {
      const fixed = await story(renderctl, "fixed");
      expect([name, fixed.service.name, fixed.fix?.after]).toEqual([name, name, expected.fix]);
      const now = { ...service.details, rootDir: service.rootDir };
      expect([name, now]).toEqual([name, { ...before, ...expected.fix }]);
      expect([name, service.deploys.map(({ status: end }) => end)]).toEqual([name, ["live", "build_failed"]]);
    }
    renderctl.render.state.services.splice(0);
  }
}, 120_000);
