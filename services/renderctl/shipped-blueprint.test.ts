import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { buildAjv } from "@signalbox/common/validate.ts";
import { readYaml } from "@signalbox/common/yaml.ts";
import type { RenderStandIn } from "@signalbox/testing/render-stand-in/server.ts";
import { repositoryRoot } from "@signalbox/testing/repository.ts";
import { readVendorDocument } from "@signalbox/testing/vendor-document.ts";
import { expect, test } from "vitest";
import { blueprintOf, problemsOf } from "./blueprint.fixture.ts";
import { findDrifts } from "./blueprint-drift.ts";
import { openWorkshop } from "./blueprints.fixture.ts";

const text = readFileSync(join(repositoryRoot, "infra/render.blueprint.yaml"), "utf8");
const { resources, unsupported } = blueprintOf(text);
/** Every service of the repository, but those that the file says are left out. */
const deployed = readdirSync(join(repositoryRoot, "services")).filter(
  (name) =>
    existsSync(join(repositoryRoot, "services", name, "main.ts")) && !text.includes(`# left out: services/${name}\n`),
);

test("the fleet's own blueprint has all services, the dashboard, a database, a store and a group", () => {
  expect(unsupported).toEqual([]);
  expect(resources.map(({ kind, name }) => `${kind}/${name}`).sort()).toEqual([
    "database/signalbox",
    "envgroup/signalbox",
    "keyvalue/signalbox-doorbell",
    ...["dashboard", ...deployed].map((name) => `service/signalbox-${name}`).sort(),
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

const official = readVendorDocument("renderBlueprint");
test.runIf(official)("Render's own schema accepts it (RENDER_BLUEPRINT_SCHEMA)", () => {
  const validate = buildAjv({ allErrors: true, strict: false }).compile(official ?? {});
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

test.runIf(official)("whatever Render's own schema refuses is refused here too (RENDER_BLUEPRINT_SCHEMA)", () => {
  const validate = buildAjv({ allErrors: false, strict: false }).compile(official ?? {});
  for (const from of odd) {
    for (const to of ["", ...ends]) {
      const changed = text.replace(from, to);
      const read = readYaml(changed);
      const isGood = read.kind === "yaml" && validate(read.value);
      if (!isGood) expect([from, to, problemsOf(changed).length > 0]).toEqual([from, to, true]);
    }
  }
});

type Entry = { [member: string]: unknown };
type Var = { key?: string; value?: unknown; sync?: boolean };
type State = RenderStandIn["state"];

const written = readYaml(text);
const file = (written.kind === "yaml" ? written.value : {}) as Record<string, Entry[]>;
const ordered = (values: unknown) => (Array.isArray(values) ? [...values].sort() : values);
const plain = (path: unknown) => String(path).replace("./", "");

/** Word for word what the file says, with nothing of the comparison that plans and drifts are made of. */
function expectAsWritten({ services, postgres, keyValues, groups }: State): void {
  const [database, group] = [file.databases?.[0], file.envVarGroups?.[0]];
  const store = file.services?.find(({ type }) => type === "keyvalue");
  expect(postgres).toMatchObject([
    { name: "signalbox", plan: "basic_1gb", region: database?.region, diskSizeGB: database?.diskSizeGB },
  ]);
  expect(keyValues).toMatchObject([{ name: store?.name, plan: store?.plan, region: store?.region }]);
  const keys = ((group?.envVars ?? []) as Var[]).map(({ key }) => key);
  expect(ordered([...(groups[0]?.envVars.keys() ?? [])])).toEqual(ordered(keys));
  for (const entry of file.services ?? []) {
    const live = services.find(({ name }) => name === entry.name);
    if (live) expectService(live, entry);
    else expect(entry.type).toBe("keyvalue");
  }
}

function expectService(live: State["services"][number], entry: Entry): void {
  const { name, details, envVars, buildFilter, autoDeployTrigger } = live;
  const own: Entry = { ...details, ...(details.envSpecificDetails as Entry) };
  const isSite = entry.runtime === "static";
  const fields = isSite
    ? ["buildCommand"]
    : ["region", "plan", "runtime", "healthCheckPath", "maxShutdownDelaySeconds", "preDeployCommand"];
  const named = fields.filter((field) => entry[field] !== undefined);
  expect([name, ...named.map((field) => own[field])]).toEqual([name, ...named.map((field) => entry[field])]);
  expect([name, live.type]).toEqual([name, isSite ? "static_site" : "web_service"]);
  if (isSite) expect(plain(own.publishPath)).toBe(plain(entry.staticPublishPath));
  else expect(plain(own.dockerfilePath)).toBe(plain(entry.dockerfilePath));
  expect(autoDeployTrigger).toBe(entry.autoDeployTrigger);
  expect(ordered(buildFilter?.paths)).toEqual(ordered((entry.buildFilter as Entry | undefined)?.paths));
  const given = ((entry.envVars ?? []) as Var[]).filter(({ key, sync }) => key !== undefined && sync !== false);
  expect([name, ordered([...envVars.keys()])]).toEqual([name, ordered(given.map(({ key }) => key))]);
  const values = given.filter(({ value }) => value !== undefined);
  expect(values.map(({ key = "" }) => envVars.get(key))).toEqual(values.map(({ value }) => String(value)));
}

test("an empty account becomes the fleet, everything live; the second apply writes nothing; a change by hand is one drift, and put back none", async () => {
  await using workshop = await openWorkshop(text);
  const { render } = workshop;
  const apply = await workshop.apply();
  expect(apply).toMatchObject({ state: "done", error: null });
  expect(render.state.services).toHaveLength(deployed.length + 1);
  for (const { name, deploys } of render.state.services) expect([name, deploys[0]?.status]).toEqual([name, "live"]);
  const linked = [...(render.state.groups[0]?.serviceIds ?? [])];
  expect(linked).toHaveLength(deployed.length);
  expectAsWritten(render.state);
  const writes = workshop.writes().length;
  expect(await workshop.apply()).toBeNull();
  expect(workshop.writes()).toHaveLength(writes);
  const logging = render.state.services.find(({ name }) => name === "signalbox-logging");
  if (logging) logging.details.healthCheckPath = "/";
  const { plan } = await workshop.draft();
  expect(plan.steps.flatMap(({ changes }) => changes)).toEqual([
    { field: "healthCheckPath", from: "/", to: "/health" },
  ]);
  const drifts = async () => {
    const { scene, plan: now } = await workshop.draft();
    return findDrifts(scene, now.orphans);
  };
  expect(await drifts()).toEqual([
    {
      resource: "service/signalbox-logging",
      field: "healthCheckPath",
      kind: "changed",
      expected: "/health",
      actual: "/",
    },
  ]);
  expect(await workshop.apply()).toMatchObject({ state: "done" });
  expect(await drifts()).toEqual([]);
  expect(workshop.writes().slice(writes)).toEqual([
    `PATCH /services/${logging?.id}`,
    `POST /services/${logging?.id}/deploys`,
  ]);
});
