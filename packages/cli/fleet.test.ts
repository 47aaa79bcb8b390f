import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { freshDatabase } from "@signalbox/testing/database.ts";
import { eventually } from "@signalbox/testing/eventually.ts";
import pg from "pg";
import { expect, test } from "vitest";
import { type FixtureFleet, fixtureFleet } from "./fixtures/fleet-fixture.ts";
import type { FleetFile } from "./fleet-file.ts";
import { findProcessIdentity } from "./process-identity.ts";

function pidOf(file: FleetFile, name: string): number {
  const service = file.services[name];
  if (service?.state !== "running") throw new Error(`${name} is not running`);
  return service.pid;
}

async function askHealth(fleet: FixtureFleet, offset: number): Promise<number> {
  const response = await fetch(`http://127.0.0.1:${fleet.portBase + offset}/health`);
  return ((await response.json()) as { pid: number }).pid;
}

test.concurrent("a started fleet is found through fleet.json, which only its owner can read", async () => {
  await using db = await freshDatabase();
  await using fleet = await fixtureFleet({ env: { DATABASE_URL: db.url } });
  await fleet.handle.start();

  const file = await fleet.readFile();
  expect(file.databaseUrl).toBe(db.url);
  expect(file.dashboard.url).toBe(`http://127.0.0.1:${fleet.portBase + 80}`);
  expect(Object.keys(file.services)).toEqual(["orchestrator", "logging", "echo-agent"]);
  expect(pidOf(file, "logging")).toBe(await askHealth(fleet, 1));
  expect((await stat(join(fleet.home, "fleet.json"))).mode & 0o777).toBe(0o600);
  expect((await stat(join(fleet.home, "env"))).mode & 0o777).toBe(0o600);
});

test.concurrent("after a stop no process of the fleet is left and fleet.json is gone", async () => {
  await using fleet = await fixtureFleet();
  await fleet.handle.start();
  const file = await fleet.readFile();
  const postmaster = Number((await readFile(join(fleet.home, "postgres", "postmaster.pid"), "utf8")).split("\n")[0]);
  const pids = [...Object.keys(file.services).map((name) => pidOf(file, name)), postmaster];

  await fleet.handle.stop(false);
  expect(await Promise.all(pids.map(findProcessIdentity))).toEqual([null, null, null, null]);
  await expect(fleet.readFile()).rejects.toThrow("ENOENT");
});

test.concurrent("a killed service is back with its new process in fleet.json", async () => {
  await using db = await freshDatabase();
  await using fleet = await fixtureFleet({ env: { DATABASE_URL: db.url } });
  await fleet.handle.start();
  const before = pidOf(await fleet.readFile(), "echo-agent");

  process.kill(before, "SIGKILL");
  const after = await eventually(async () => {
    const pid = pidOf(await fleet.readFile(), "echo-agent");
    return pid !== before && pid;
  });
  expect(await askHealth(fleet, 2)).toBe(after);
  expect(fleet.said()).toContain("echo-agent ended (by SIGKILL); it is started again in 0.25 s");
});

test.concurrent("a killed PostgreSQL is back with its data", async () => {
  await using fleet = await fixtureFleet();
  const { databaseUrl } = await fleet.handle.start();
  const query = async (text: string) => {
    const client = new pg.Client({ connectionString: databaseUrl });
    client.on("error", () => undefined);
    try {
      await client.connect();
      return (await client.query(text)).rows;
    } finally {
      await client.end();
    }
  };
  await query("create table kept as select 42 as answer");
  const pidFile = join(fleet.home, "postgres", "postmaster.pid");
  process.kill(Number((await readFile(pidFile, "utf8")).split("\n")[0]), "SIGKILL");

  await eventually(() => fleet.said().includes("PostgreSQL is back"), { timeoutMs: 30_000 });
  expect(await query("select answer from kept")).toEqual([{ answer: 42 }]);
});

test.concurrent("a service gets the fleet's addresses and secrets, and nothing of the supervisor's environment", async () => {
  await using db = await freshDatabase();
  await using fleet = await fixtureFleet({ env: { DATABASE_URL: db.url, INTERNAL_KEY: "chosen-by-hand", PORT: "1" } });
  await fleet.handle.start();
  const env = (await (await fetch(`http://127.0.0.1:${fleet.portBase + 2}/env`)).json()) as Record<string, string>;
  expect(env).toMatchObject({
    PORT: String(fleet.portBase + 2),
    HOST: "127.0.0.1",
    PUBLIC_URL: `http://127.0.0.1:${fleet.portBase + 2}`,
    ORCHESTRATOR_URL: `http://127.0.0.1:${fleet.portBase}`,
    LOGGING_URL: `http://127.0.0.1:${fleet.portBase + 1}`,
    INTERNAL_KEY: "chosen-by-hand",
    WS_ALLOWED_ORIGINS: `http://127.0.0.1:${fleet.portBase + 80},http://localhost:${fleet.portBase + 80}`,
  });
  expect(env.VITEST).toBeUndefined();
});

test.concurrent("a service that does not start ends the boot with its last line", async () => {
  await using db = await freshDatabase();
  const broken = `process.stderr.write("INTERNAL_KEY is too short\\n"); process.exitCode = 1; process.disconnect();`;
  await using fleet = await fixtureFleet({ env: { DATABASE_URL: db.url }, mains: { logging: broken } });
  await expect(fleet.handle.start()).rejects.toThrow(
    "logging does not start (exit code 1): INTERNAL_KEY is too short; its lines above say more",
  );
});

test.concurrent("a second start finds the data of the first", async () => {
  await using fleet = await fixtureFleet();
  const first = await fleet.handle.start();
  const client = new pg.Client({ connectionString: first.databaseUrl });
  await client.connect();
  await client.query("create table kept as select 1 as one");
  await client.end();
  await fleet.handle.stop(false);

  const second = await fleet.handle.start();
  const again = new pg.Client({ connectionString: second.databaseUrl });
  await again.connect();
  expect((await again.query("select one from kept")).rows).toEqual([{ one: 1 }]);
  await again.end();
});
