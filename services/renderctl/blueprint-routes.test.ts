import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { BlueprintApply, BlueprintPlan } from "@signalbox/common/contracts/blueprint.ts";
import { eventually } from "@signalbox/testing/eventually.ts";
import { startService } from "@signalbox/testing/service-process.ts";
import { expect, test } from "vitest";
import { repository, shop } from "./blueprints.fixture.ts";
import { type Begun, type Renderctl, sideEffects, startRenderctl } from "./renderctl.fixture.ts";

async function fileOf(text: string) {
  const folder = await mkdtemp(join(tmpdir(), "signalbox-blueprint-"));
  const path = join(folder, "render.yaml");
  await writeFile(path, text);
  return {
    path,
    write: (next: string) => writeFile(path, next),
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true }),
  };
}

const start = (stageMs = 0) =>
  startRenderctl({ render: { hasLimits: false, stageMs }, env: { RENDER_REPO: repository } });
const post = (renderctl: Renderctl, body: unknown, as?: "person" | "service") =>
  renderctl.call<BlueprintPlan & Begun>("/render/blueprint/apply", { method: "POST", body, ...(as && { as }) });
const ended = (renderctl: Renderctl, id: string) =>
  eventually(
    async () => {
      const { body } = await renderctl.call<BlueprintApply>(`/render/applies/${id}`);
      return ["done", "failed"].includes(body.state) && body;
    },
    { what: `the end of apply ${id}`, timeoutMs: 30_000 },
  );

test("dry run, apply, second apply: the plan that was shown is what is done, as a task with its audit", async () => {
  await using file = await fileOf(shop);
  await using renderctl = await start();
  const plan = await post(renderctl, { dryRun: true, blueprintPath: file.path });
  expect(plan).toMatchObject({
    status: 200,
    body: { planId: expect.any(String), needsValue: [{ key: "STRIPE_KEY" }] },
  });
  expect(renderctl.render.control.writes()).toEqual([]);
  const accepted = await post(renderctl, { planId: plan.body.planId });
  expect(accepted).toMatchObject({ status: 202, body: { applyId: expect.any(String), taskId: expect.any(String) } });
  const apply = await ended(renderctl, accepted.body.applyId);
  expect(apply).toMatchObject({ state: "done", actor: "person:operator", taskId: accepted.body.taskId });
  expect(apply.steps.map(({ id }) => id)).toEqual(plan.body.steps.map(({ id }) => id));
  const task = await renderctl.until(accepted.body.taskId, ({ status }) => status === "completed");
  const writes = renderctl.render.control.writes();
  expect(sideEffects(task)).toHaveLength(writes.length);
  expect(task.result).toMatchObject({ applyId: accepted.body.applyId, state: "done" });
  const again = await post(renderctl, { dryRun: false, blueprintPath: file.path });
  expect(again).toMatchObject({ status: 200, body: { applyId: null, steps: [] } });
  expect(renderctl.render.control.writes()).toHaveLength(writes.length);
});

test("a plan that is stale, unknown or not read is refused; a file that is wrong is told line by line", async () => {
  await using file = await fileOf(shop);
  await using renderctl = await start();
  const plan = await post(renderctl, { dryRun: true, blueprintPath: file.path });
  await file.write(shop.replace("value: info", "value: debug"));
  expect(await post(renderctl, { planId: plan.body.planId })).toMatchObject({
    status: 409,
    body: { error: { code: "plan_stale", details: [{ moved: ["service/api"] }] } },
  });
  const unknown = "0190c2a0-0000-7000-8000-000000000000";
  expect(await post(renderctl, { planId: unknown })).toMatchObject({ status: 404 });
  expect(await post(renderctl, { dryRun: false, prune: true })).toMatchObject({ status: 400 });
  for (const body of [{}, undefined, { blueprintPath: file.path }]) {
    const details = [{ path: "/dryRun", message: expect.stringContaining("is required") }];
    expect(await post(renderctl, body)).toMatchObject({ status: 400, body: { error: { details } } });
  }
  expect(await post(renderctl, { blueprintPath: "nowhere.yaml", dryRun: true })).toMatchObject({ status: 400 });
  await file.write(shop.replace("healthCheckPath", "healthCheckPth"));
  expect(await post(renderctl, { dryRun: true, blueprintPath: file.path })).toMatchObject({
    status: 422,
    body: {
      error: { code: "blueprint_invalid", details: [{ line: 22, message: expect.stringContaining("did you mean") }] },
    },
  });
  expect(renderctl.render.control.writes()).toEqual([]);
});

test("while one apply runs another is refused, and says which runs", async () => {
  await using file = await fileOf(shop);
  await using renderctl = await start(300);
  const first = await post(renderctl, { dryRun: false, blueprintPath: file.path });
  expect(await post(renderctl, { dryRun: false, blueprintPath: file.path })).toMatchObject({
    status: 409,
    body: { error: { code: "apply_in_progress", details: [{ applyId: first.body.applyId }] } },
  });
  expect((await ended(renderctl, first.body.applyId)).state).toBe("done");
});

test("what a service asks for waits for approval, and is looked at once more before it is done", async () => {
  await using file = await fileOf(shop);
  await using renderctl = await start();
  const asked = await post(renderctl, { dryRun: false, blueprintPath: file.path }, "service");
  expect(asked.status).toBe(202);
  const waiting = await renderctl.until(asked.body.taskId, ({ waitingFor }) => waitingFor === "approval");
  expect(renderctl.render.control.writes()).toEqual([]);
  await file.write(shop.replace("value: info", "value: debug"));
  const approve = { method: "POST", body: { ifVersion: waiting.version } };
  await renderctl.onOrchestrator(`/task/${waiting.id}/approve`, approve);
  const task = await renderctl.until(waiting.id, ({ status }) => status === "failed");
  expect(task.error).toMatchObject({ code: "plan_stale" });
  expect(renderctl.render.control.writes()).toEqual([]);
});

test("a second process goes on where the first was stopped, and sends nothing twice", async () => {
  await using file = await fileOf(shop);
  await using renderctl = await start(150);
  const { body } = await post(renderctl, { dryRun: false, blueprintPath: file.path });
  await eventually(() => renderctl.render.state.services.length >= 2, { what: "some of the services" });
  const second = await renderctl.start();
  try {
    await renderctl.app.stop();
    // The orchestrator takes the task from the one that has gone when it has said nothing for its time.
    const isDone = async () => (await renderctl.task(body.taskId)).status === "completed";
    await eventually(isDone, { what: "the end of the task", timeoutMs: 75_000, everyMs: 250 });
    expect(renderctl.render.state.services.map(({ name }) => name).sort()).toEqual(["api", "mailer", "site"]);
    for (const { deploys } of renderctl.render.state.services) expect(deploys).toHaveLength(2);
  } finally {
    await second.stop();
  }
}, 120_000);

test("killed with -9 in the middle of an apply: the next process finishes it, and nothing is there twice", async () => {
  await using file = await fileOf(shop);
  await using renderctl = await start(100);
  await renderctl.app.stop();
  const env = {
    ...{ BASIC_AUTH_USER: "operator", BASIC_AUTH_PASS: "a-test-password", INTERNAL_KEY: "test-internal-key" },
    ...{ DATABASE_URL: renderctl.database.url, ORCHESTRATOR_URL: renderctl.orchestrator.url, RENDER_REPO: repository },
    ...{ RENDER_API_TOKEN: renderctl.render.token, RENDER_API_BASE_URL: renderctl.render.apiUrl, LOG_LEVEL: "fatal" },
  };
  const main = "services/renderctl/main.ts";
  const doomed = await startService({ main, env });
  const asked = await fetch(`${doomed.url}/render/blueprint/apply`, {
    method: "POST",
    headers: {
      authorization: `Basic ${Buffer.from("operator:a-test-password").toString("base64")}`,
      "content-type": "application/json",
    },
    body: JSON.stringify({ dryRun: false, blueprintPath: file.path }),
  });
  const { taskId } = (await asked.json()) as { taskId: string };
  await eventually(() => renderctl.render.state.services.length === 2, { what: "the second service", everyMs: 1 });
  await doomed.stop("SIGKILL");
  await using _next = await startService({ main, env });
  const isDone = async () => (await renderctl.task(taskId)).status === "completed";
  await eventually(isDone, { what: "the end of the task", timeoutMs: 90_000, everyMs: 250 });
  const { services, groups, postgres, keyValues } = renderctl.render.state;
  expect(services.map(({ name }) => name).sort()).toEqual(["api", "mailer", "site"]);
  expect([groups.length, postgres.length, keyValues.length]).toEqual([1, 1, 1]);
  for (const { deploys } of services) expect(deploys).toHaveLength(2);
}, 150_000);
