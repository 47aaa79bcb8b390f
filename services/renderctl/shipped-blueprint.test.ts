import { readFileSync } from "node:fs";
import { join } from "node:path";
import { buildAjv } from "@signalbox/common/validate.ts";
import { readYaml } from "@signalbox/common/yaml.ts";
import { repositoryRoot } from "@signalbox/testing/repository.ts";
import { expect, test } from "vitest";
import { blueprintOf, problemsOf } from "./blueprint.fixture.ts";
import { openWorkshop } from "./blueprints.fixture.ts";

const text = readFileSync(join(repositoryRoot, "infra/render.blueprint.yaml"), "utf8");
const { resources, unsupported } = blueprintOf(text);

test("the fleet's own blueprint has all six services, the dashboard, a database, a store and a group", () => {
  expect(unsupported).toEqual([]);
  expect(resources.map(({ kind, name }) => `${kind}/${name}`).sort()).toEqual([
    "database/signalbox",
    "envgroup/signalbox",
    "keyvalue/signalbox-doorbell",
    ...["dashboard", "echo-agent", "logging", "orchestrator", "posthog-watcher", "renderctl", "telegram"].map(
      (name) => `service/signalbox-${name}`,
    ),
  ]);
  const orchestrator = resources.find(({ name }) => name === "signalbox-orchestrator");
  expect(orchestrator).toMatchObject({
    fields: { preDeployCommand: "node packages/cli/migrate.ts", healthCheckPath: "/health", runtime: "docker" },
  });
});

test("no secret has its value in the file", () => {
  const secret = /PASS|KEY|TOKEN|SECRET|DATABASE_URL|REDIS_URL/;
  const entries = resources.flatMap((one) => ("env" in one ? one.env : []));
  const written = entries.filter(({ key, source }) => secret.test(key) && source.kind === "value");
  expect(written).toEqual([]);
});

const official = process.env.RENDER_BLUEPRINT_SCHEMA;
test(`Render's own schema accepts it${official ? "" : " (not compared: RENDER_BLUEPRINT_SCHEMA names no copy of https://render.com/schema/render.yaml.json)"}`, () => {
  if (!official) return;
  const validate = buildAjv({ allErrors: true, strict: false }).compile(JSON.parse(readFileSync(official, "utf8")));
  const read = readYaml(text);
  expect([validate(read.kind === "yaml" && read.value), validate.errors]).toEqual([true, null]);
});

const odd = [
  ...["type: web", "runtime: docker", "plan: starter", "region: frankfurt", "generateValue: true", "sync: false"],
  ...["fromGroup: signalbox", "dockerContext: .", "value: 0.0.0.0", "ipAllowList: []", "healthCheckPath: /health"],
  ...["property: connectionString", "autoDeployTrigger: commit", 'postgresMajorVersion: "17"', "  paths:"],
];
const ends = [
  "plan: enormous",
  "unknownField: 1",
  "region: moon",
  "value: { a: 1 }",
  "numInstances: 0",
  "runtime: cobol",
];

test.runIf(official)("whatever Render's own schema refuses is refused here too", () => {
  const validate = buildAjv({ allErrors: false, strict: false }).compile(
    JSON.parse(readFileSync(official ?? "", "utf8")),
  );
  for (const from of odd) {
    for (const to of ["", ...ends]) {
      const changed = text.replace(from, to);
      const read = readYaml(changed);
      const isGood = read.kind === "yaml" && validate(read.value);
      if (!isGood) expect([from, to, problemsOf(changed).length > 0]).toEqual([from, to, true]);
    }
  }
});

test("an empty account becomes the fleet, everything live; the second apply writes nothing; a change by hand is one drift", async () => {
  await using workshop = await openWorkshop(text);
  const { render } = workshop;
  const apply = await workshop.apply();
  expect(apply).toMatchObject({ state: "done", error: null });
  expect(render.state.services).toHaveLength(7);
  for (const { name, deploys } of render.state.services) expect([name, deploys[0]?.status]).toEqual([name, "live"]);
  const linked = [...(render.state.groups[0]?.serviceIds ?? [])];
  expect(linked).toHaveLength(6);
  const writes = workshop.writes().length;
  expect(await workshop.apply()).toBeNull();
  expect(workshop.writes()).toHaveLength(writes);
  const logging = render.state.services.find(({ name }) => name === "signalbox-logging");
  if (logging) logging.details.healthCheckPath = "/";
  const { plan } = await workshop.draft();
  expect(plan.steps.flatMap(({ changes }) => changes)).toEqual([
    { field: "healthCheckPath", from: "/", to: "/health" },
  ]);
});
