import { execFileSync } from "node:child_process";
import { copyFile, mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Adoption, BlueprintPlan, DriftList } from "@signalbox/common/contracts/blueprint.ts";
import type { Task } from "@signalbox/common/contracts/task.ts";
import { buildLog } from "@signalbox/common/log.ts";
import { buildPool } from "@signalbox/common/sql.ts";
import { eventually } from "@signalbox/testing/eventually.ts";
import { repositoryRoot } from "@signalbox/testing/repository.ts";
import { expect, test } from "vitest";
import { repository } from "./blueprints.fixture.ts";
import { buildTaskClient } from "./clients/orchestrator.ts";
import { buildRenderClient } from "./clients/render-client.ts";
import { buildKeyedHash } from "./keyed-hash.ts";
import { buildDriftWatch } from "./loops/drift.ts";
import { buildPlanner } from "./loops/planner.ts";
import { buildWorkspace } from "./loops/workspace.ts";
import { type Items, startRenderctl, takeNotices } from "./renderctl.fixture.ts";
import { buildBlueprintStore } from "./store/blueprints.ts";

test("a change by hand is one drift with its own time, a revert ends it, and no value is shown", async () => {
  await using renderctl = await startRenderctl({ render: { hasLimits: false }, env: { RENDER_REPO: repository } });
  const { render, call } = renderctl;
  const apply = async () => {
    const { body } = await call("/render/blueprint/apply", { method: "POST", body: { dryRun: false } });
    await renderctl.until(body.taskId, ({ status }) => status === "completed" || status === "failed");
  };
  const drifts = async () => (await call<DriftList>("/render/drift")).body.items;
  await apply();
  expect(await drifts()).toEqual([]);
  const logging = render.state.services.find(({ name }) => name === "signalbox-logging");
  if (!logging) throw new Error("no logging");
  logging.details.healthCheckPath = "/";
  const [first] = await drifts();
  expect(first).toEqual({
    resource: "service/signalbox-logging",
    field: "healthCheckPath",
    kind: "changed",
    expected: "/health",
    actual: "/",
    since: expect.any(String),
    taskId: null,
    whoCanTell: null,
  });
  logging.envVars.set("PORT", "hunter2-value").set("MINE", "hunter2-value");
  const all = await drifts();
  expect(all.map(({ field, kind, expected, actual }) => [field, kind, expected, actual])).toEqual(
    expect.arrayContaining([
      ["healthCheckPath", "changed", "/health", "/"],
      ["envVars.PORT", "changed", "set", "changed"],
      ["envVars.MINE", "extra", "unset", "set"],
    ]),
  );
  expect(all.find(({ field }) => field === "healthCheckPath")?.since).toBe(first?.since);
  expect(JSON.stringify(all)).not.toContain("hunter2");
  await apply();
  expect(await drifts()).toMatchObject([{ field: "envVars.MINE", kind: "extra" }]);
  const items = (await call<Items<unknown>>(`/render/services/${logging.id}/env`)).body.items;
  expect(items).toContainEqual({ key: "MINE", state: "only_live" });
});

/** Our own watch on a fleet that has been applied, with somebody who takes notices. */
async function openWatch() {
  const env = { RENDER_REPO: repository, RENDER_DRIFT_MINUTES: "0" };
  const renderctl = await startRenderctl({ render: { hasLimits: false }, env });
  const { render, call, database, orchestrator, onOrchestrator } = renderctl;
  const chat = await takeNotices(renderctl);
  const pool = buildPool({ url: database.url, name: "test drift", onError: () => undefined });
  const client = buildRenderClient({ baseUrl: render.apiUrl, token: render.token });
  const tasks = buildTaskClient({ url: orchestrator.url, internalKey: "test-internal-key" });
  const logs = buildLog({ service: "renderctl", level: "fatal", format: "json", delivery: null });
  const store = buildBlueprintStore(pool);
  // The key of the service itself: what was seen with another one is another thing.
  const hash = buildKeyedHash("test-internal-key");
  const { ownerId } = buildWorkspace(undefined);
  const planner = buildPlanner({ client, store, ownerId, hash, repository, selfId: null });
  const build = (parts: Partial<typeof store> = {}, teller: Partial<typeof tasks> = {}) =>
    buildDriftWatch({
      ...{
        planner,
        store: { ...store, ...parts },
        tasks: { ...tasks, ...teller },
        log: () => logs.log,
        readAudit: async () => [],
        everyMinutes: 0,
      },
    });
  const { signal } = new AbortController();
  return {
    ...renderctl,
    notices: chat.notices,
    build,
    watch: (watch = build()) => watch.watch(signal),
    drifts: async () => (await call<DriftList>("/render/drift")).body.items,
    asking: async () =>
      (await onOrchestrator<Items<Task>>("/tasks?type=render.blueprint.apply&waitingFor=approval")).body.items,
    decide: async ({ id, version }: Task, what: "approve" | "reject") =>
      await onOrchestrator(`/task/${id}/${what}`, { method: "POST", body: { ifVersion: version } }),
    apply: async () => {
      const { body } = await call("/render/blueprint/apply", { method: "POST", body: { dryRun: false } });
      await renderctl.until(body.taskId, ({ status }) => status === "completed");
    },
    service: (name: string) => {
      const found = render.state.services.find((one) => one.name === `signalbox-${name}`);
      if (!found) throw new Error(`no ${name}`);
      return found;
    },
    async [Symbol.asyncDispose]() {
      await Promise.all([client.close(), tasks.close(), pool.end(), logs.close(), chat[Symbol.asyncDispose]()]);
      await renderctl[Symbol.asyncDispose]();
    },
  };
}

test("what differs is proposed and told once, carried out after an approval, and in an untouched account nothing is", async () => {
  await using fleet = await openWatch();
  const { render, watch, asking, notices } = fleet;
  await watch();
  expect([await asking(), notices]).toEqual([[], []]);
  await fleet.apply();
  fleet.service("logging").details.healthCheckPath = "/";
  const writes = render.control.writes().length;
  await watch();
  await watch();
  const [task, ...others] = await asking();
  expect(others).toEqual([]);
  expect(task?.approval?.reason).toContain("service/signalbox-logging healthCheckPath");
  expect(await fleet.drifts()).toMatchObject([{ field: "healthCheckPath", taskId: task?.id }]);
  await eventually(() => notices.length > 0, { what: "the notice" });
  expect(notices).toMatchObject([{ kind: "drift", taskId: task?.id, incident: `task:${task?.id}` }]);
  expect(render.control.writes()).toHaveLength(writes);
  await fleet.decide(task as Task, "approve");
  await fleet.until(task?.id ?? "", ({ status }) => status === "completed");
  expect(await fleet.drifts()).toEqual([]);
  await watch();
  expect([await asking(), notices.length]).toEqual([[], 1]);
});

test("a state that has changed has a task of its own, a no stands while nothing changes, and what is right again asks no more", async () => {
  await using fleet = await openWatch();
  const { watch, asking } = fleet;
  await fleet.apply();
  fleet.service("logging").details.healthCheckPath = "/";
  await watch();
  const [first] = await asking();
  fleet.service("telegram").details.healthCheckPath = "/";
  await watch();
  const [second, ...others] = await asking();
  expect(others).toEqual([]);
  expect(second?.id).not.toBe(first?.id);
  const withdrawn = await fleet.task(first?.id ?? "");
  expect(withdrawn).toMatchObject({
    status: "canceled",
    error: { message: expect.stringContaining(second?.id ?? "?") },
  });
  await fleet.decide(second as Task, "reject");
  await watch();
  expect(await asking()).toEqual([]);
  // As at first, but the task of then was withdrawn: it takes a new one.
  fleet.service("telegram").details.healthCheckPath = "/health";
  await watch();
  const [third] = await asking();
  expect([first?.id, second?.id]).not.toContain(third?.id);
  fleet.service("logging").details.healthCheckPath = "/health";
  await watch();
  expect(await asking()).toEqual([]);
  expect(await fleet.drifts()).toEqual([]);
});

test("a watch that dies after any of its steps is finished by the next one: one task, one notice", async () => {
  await using fleet = await openWatch();
  const { watch, asking, notices } = fleet;
  await fleet.apply();
  fleet.service("logging").details.healthCheckPath = "/";
  const die = async () => {
    throw new Error("killed");
  };
  await expect(watch(fleet.build({}, { tell: die }))).rejects.toThrow("killed");
  expect(notices).toEqual([]);
  await expect(watch(fleet.build({ bindDrifts: die }))).rejects.toThrow("killed");
  await watch();
  expect(await asking()).toHaveLength(1);
  await eventually(() => notices.length > 0, { what: "the notice" });
  await watch();
  expect(notices).toHaveLength(1);
});

test("several processes that see the same in the same moment ask once and tell once", async () => {
  await using fleet = await openWatch();
  await fleet.apply();
  fleet.service("logging").details.healthCheckPath = "/";
  const ends = await Promise.allSettled(Array.from({ length: 4 }, () => fleet.watch(fleet.build())));
  expect(ends.map(({ status }) => status)).toEqual(["fulfilled", "fulfilled", "fulfilled", "fulfilled"]);
  const [task, ...others] = await fleet.asking();
  expect(others).toEqual([]);
  expect(await fleet.drifts()).toMatchObject([{ taskId: task?.id }]);
  await eventually(() => fleet.notices.length > 0, { what: "the notice" });
  await fleet.watch();
  expect([(await fleet.asking()).length, fleet.notices.length]).toEqual([1, 1]);
});

test("who last had a hand in it is named, from Render's audit log where there is one", async () => {
  await using fleet = await openWatch();
  const { render, drifts } = fleet;
  await fleet.apply();
  const { id, name, details, envVars } = fleet.service("logging");
  const ann = { type: "user", email: "ann@example.com" } as const;
  const at = (minutes: number) => new Date(Date.now() + minutes * 60_000).toISOString();
  const note = (event: string, minutes: number, actor: typeof ann | { type: "rest_api" } = ann) =>
    render.control.noteAudit({ event, actor, metadata: { service: id, field: "x" }, timestamp: at(minutes) });
  note("ResumeServiceEvent", -30);
  note("UpdateEnvVarsEvent", -20, { type: "rest_api" });
  note("ViewEnvVarValuesEvent", -10);
  note("SuspendServiceEvent", 10);
  details.healthCheckPath = "/";
  envVars.set("PORT", "1");
  fleet.service("telegram").details.healthCheckPath = "/";
  const found = Object.fromEntries(
    (await drifts()).map(({ resource, field, whoCanTell }: Record<string, unknown>) => [
      `${resource} ${field}`,
      whoCanTell,
    ]),
  );
  expect(found).toEqual({
    [`service/${name} healthCheckPath`]: { at: expect.any(String), by: ann.email, what: "ResumeService" },
    [`service/${name} envVars.PORT`]: { at: expect.any(String), by: "rest_api", what: "UpdateEnvVars" },
    "service/signalbox-telegram healthCheckPath": null,
  });
  const refusal = {
    on: "list-owner-audit-logs",
    kind: "status",
    status: 403,
    message: "not in this plan",
    times: 1,
  } as const;
  render.control.fail(refusal);
  expect((await drifts()).map(({ whoCanTell }: { whoCanTell: unknown }) => whoCanTell)).toEqual([null, null, null]);
});

test("of two drifts one is reverted by a plan of its own, and the other is adopted by a patch that git takes", async () => {
  await using fleet = await openWatch();
  const { call, render } = fleet;
  await fleet.apply();
  fleet.service("logging").details.healthCheckPath = "/";
  fleet.service("telegram").details.healthCheckPath = "/up";
  fleet.service("telegram").envVars.set("MINE", "hunter2-value");
  const writes = render.control.writes().length;
  const items = [{ resource: "service/signalbox-logging", field: "healthCheckPath" }];
  const plan = await call<BlueprintPlan>("/render/drift/revert", { method: "POST", body: { items } });
  expect(plan.body.steps.map(({ id, changes }) => [id, changes])).toEqual([
    ["update:service/signalbox-logging", [{ field: "healthCheckPath", from: "/", to: "/health" }]],
    ["deploy:service/signalbox-logging", []],
  ]);
  const adoption = await call("/render/drift/adopt", { method: "POST", body: {} });
  expect(adoption).toMatchObject({ status: 200, body: { left: [] } });
  expect(adoption.text).not.toContain("hunter2");
  expect(render.control.writes()).toHaveLength(writes);
  const { body } = await call("/render/blueprint/apply", { method: "POST", body: { planId: plan.body.planId } });
  await fleet.until(body.taskId, ({ status }) => status === "completed");
  expect(fleet.service("telegram").details.healthCheckPath).toBe("/up");
  const { patch, adopted } = (await call<Adoption>("/render/drift/adopt", { method: "POST" })).body;
  expect(adopted).toEqual([
    { resource: "service/signalbox-telegram", field: "healthCheckPath" },
    { resource: "service/signalbox-telegram", field: "envVars.MINE" },
  ]);
  await using copy = await copyOfBlueprint();
  copy.apply(patch);
  const next = await call<BlueprintPlan>("/render/blueprint/apply", {
    method: "POST",
    body: { dryRun: true, blueprintPath: copy.path },
  });
  expect([next.body.steps, next.body.unmanaged]).toEqual([[], []]);
  // What was chosen and is in order by now is no plan at all.
  const none = await call<BlueprintPlan>("/render/drift/revert", { method: "POST", body: { items } });
  expect(none.body.steps).toEqual([]);
});

async function copyOfBlueprint() {
  const folder = await mkdtemp(join(tmpdir(), "signalbox-adopt-"));
  await mkdir(join(folder, "infra"));
  const path = join(folder, "infra/render.blueprint.yaml");
  await copyFile(join(repositoryRoot, "infra/render.blueprint.yaml"), path);
  return {
    path,
    apply: (input: string) => execFileSync("git", ["apply", "-"], { cwd: folder, input }),
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true }),
  };
}
