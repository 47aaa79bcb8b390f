import { expect, test } from "vitest";
import { narrowPlan } from "./blueprint-narrow.ts";
import { openWorkshop, shop } from "./blueprints.fixture.ts";

const idsOf = (steps: readonly { id: string }[]) => steps.map(({ id }) => id);

test("what was chosen brings what it needs, and nothing else", async () => {
  await using workshop = await openWorkshop(shop);
  await workshop.apply();
  const { services, postgres } = workshop.render.state;
  const named = (name: string) => services.find((one) => one.name === name);
  postgres.length = 0;
  named("api")?.envVars.delete("DATABASE_URL");
  named("api")?.envVars.set("LOG_LEVEL", "debug");
  named("site")?.envVars.set("API_URL", "elsewhere");
  const { plan } = await workshop.draft();
  const one = narrowPlan(plan, [{ resource: "service/api", field: "envVars.DATABASE_URL" }]);
  expect(idsOf(one.steps)).toEqual(["create:database/db", "update:service/api", "deploy:service/api"]);
  expect(one.steps[1]?.changes.map(({ field }) => field)).toEqual(["envVars.DATABASE_URL"]);
  expect(one.steps[2]).toMatchObject({ reason: "shows envVars.DATABASE_URL", after: ["update:service/api"] });
  const all = narrowPlan(plan, [{ resource: "service/api" }, { resource: "database/db", field: "" }]);
  expect(all.steps[1]?.changes.map(({ field }) => field).sort()).toEqual(["envVars.DATABASE_URL", "envVars.LOG_LEVEL"]);
  expect(idsOf(all.steps)).toEqual(idsOf(one.steps));
  expect(narrowPlan(plan, [{ resource: "service/nobody" }]).steps).toEqual([]);
});
