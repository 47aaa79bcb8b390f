import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { repositoryRoot } from "@signalbox/testing/repository.ts";
import { expect, test } from "vitest";
import { temporaryFolder } from "./fixtures/fleet-fixture.ts";
import { listServices, mostOrchestrators, type PlanOptions, planFleet } from "./fleet-plan.ts";
import { dashboardPortOffset, databasePortOffset, refuseBlockedPort, refuseSharedPort } from "./ports.ts";

const declared = {
  $defs: {
    orchestrator: {
      properties: { PORT: { default: 4000 }, DATABASE_URL: {}, INTERNAL_KEY: {} },
      required: ["DATABASE_URL"],
    },
    logging: { properties: { PORT: { default: 4001 }, LOG_LEVEL: { default: "info" } }, required: ["LOG_LEVEL"] },
    "echo-agent": {
      properties: { PORT: { default: 4002 }, VENDOR_TOKEN: {}, VENDOR_URL: {} },
      required: ["VENDOR_TOKEN", "VENDOR_URL"],
    },
  },
};

async function planned(values: Record<string, string>, orchestrators = 1) {
  const repository = await temporaryFolder();
  await mkdir(join(repository, "infra"));
  await writeFile(join(repository, "infra", "config.schema.json"), JSON.stringify(declared));
  const options: PlanOptions = {
    repository,
    home: "/fleet",
    portBase: 5_000,
    orchestrators,
    dashboardPort: 5_080,
    values,
    databaseUrl: "postgres://db",
  };
  return planFleet(options);
}

test("a service whose required settings are missing is off, with the reason", async () => {
  const services = await planned({ VENDOR_URL: "http://vendor" });
  expect(services.map(({ name, kind }) => [name, kind])).toEqual([
    ["orchestrator", "run"],
    ["logging", "run"],
    ["echo-agent", "off"],
  ]);
  expect(services[2]).toMatchObject({ reason: "VENDOR_TOKEN is not set" });
  expect((await planned({}))[2]).toMatchObject({ reason: "VENDOR_TOKEN, VENDOR_URL are not set" });
  expect((await planned({ VENDOR_TOKEN: "x", VENDOR_URL: "y" }))[2]).toMatchObject({ kind: "run" });
});

test("a service gets the settings that it declares and no others", async () => {
  const [orchestrator] = await planned({ INTERNAL_KEY: "secret", BASIC_AUTH_PASS: "not declared", PATH: "/bin" });
  if (orchestrator?.kind !== "run") throw new Error("the orchestrator is off");
  const { MALLOC_ARENA_MAX, NODE_COMPILE_CACHE, ...env } = orchestrator.plan.env;
  expect(env).toEqual({ PATH: "/bin", PORT: "5000", DATABASE_URL: "postgres://db", INTERNAL_KEY: "secret" });
});

test("further orchestrators run the same program on ports of their own, and no port is used twice", async () => {
  const services = await planned({ VENDOR_TOKEN: "x", VENDOR_URL: "y" }, 10);
  const orchestrators = services.filter(({ role }) => role === "orchestrator");
  expect(orchestrators.map(({ name }) => name).slice(0, 3)).toEqual([
    "orchestrator",
    "orchestrator-2",
    "orchestrator-3",
  ]);
  expect(orchestrators.map(({ port }) => port)).toEqual([
    5_000, 5_041, 5_042, 5_043, 5_044, 5_045, 5_046, 5_047, 5_048, 5_049,
  ]);
  const taken = [...services.map(({ port }) => port), 5_032, 5_080];
  expect(new Set(taken).size).toBe(taken.length);
});

test("the ports of the contract", async () => {
  const services = await listServices(repositoryRoot, 1);
  expect(services.slice(0, 3).map(({ name, portOffset }) => [name, portOffset])).toEqual([
    ["orchestrator", 0],
    ["logging", 1],
    ["echo-agent", 2],
  ]);
});

test("no two services of this repository want one port, nor one of the fleet's own", async () => {
  const services = await listServices(repositoryRoot, mostOrchestrators);
  const offsets = [...services.map(({ portOffset }) => portOffset), dashboardPortOffset, databasePortOffset];
  expect(new Set(offsets).size).toBe(offsets.length);
});

test("two services on one port are named, with what to do", () => {
  const uses = [
    { port: 4003, usedBy: "greeter" },
    { port: 4080, usedBy: "the dashboard" },
    { port: 4003, usedBy: "tester" },
  ];
  expect(() => refuseSharedPort(uses.slice(0, 2))).not.toThrow();
  expect(() => refuseSharedPort(uses)).toThrow(/greeter and tester both want port 4003; .*pnpm generate/);
});

test("a port that browsers refuse is refused before anything starts, by its name", () => {
  const uses = [
    { port: 10_000, usedBy: "orchestrator" },
    { port: 10_000 + dashboardPortOffset, usedBy: "the dashboard" },
  ];
  expect(() => refuseBlockedPort(uses.slice(0, 1))).not.toThrow();
  expect(() => refuseBlockedPort(uses)).toThrow(
    /port 10080, which the dashboard would have; .*SIGNALBOX_PORT_BASE=14000/,
  );
});
