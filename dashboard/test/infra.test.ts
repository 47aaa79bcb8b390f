import { expect } from "vitest";
import { nextId } from "./records.ts";
import type { ScriptedFleet } from "./scripted-fleet.ts";
import { listOf } from "./scripted-service.ts";
import { browserTest } from "./stage.ts";

const ago = (minutes: number) => new Date(Date.now() - minutes * 60_000).toISOString();

const drifts = [
  {
    ...{ resource: "service/shop-api", field: "plan", expected: "starter", actual: "standard", kind: "changed" },
    ...{ since: ago(20), taskId: null },
    whoCanTell: { at: ago(21), by: "ada@example.com", what: "UpdateService" },
  },
  {
    ...{ resource: "service/shop-old", field: "", expected: "absent", actual: "present", kind: "extra" },
    ...{ since: ago(90), taskId: null, whoCanTell: null },
  },
];

async function addRender(fleet: ScriptedFleet) {
  const render = await fleet.add("renderctl");
  render.on("GET /render/drift", () => listOf(...drifts));
  return render;
}

browserTest("a drift says who did the last thing to its resource", async ({ fleet, open }) => {
  await addRender(fleet);
  const page = await open("/infra?tab=drift");
  await page.getByText("2 differences in 2 resources.").waitFor();

  const row = page.getByRole("row", { name: /plan starter standard/ });
  await row.getByText("ada@example.com UpdateService, 21 min ago").waitFor();
  await page
    .getByRole("row", { name: /shop-old not in the blueprint/ })
    .getByText("not known")
    .waitFor();
});

browserTest("a tab that is loaded again and again asks for drift once", async ({ fleet, open }) => {
  const render = await addRender(fleet);
  const page = await open("/");
  const item = page.getByText("2 resources have drifted");
  await item.waitFor();
  for (let round = 0; round < 3; round++) {
    await page.reload();
    await item.waitFor();
  }

  expect(render.countOf("GET /render/drift")).toBe(1);
});

browserTest("putting one resource back is a plan that is read first, then applied by its id", async (stage) => {
  const render = await addRender(stage.fleet);
  const [planId, applyId] = [nextId(), nextId()];
  const change = { field: "plan", from: "standard", to: "starter" };
  const about = {
    id: "1",
    resource: "service/shop-api",
    action: "update",
    causesDeploy: true,
    reason: null,
    after: [],
  };
  render.on("POST /render/drift/revert", () => ({
    body: {
      ...{ planId, fingerprint: "f", expiresAt: new Date(Date.now() + 900_000).toISOString() },
      steps: [{ ...about, changes: [change] }],
      ...{ blocked: [], unmanaged: [], orphans: [], needsValue: [], unsupported: [] },
    },
  }));
  render.on("POST /render/blueprint/apply", () => ({ status: 202, body: { applyId, taskId: nextId() } }));
  stage.expectComplaint(/404/);
  const page = await stage.open("/infra?tab=drift");
  await page.getByRole("button", { name: "Put back service/shop-api" }).click();
  await page.getByText("1 to update, 1 deploy caused.").waitFor();
  expect(await page.getByRole("listitem").filter({ hasText: "service/shop-api" }).textContent()).toContain(
    "planstandard→ becomes starter",
  );
  await page.getByRole("button", { name: /^Apply plan/ }).click();
  await page
    .getByRole("dialog")
    .getByRole("button", { name: /^Apply plan/ })
    .click();
  await page.waitForURL(`**/infra?tab=plan&apply=${applyId}`);

  const sent = render.asked.filter(({ method }) => method === "POST").map(({ body }) => body);
  expect(sent).toEqual([{ items: [{ resource: "service/shop-api" }] }, { planId }]);
});

browserTest("taking in what is live shows the patch, and what is left to a person", async ({ fleet, open }) => {
  const render = await addRender(fleet);
  const left = [{ resource: "service/shop-old", field: "", reason: "has no entry to be changed" }];
  render.on("POST /render/drift/adopt", () => ({
    body: {
      path: "infra/render.blueprint.yaml",
      patch: "-    plan: starter\n+    plan: standard\n",
      adopted: [],
      left,
    },
  }));
  const page = await open("/infra?tab=drift");
  await page.getByRole("button", { name: "Take all in" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByText("+    plan: standard").waitFor();
  await dialog.getByText("service/shop-old: has no entry to be changed").waitFor();
  await dialog.getByRole("button", { name: "Copy the patch" }).waitFor();

  expect(render.asked.find(({ method }) => method === "POST")?.body).toEqual({});
});
