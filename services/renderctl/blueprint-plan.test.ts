import fc from "fast-check";
import { expect, test } from "vitest";
import { carryOut, emptyAccount, hash, planFor } from "./account-model.fixture.ts";
import { blueprintOf } from "./blueprint.fixture.ts";
import type { Blueprint } from "./blueprint.ts";
import { toFingerprint, whatMoved, whatWasSeen } from "./blueprint-live.ts";
import { withRepository } from "./blueprint-plan.ts";

const repo = "https://github.com/acme/shop";
const read = (text: string) => withRepository(blueprintOf(text), repo);

const shop = `services:
  - type: web
    name: site
    runtime: static
    buildCommand: npm run build
    staticPublishPath: dist
    headers: [{ path: /*, name: X-Frame-Options, value: DENY }]
    envVars:
      - { key: API_URL, fromService: { type: web, name: api, envVarKey: RENDER_EXTERNAL_URL } }
  - type: web
    name: api
    runtime: docker
    plan: starter
    dockerfilePath: ./Dockerfile
    healthCheckPath: /health
    envVars:
      - { key: DATABASE_URL, fromDatabase: { name: db, property: connectionString } }
      - { key: ALLOWED_ORIGIN, fromService: { type: web, name: site, envVarKey: RENDER_EXTERNAL_URL } }
      - { key: STRIPE_KEY, sync: false }
      - { key: LOG_LEVEL, value: info }
      - fromGroup: shared
databases: [{ name: db, plan: basic-256mb, postgresMajorVersion: "17", ipAllowList: [] }]
envVarGroups: [{ name: shared, envVars: [{ key: SALT, generateValue: true }] }]
`;

const idsOf = (plan: { steps: { id: string }[] }) => plan.steps.map(({ id }) => id);

test("an empty account is filled in the order in which things need each other", () => {
  const plan = planFor(read(shop), emptyAccount());
  expect(idsOf(plan)).toEqual([
    "create:envgroup/shared",
    "create:database/db",
    "create:service/site",
    "create:service/api",
    "update:service/site:addresses",
    "link:service/api:shared",
    "deploy:service/site",
    "deploy:service/api",
  ]);
  expect(plan.needsValue).toEqual([{ resource: "service/api", key: "STRIPE_KEY" }]);
  expect(plan.steps.find(({ id }) => id === "create:service/api")).toMatchObject({
    causesDeploy: true,
    after: ["create:database/db", "create:service/site"],
    changes: expect.arrayContaining([
      { field: "envVars.DATABASE_URL", from: "unset", to: "(from db)" },
      { field: "envVars.LOG_LEVEL", from: "unset", to: "set" },
      { field: "repo", from: null, to: repo },
      { field: "autoDeployTrigger", from: null, to: "commit" },
    ]),
  });
});

const made = (blueprint: Blueprint) => carryOut(blueprint, emptyAccount(), planFor(blueprint, emptyAccount()));

test("after it was applied there is nothing left to do", () => {
  expect(planFor(read(shop), made(read(shop)))).toMatchObject({ steps: [], blocked: [] });
});

test("one change by hand is one change back, and nothing beside it", () => {
  const blueprint = read(shop);
  const live = made(blueprint);
  const [api] = live.services.filter(({ name }) => name === "api");
  if (!api) throw new Error("no api");
  api.serviceDetails = { ...api.serviceDetails, healthCheckPath: "/up" };
  api.env = { ...api.env, LOG_LEVEL: hash("debug"), EXTRA: hash("x"), STRIPE_KEY: hash("sk") };
  const plan = planFor(blueprint, live);
  expect(plan.steps).toEqual([
    {
      id: "update:service/api",
      resource: "service/api",
      action: "update",
      changes: [
        { field: "healthCheckPath", from: "/up", to: "/health" },
        { field: "envVars.LOG_LEVEL", from: "set", to: "changed" },
      ],
      causesDeploy: true,
      reason: null,
      after: [],
    },
    expect.objectContaining({ id: "deploy:service/api", after: ["update:service/api"] }),
  ]);
  expect(plan.unmanaged).toEqual([
    { resource: "service/api", field: "envVars.EXTRA", reason: "is not in the blueprint, and stays as it is" },
  ]);
  expect(plan.needsValue).toEqual([]);
});

test("no value and no hash of one is in a plan", () => {
  const text = shop.replace("value: info", "value: hunter2-secret");
  const live = made(read(shop));
  expect(JSON.stringify(planFor(read(text), live))).not.toMatch(/hunter2|h:[0-9a-f]{12}/);
  expect(JSON.stringify(planFor(read(text), emptyAccount()))).not.toMatch(/hunter2|h:[0-9a-f]{12}/);
});

test.each([
  ["region", "plan: basic-256mb", "plan: basic-256mb, region: ohio", "database/db"],
  ["postgresMajorVersion", 'postgresMajorVersion: "17"', 'postgresMajorVersion: "18"', "database/db"],
  ["plan", "plan: basic-256mb", "plan: free", "database/db"],
])("%s cannot change, and the other steps go on", (field, from, to, resource) => {
  const live = made(read(shop.replace("value: info", "value: debug")));
  const plan = planFor(read(shop.replace(from, to)), live);
  expect(plan.blocked).toMatchObject([{ resource, field }]);
  expect(idsOf(plan)).toEqual(["update:service/api", "deploy:service/api"]);
});

test("an address of a service that is made again comes after it", () => {
  const live = made(read(shop));
  live.services = live.services.filter(({ name }) => name !== "api");
  for (const service of live.services) service.env = {};
  const plan = planFor(read(shop), live);
  expect(idsOf(plan).slice(0, 2)).toEqual(["create:service/api", "update:service/site:addresses"]);
  expect(plan.steps[1]?.after).toEqual(["create:service/api"]);
  expect(planFor(read(shop), carryOut(read(shop), live, plan)).steps).toEqual([]);
});

test("the type of a service cannot change, and two of one name are left alone", () => {
  const live = made(read(shop));
  const other = read(
    shop
      .replace("type: web\n    name: api", "type: pserv\n    name: api")
      .replace("    healthCheckPath: /health\n", ""),
  );
  expect(planFor(other, live).blocked).toMatchObject([{ resource: "service/api", field: "type" }]);
  live.services.push(...live.services.filter(({ name }) => name === "api").map((one) => ({ ...one, id: "srv-twin" })));
  expect(planFor(read(shop), live).blocked[0]?.reason).toContain("not clear which one");
});

test("a suspended service is changed and not deployed", () => {
  const live = made(read(shop));
  for (const service of live.services) service.suspended = "suspended";
  const plan = planFor(read(shop.replace("value: info", "value: debug")), live);
  expect(idsOf(plan)).toEqual(["update:service/api"]);
  expect(plan.unmanaged).toMatchObject([{ resource: "service/api", field: "deploy" }]);
});

test("a variable that follows another service's follows it in one plan", () => {
  const text = (value: string) => `services:
  - { type: web, name: a, runtime: node, envVars: [{ key: URL, value: ${value} }] }
  - { type: web, name: b, runtime: node, envVars: [{ key: A_URL, fromService: { type: web, name: a, envVarKey: URL } }] }
`;
  const live = made(read(text("one")));
  const plan = planFor(read(text("two")), live);
  expect(idsOf(plan)).toEqual(["update:service/a", "update:service/b", "deploy:service/a", "deploy:service/b"]);
  expect(plan.steps[1]?.after).toEqual(["update:service/a"]);
  expect(planFor(read(text("two")), carryOut(read(text("two")), live, plan)).steps).toEqual([]);
});

test("a variable of which nobody knows the value is blocked by name, and the rest goes on", () => {
  const text = `services:
  - type: web
    name: a
    runtime: node
    envVars:
      - { key: X, fromService: { type: web, name: nobody, envVarKey: K } }
      - { key: Y, fromService: { type: web, name: b, envVarKey: MISSING } }
      - { key: Z, value: z }
  - { type: web, name: b, runtime: node }
`;
  const plan = planFor(read(text), emptyAccount());
  expect(plan.blocked.map(({ field, reason }) => `${field}: ${reason}`)).toEqual([
    'envVars.X: neither the blueprint nor the account has a service called "nobody"',
    "envVars.Y: service/a takes it from MISSING of service/b, which has no such variable",
  ]);
  expect(idsOf(plan)).toEqual(["create:service/b", "create:service/a"]);
});

test("a group whose variables change makes the services that use it deploy", () => {
  const live = made(read(shop));
  const text = shop.replace(
    "{ key: SALT, generateValue: true }",
    "{ key: SALT, generateValue: true }, { key: B, value: x }",
  );
  expect(idsOf(planFor(read(text), live))).toEqual(["update:envgroup/shared", "deploy:service/api"]);
});

test("the service that carries out a plan is deployed last", () => {
  const live = made(read(shop));
  const text = shop
    .replace("buildCommand: npm run build", "buildCommand: npm run all")
    .replace("value: info", "value: debug");
  const deploys = (selfId: string | null) =>
    idsOf(planFor(read(text), live, { selfId })).filter((id) => id.startsWith("deploy"));
  expect(deploys(null)).toEqual(["deploy:service/site", "deploy:service/api"]);
  expect(deploys("srv-site")).toEqual(["deploy:service/api", "deploy:service/site"]);
});

test("without a repository nothing is made that is built from one", () => {
  const plan = planFor(blueprintOf(shop), emptyAccount());
  expect(plan.blocked.filter(({ field }) => field === "repo").map(({ resource }) => resource)).toEqual([
    "service/site",
    "service/api",
  ]);
});

test("prune deletes what is ours and can be made again, and nothing else", () => {
  const more = `${shop.replace("databases: [", "databases: [{ name: old-db }, ")}  - { name: old-group, envVars: [] }
`.replace(
    "envVarGroups: [{ name: shared, envVars: [{ key: SALT, generateValue: true }] }]",
    `envVarGroups:
  - { name: shared, envVars: [{ key: SALT, generateValue: true }] }`,
  );
  const withOld = more.replace(
    "services:\n",
    `services:
  - { type: web, name: old, runtime: node }
  - { type: web, name: disk, runtime: node, disk: { name: data, mountPath: /data } }
  - { type: web, name: foreign, runtime: node, repo: https://github.com/acme/other }
  - { type: keyvalue, name: old-cache, ipAllowList: [] }
`,
  );
  const live = made(read(withOld));
  const kept = planFor(read(shop), live);
  expect(kept.steps).toEqual([]);
  expect(kept.orphans.map(({ resource, deletable }) => `${resource} ${deletable}`)).toEqual([
    "service/old true",
    "service/disk false",
    "service/foreign false",
    "database/old-db false",
    "keyvalue/old-cache false",
    "envgroup/old-group false",
  ]);
  const managedIds = ["srv-foreign", "dpg-old-db", "red-old-cache", "evg-old-group"];
  const pruned = planFor(read(shop), live, { prune: true, managedIds });
  expect(idsOf(pruned)).toEqual([
    "delete:service/old:srv-old",
    "delete:service/foreign:srv-foreign",
    "delete:envgroup/old-group:evg-old-group",
  ]);
});

test("a fingerprint moves with what is live and wanted, and with nothing else", () => {
  const blueprint = read(shop);
  const live = made(blueprint);
  const before = whatWasSeen(blueprint, live);
  const touched = live.services.map((one) => ({ ...one, updatedAt: "2027-01-01T00:00:00Z", dashboardUrl: "x" }));
  const turned = { ...live, services: touched.reverse() };
  expect(toFingerprint(whatWasSeen(blueprint, turned))).toBe(toFingerprint(before));
  const [one] = turned.services;
  if (one) one.env = { ...one.env, A: hash("new") };
  expect(whatMoved(before, whatWasSeen(blueprint, turned))).toEqual([`service/${one?.name}`]);
  const other = read(shop.replace("value: info", "value: debug"));
  expect(whatMoved(before, whatWasSeen(other, live))).toEqual(["service/api"]);
});

const maybe = <T>(arb: fc.Arbitrary<T>) => fc.option(arb, { nil: undefined });
const key = fc.constantFrom("A", "B", "C", "RENDER_ODD", "PORT");
const value = fc.oneof(fc.string({ maxLength: 5 }), fc.integer());
const envVar = fc.oneof(
  fc.record({ key, value }),
  fc.record({ key, generateValue: fc.constant(true) }),
  fc.record({ key, sync: fc.constant(false) }),
  fc.record({ key, fromDatabase: fc.constant({ name: "db", property: "connectionString" }) }),
  fc.record({ key, fromService: fc.constant({ type: "web", name: "base", property: "host" }) }),
  fc.record({ key, fromService: fc.constant({ type: "web", name: "base", envVarKey: "SOURCE" }) }),
  fc.record({ key, fromService: fc.constant({ type: "web", name: "site", envVarKey: "RENDER_EXTERNAL_URL" }) }),
  fc.record({ key, fromService: fc.constant({ type: "web", name: "api", envVarKey: "RENDER_EXTERNAL_URL" }) }),
);
const envVars = fc
  .tuple(fc.uniqueArray(envVar, { selector: (one) => one.key, maxLength: 4 }), fc.boolean())
  .map(([vars, grouped]) => (grouped ? [...vars, { fromGroup: "shared" }] : vars));
const ips = fc.uniqueArray(fc.constantFrom("0.0.0.0/0", "10.1.2.3", "fe80::/10"), { maxLength: 3 });
const ipAllowList = ips.map((all) => all.map((source) => ({ source })));
const shared = {
  branch: maybe(fc.constantFrom("main", "next")),
  rootDir: maybe(fc.constantFrom("", ".", "./apps/a/", "apps/b")),
  autoDeploy: maybe(fc.boolean()),
  buildCommand: maybe(fc.constantFrom("", " npm ci ", "make")),
  buildFilter: maybe(fc.record({ paths: fc.array(fc.constantFrom("a", "b"), { maxLength: 2 }) })),
  domains: maybe(fc.uniqueArray(fc.constantFrom("a.example", "www.a.example", "b.example"), { maxLength: 3 })),
  envVars,
};
const server = fc.record({
  ...shared,
  type: fc.constant("web"),
  name: fc.constant("api"),
  runtime: fc.constantFrom("node", "docker"),
  plan: maybe(fc.constantFrom("starter", "pro plus", "1c-2g")),
  startCommand: maybe(fc.constantFrom("", "npm start")),
  preDeployCommand: maybe(fc.constantFrom("", "npm run migrate")),
  dockerfilePath: maybe(fc.constantFrom("./Dockerfile", "infra/Dockerfile")),
  dockerContext: maybe(fc.constantFrom(".", "./apps")),
  healthCheckPath: maybe(fc.constantFrom("", "/health")),
  numInstances: maybe(fc.integer({ min: 1, max: 3 })),
  scaling: maybe(fc.record({ minInstances: fc.constant(1), maxInstances: fc.integer({ min: 1, max: 4 }) })),
  disk: maybe(
    fc.record({
      name: fc.constant("d"),
      mountPath: fc.constantFrom("/a", "/b"),
      sizeGB: maybe(fc.constantFrom(1, 20)),
    }),
  ),
  maintenanceMode: maybe(fc.record({ enabled: fc.boolean() })),
  ipAllowList: maybe(ipAllowList),
  region: maybe(fc.constantFrom("oregon", "ohio")),
});
const site = fc.record({
  ...shared,
  type: fc.constant("web"),
  name: fc.constant("site"),
  runtime: fc.constant("static"),
  staticPublishPath: maybe(fc.constantFrom(".", "./dist/", "build")),
  headers: maybe(
    fc.array(
      fc.record({ path: fc.constantFrom("/*", "/a"), name: fc.constantFrom("X", "Y"), value: fc.constant("v") }),
      { maxLength: 3 },
    ),
  ),
  routes: maybe(
    fc.array(
      fc.record({ type: fc.constant("rewrite"), source: fc.constantFrom("/*", "/a"), destination: fc.constant("/i") }),
      { maxLength: 3 },
    ),
  ),
  renderSubdomainPolicy: maybe(fc.constantFrom("enabled", "disabled")),
});
const database = fc.record({
  name: fc.constant("db"),
  plan: maybe(fc.constantFrom("basic-256mb", "pro-4gb", "free")),
  diskSizeGB: maybe(fc.constantFrom(1, 5, 10)),
  databaseName: maybe(fc.constantFrom("app", "other")),
  highAvailability: maybe(fc.record({ enabled: fc.boolean() })),
  ipAllowList: maybe(ipAllowList),
});
const file = fc.record({ api: maybe(server), site: maybe(site), db: maybe(database), group: envVars }).map((all) => {
  const base = {
    type: "web",
    name: "base",
    runtime: "node",
    envVars: [{ key: "SOURCE", value: all.api?.branch ?? "x" }],
  };
  const plain = all.group.filter((one) => "value" in one || "generateValue" in one);
  const content = {
    services: [all.api, all.site, base].filter((one) => one !== undefined),
    databases: all.db ? [all.db] : [],
    envVarGroups: [{ name: "shared", envVars: plain }],
  };
  // YAML holds JSON; a member that is undefined is left out.
  return JSON.stringify(content);
});

test("whatever the blueprint and whatever is live: once the plan is carried out, the next one is empty", () => {
  fc.assert(
    fc.property(file, file, (first, second) => {
      const [before, after] = [read(first), read(second)];
      const live = made(before);
      const plan = planFor(after, live);
      const done = carryOut(after, live, plan);
      expect(idsOf(planFor(after, done))).toEqual([]);
      // What it said it would not do, it did not do.
      expect(planFor(after, done).blocked).toEqual(plan.blocked);
      // No step runs before one that it needs.
      const order = idsOf(plan);
      for (const { id, after: needs } of plan.steps) {
        for (const need of needs) expect(order.indexOf(need)).toBeLessThan(order.indexOf(id));
      }
    }),
    { numRuns: 400 },
  );
});

test("a change is only what really differs: the same file in another spelling plans nothing", () => {
  fc.assert(
    fc.property(file, (text) => {
      const live = made(read(text));
      const content = JSON.parse(text);
      const turned = { ...content, services: [...content.services].reverse() };
      expect(idsOf(planFor(read(JSON.stringify(turned)), live))).toEqual([]);
    }),
    { numRuns: 100 },
  );
});
