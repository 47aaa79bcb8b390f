import { ApiError } from "@signalbox/common/errors.ts";
import { readSpans } from "@signalbox/common/yaml-spans.ts";
import { expect, test } from "vitest";
import { adopt } from "./blueprint-adopt.ts";
import type { Chosen } from "./blueprint-narrow.ts";
import { openWorkshop, shop, type Workshop } from "./blueprints.fixture.ts";

async function adoptIn(workshop: Workshop, wanted: Chosen[] | null = null) {
  const { text, scene } = await workshop.draft();
  const parse = (next: string) => {
    try {
      return workshop.planner.parse(next, "render.yaml");
    } catch (error) {
      if (error instanceof ApiError) return null;
      throw error;
    }
  };
  const done = adopt({ live: scene.live, hash: scene.hash, parse, readSpans }, text, wanted);
  const before = text.split("\n");
  const after = done.text.split("\n");
  const lines = {
    gone: before.filter((line) => !after.includes(line)).map((line) => line.trim()),
    come: after.filter((line) => !before.includes(line)).map((line) => line.trim()),
  };
  return { ...done, ...lines };
}

test("what was changed by hand stands in the file afterwards, everything else as before, and nothing differs any more", async () => {
  await using workshop = await openWorkshop(shop);
  const { render } = workshop;
  await workshop.apply();
  const named = (name: string) => {
    const found = render.state.services.find((one) => one.name === name);
    if (!found) throw new Error(`no ${name}`);
    return found;
  };
  named("api").details.healthCheckPath = "/up";
  named("api").details.ipAllowList = [{ cidrBlock: "10.0.0.0/8", description: "office" }];
  named("api").envVars.set("LOG_LEVEL", "hunter2-value").set("EXTRA", "hunter2-value");
  named("mailer").details.autoscaling = {
    ...{ enabled: true, min: 2, max: 6 },
    criteria: { cpu: { enabled: true, percentage: 80 }, memory: { enabled: false, percentage: 60 } },
  };
  named("site").routes = [];
  named("site").envVars.delete("API_URL");
  render.state.groups[0]?.serviceIds.delete(named("mailer").id);
  const postgres = render.state.postgres[0];
  if (postgres) postgres.plan = "basic_1gb";
  const { text, adopted, left, gone, come } = await adoptIn(workshop);
  expect(left).toEqual([]);
  expect(adopted.map(({ resource, field }) => `${resource} ${field}`).sort()).toEqual([
    "database/db plan",
    "service/api envVars.EXTRA",
    "service/api envVars.LOG_LEVEL",
    "service/api healthCheckPath",
    "service/api ipAllowList",
    "service/mailer fromGroup",
    "service/mailer scaling",
    "service/site envVars.API_URL",
    "service/site routes",
  ]);
  expect(come).toEqual([
    "routes: []",
    "healthCheckPath: /up",
    'ipAllowList: [{ source: "10.0.0.0/8", description: office }]',
    "- { key: LOG_LEVEL, sync: false }",
    "- key: EXTRA",
    "sync: false",
    "scaling: { minInstances: 2, maxInstances: 6, targetCPUPercent: 80 }",
    '- { name: db, plan: basic-1gb, postgresMajorVersion: "17", databaseName: shop, diskSizeGB: 5, ipAllowList: [] }',
  ]);
  expect(gone).toHaveLength(7);
  expect(text).not.toContain("hunter2");
  await workshop.write(text);
  const writes = workshop.writes().length;
  expect(await workshop.apply()).toBeNull();
  expect(workshop.writes()).toHaveLength(writes);
  const again = await adoptIn(workshop);
  expect([again.text, again.adopted]).toEqual([text, []]);
});

test("only what is chosen comes in, and what cannot is said with its reason", async () => {
  await using workshop = await openWorkshop(shop);
  await workshop.apply();
  const { services, groups, postgres } = workshop.render.state;
  const api = services.find(({ name }) => name === "api");
  if (api) api.details.healthCheckPath = "/up";
  groups[0]?.envVars.set("REGION", "us");
  api?.envVars.set("LOG_LEVEL", "debug");
  postgres.length = 0;
  const chosen = await adoptIn(workshop, [{ resource: "service/api", field: "healthCheckPath" }]);
  expect(chosen).toMatchObject({ come: ["healthCheckPath: /up"], gone: ["healthCheckPath: /health"], left: [] });
  const others = await adoptIn(workshop, [
    { resource: "envgroup/shared", field: "envVars.REGION" },
    { resource: "database/db" },
    { resource: "service/api", field: "plan" },
    { resource: "service/nobody" },
  ]);
  expect(others.come).toEqual([]);
  expect(others.left.map(({ resource, reason }) => [resource, reason.split(";")[0]])).toEqual([
    ["envgroup/shared", "a group cannot hold a value that is set by hand"],
    ["database/db", "cannot be written into the file by itself"],
    ["service/api", "is no drift"],
    ["service/nobody", "there is not exactly one such live service"],
  ]);
});

test("a service that stands in no file comes in as an entry of its own", async () => {
  await using workshop = await openWorkshop(shop);
  await workshop.apply();
  const { control } = workshop.render;
  control.addService({
    ...{ type: "web_service", name: "legacy", repo: "https://github.com/acme/old", rootDir: "app" },
    serviceDetails: { runtime: "docker", plan: "starter", region: "oregon", healthCheckPath: "/ok" },
  });
  const { text, adopted, left } = await adoptIn(workshop, [{ resource: "service/legacy", field: "" }]);
  expect([adopted, left]).toEqual([[{ resource: "service/legacy", field: "" }], []]);
  await workshop.write(text);
  const { plan, scene } = await workshop.draft();
  expect([plan.steps, plan.blocked]).toEqual([[], []]);
  expect(scene.blueprint.resources.find(({ name }) => name === "legacy")).toMatchObject({
    type: "web_service",
    fields: {
      repo: "https://github.com/acme/old",
      rootDir: "app",
      runtime: "docker",
      plan: "starter",
      region: "oregon",
    },
  });
});
