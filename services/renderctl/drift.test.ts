import { buildLog } from "@signalbox/common/log.ts";
import { buildPool } from "@signalbox/common/sql.ts";
import { expect, test } from "vitest";
import { repository } from "./blueprints.fixture.ts";
import { buildTaskClient } from "./clients/orchestrator.ts";
import { buildRenderClient } from "./clients/render-client.ts";
import { buildKeyedHash } from "./keyed-hash.ts";
import { buildDriftWatch } from "./loops/drift.ts";
import { buildPlanner } from "./loops/planner.ts";
import { buildWorkspace } from "./loops/workspace.ts";
import { startRenderctl } from "./renderctl.fixture.ts";
import { buildBlueprintStore } from "./store/blueprints.ts";

test("a change by hand is one drift with its own time, a revert ends it, and no value is shown", async () => {
  await using renderctl = await startRenderctl({ render: { hasLimits: false }, env: { RENDER_REPO: repository } });
  const { render, call } = renderctl;
  const apply = async () => {
    const { body } = await call("/render/blueprint/apply", { method: "POST", body: {} });
    await renderctl.until(body.taskId, ({ status }) => status === "completed" || status === "failed");
  };
  const drifts = async () => (await call("/render/drift")).body.items;
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
  });
  logging.envVars.set("PORT", "hunter2-value").set("MINE", "hunter2-value");
  const all = await drifts();
  expect(
    all.map(({ field, kind, expected, actual }: Record<string, string>) => [field, kind, expected, actual]),
  ).toEqual(
    expect.arrayContaining([
      ["healthCheckPath", "changed", "/health", "/"],
      ["envVars.PORT", "changed", "set", "changed"],
      ["envVars.MINE", "extra", "unset", "set"],
    ]),
  );
  expect(all.find(({ field }: { field: string }) => field === "healthCheckPath").since).toBe(first.since);
  expect(JSON.stringify(all)).not.toContain("hunter2");
  await apply();
  expect(await drifts()).toMatchObject([{ field: "envVars.MINE", kind: "extra" }]);
  const items = (await call(`/render/services/${logging.id}/env`)).body.items;
  expect(items).toContainEqual({ key: "MINE", state: "only_live" });
});

test("what differs is proposed once as an apply that waits for a person, and in an untouched account nothing is", async () => {
  await using renderctl = await startRenderctl({ render: { hasLimits: false }, env: { RENDER_REPO: repository } });
  const { render, call, database, orchestrator } = renderctl;
  const pool = buildPool({ url: database.url, name: "test drift", onError: () => undefined });
  const client = buildRenderClient({ baseUrl: render.apiUrl, token: render.token });
  const tasks = buildTaskClient({ url: orchestrator.url, internalKey: "test-internal-key" });
  const logs = buildLog({ service: "renderctl", level: "fatal", format: "json", delivery: null });
  try {
    const store = buildBlueprintStore(pool);
    // The key of the service itself: what was seen with another one is another thing.
    const hash = buildKeyedHash("test-internal-key");
    const { ownerId } = buildWorkspace(undefined);
    const planner = buildPlanner({ client, store, ownerId, hash, repository, selfId: null });
    const drift = buildDriftWatch({ planner, store, tasks, log: () => logs.log, everyMinutes: 0 });
    const { signal } = new AbortController();
    const proposed = async () =>
      (await renderctl.onOrchestrator("/tasks?type=render.blueprint.apply&waitingFor=approval")).body.items;
    await drift.watch(signal);
    expect(await proposed()).toEqual([]);
    const { body } = await call("/render/blueprint/apply", { method: "POST", body: {} });
    await renderctl.until(body.taskId, ({ status }) => status === "completed");
    const logging = render.state.services.find(({ name }) => name === "signalbox-logging");
    if (logging) logging.details.healthCheckPath = "/";
    const writes = render.control.writes().length;
    await drift.watch(signal);
    await drift.watch(signal);
    const [task, ...others] = await proposed();
    expect(others).toEqual([]);
    expect(task.approval.reason).toContain("service/signalbox-logging healthCheckPath");
    expect(render.control.writes()).toHaveLength(writes);
    await renderctl.onOrchestrator(`/task/${task.id}/approve`, { method: "POST", body: { ifVersion: task.version } });
    await renderctl.until(task.id, ({ status }) => status === "completed");
    expect((await call("/render/drift")).body.items).toEqual([]);
  } finally {
    await Promise.all([client.close(), tasks.close(), pool.end(), logs.close()]);
  }
});
