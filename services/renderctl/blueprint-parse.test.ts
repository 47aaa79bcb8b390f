import { expect, test } from "vitest";
import { blueprintOf, problemsOf } from "./blueprint.fixture.ts";

const valid = `services:
  - type: web
    name: api
    runtime: node
    plan: pro plus
    buildCommand: npm ci
    startCommand: npm start
    rootDir: ./apps/api/
    autoDeploy: false
    healthCheckPath: /health
    domains: [b.example, a.example]
    envVars:
      - key: PORT
        value: 8080
      - key: TOKEN
        sync: false
      - key: SALT
        generateValue: true
      - fromGroup: shared
      - key: DATABASE_URL
        fromDatabase: { name: db, property: connectionString }
  - type: web
    name: site
    runtime: static
    buildCommand: npm run build
    staticPublishPath: ./dist/
  - type: keyvalue
    name: cache
    ipAllowList: []
databases:
  - name: db
    plan: basic-256mb
envVarGroups:
  - name: shared
    envVars:
      - key: LOG_LEVEL
        value: info
`;

test("a blueprint is read in one spelling, whatever its author's was", () => {
  const { resources } = blueprintOf(valid);
  expect(resources.map(({ kind, name }) => `${kind}/${name}`)).toEqual([
    "envgroup/shared",
    "database/db",
    "service/api",
    "service/site",
    "keyvalue/cache",
  ]);
  expect(resources[2]).toMatchObject({
    type: "web_service",
    fields: {
      runtime: "node",
      plan: "pro_plus",
      rootDir: "apps/api",
      autoDeployTrigger: "off",
      domains: ["a.example", "b.example"],
    },
    defaults: { region: "oregon" },
    env: [
      { key: "PORT", source: { kind: "value", value: "8080" } },
      { key: "TOKEN", source: { kind: "by-hand" } },
      { key: "SALT", source: { kind: "generated" } },
      { key: "DATABASE_URL", source: { kind: "database", name: "db", property: "connectionString" } },
    ],
    groups: ["shared"],
  });
  expect(resources[3]).toMatchObject({ type: "static_site", fields: { staticPublishPath: "dist" } });
  expect(resources[1]).toMatchObject({ fields: { plan: "basic_256mb" }, defaults: { region: "oregon" } });
});

test.each([
  ["broken YAML", "services: [", "1 is not valid YAML"],
  ["no mapping", "- 1", "1 the file must be object"],
  [
    "a list that is spelled wrong",
    valid.replace("databases:", "database:"),
    "30 database is not a known member; did you mean databases?",
  ],
  [
    "a field that is spelled wrong",
    valid.replace("buildCommand: npm ci", "buildComand: npm ci"),
    '6 services "api": buildComand is not a known member; did you mean buildCommand?',
  ],
  ["a field of an older format", valid.replace("    runtime: node", "    env: node"), "did you mean runtime?"],
  [
    "a field of another type",
    valid.replace("    plan: pro plus", "    schedule: '* * * * *'"),
    '5 services "api": schedule is not a known member',
  ],
  ["a field of another tool", valid.replace("staticPublishPath:", "publishPath:"), "did you mean staticPublishPath?"],
  ["a deep one", valid.replace("property: connectionString", "propertie: x"), "did you mean property?"],
  ["a plan that is not sold", valid.replace("pro plus", "enormous"), '5 services "api": plan must be one of "free"'],
  [
    "a type that does not exist",
    valid.replace("type: keyvalue", "type: memcache"),
    '27 services "cache": type must be web',
  ],
  ["a service without a runtime", valid.replace("    runtime: node\n", ""), '2 services "api": runtime is required'],
  [
    "two of one name",
    valid.replace("name: site", "name: api"),
    '23 services "api": name is the name of another entry above',
  ],
  [
    "a variable with two sources",
    valid.replace("sync: false", "sync: false\n        value: x"),
    '15 services "api": envVars "TOKEN" needs exactly one of value',
  ],
  ["a variable without a source", valid.replace("sync: false", "sync: true"), "needs exactly one of value"],
  [
    "a secret by hand in a group",
    valid.replace("value: info", "sync: false"),
    '35 envVarGroups "shared": envVars cannot hold LOG_LEVEL',
  ],
  ["a variable twice", valid.replace("key: SALT", "key: PORT"), '12 services "api": envVars sets PORT more than once'],
  [
    "a publish path that repeats rootDir",
    valid.replace("staticPublishPath: ./dist/", "rootDir: web\n    staticPublishPath: web/dist"),
    '27 services "site": staticPublishPath repeats rootDir, which it is already relative to; write "dist"',
  ],
  [
    "a database that is a store",
    valid.replace("name: db, property", "name: cache, property"),
    'takes DATABASE_URL from the database "cache", which is a keyvalue here',
  ],
])("%s is refused, with its line", (_name, text, expected) => {
  expect(problemsOf(text).join("\n")).toContain(expected);
});

const pair = (a: string, b: string) => `services:
  - { type: pserv, name: a, runtime: node, envVars: [{ key: OTHER, fromService: { type: pserv, name: b, ${a} } }] }
  - { type: pserv, name: b, runtime: node, envVars: [{ key: OTHER, fromService: { type: pserv, name: a, ${b} } }] }
`;

test("services that need each other are a mistake, told once with the circle", () => {
  expect(problemsOf(pair("property: host", "envVarKey: OTHER"))).toEqual([
    '2 services "a": envVars needs itself: a -> b -> a',
  ]);
});

test("an address that Render gives may go both ways", () => {
  expect(problemsOf(pair("envVarKey: RENDER_EXTERNAL_URL", "property: host"))).toEqual([]);
});

test("what is understood and not carried out is said, not passed over", () => {
  const { unsupported, resources } = blueprintOf(`previews: { generation: automatic }
services:
  - type: web
    name: api
    runtime: node
    initialDeployHook: ./seed
    previews: { generation: manual, plan: starter }
    envVars: [{ key: A, value: x, previewValue: y }]
  - { type: workflow, name: flow, runtime: node, region: ohio, startCommand: x }
projects:
  - name: shop
    environments:
      - { name: production, services: [{ type: worker, name: mailer, runtime: docker }] }
`);
  expect(unsupported.map(({ resource, field }) => `${resource} ${field}`)).toEqual([
    "blueprint projects",
    "blueprint previews.generation",
    "service/api initialDeployHook",
    "service/api previews.plan",
    "service/api envVars.A.previewValue",
    "service/flow type",
  ]);
  expect(resources.map(({ name }) => name)).toEqual(["api", "mailer"]);
});

test("a problem shows no value: it may be a secret", () => {
  const text = valid.replace("value: 8080", "value: { hunter2: 1 }").replace("sync: false", "sync: hunter2");
  expect(problemsOf(text).length).toBeGreaterThan(0);
  expect(problemsOf(text).join()).not.toContain("must be hunter2");
});
