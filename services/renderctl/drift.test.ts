import { expect, test } from "vitest";
import { repository } from "./blueprints.fixture.ts";
import { startRenderctl } from "./renderctl.fixture.ts";

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
