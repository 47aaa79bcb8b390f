import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type Server, startServer } from "@signalbox/testing/embedded-postgres.ts";
import { claimPortRange } from "@signalbox/testing/free-port.ts";
import { findBinaries, reachableBinaries } from "@signalbox/testing/postgres-binaries.ts";
import { openSession } from "@signalbox/testing/session.ts";
import { ensureSystemUser } from "@signalbox/testing/system-user.ts";
import { expect, test } from "vitest";
import { type EmbeddedOptions, openEmbeddedDatabase } from "./embedded-database.ts";
import { temporaryFolder } from "./fixtures/fleet-fixture.ts";

async function place(): Promise<EmbeddedOptions & { warnings: string[] }> {
  const { base: port } = await claimPortRange();
  const warnings: string[] = [];
  const passwords = { password: "service-password", adminPassword: "admin-password" };
  return { home: await temporaryFolder(), port, ...passwords, warnings, onWarning: (text) => void warnings.push(text) };
}

/** A server on the fleet's data that no supervisor knows of. */
async function runOrphan({ home, port }: EmbeddedOptions): Promise<Server> {
  const user = await ensureSystemUser();
  const binaries = await reachableBinaries(findBinaries(), user, home);
  return startServer({ binaries, user, dataDir: join(home, "postgres"), port });
}

test.concurrent("a server that a killed fleet left behind is stopped, and its data taken over", async () => {
  const options = await place();
  const first = await openEmbeddedDatabase(options);
  {
    await using session = await openSession(first.url);
    await session.query("create table kept as select 7 as n");
  }
  await first.stop("fast");
  const orphan = await runOrphan(options);

  const second = await openEmbeddedDatabase(options);
  expect(options.warnings).toEqual([
    `stopping the PostgreSQL (process ${orphan.pid}) that an earlier fleet left running on this data`,
  ]);
  {
    await using session = await openSession(second.url);
    expect((await session.query("select n from kept")).rows).toEqual([{ n: 7 }]);
  }
  await second.stop("fast");
});

test.concurrent("a pid file that names somebody else's process is no obstacle", async () => {
  const options = await place();
  const first = await openEmbeddedDatabase(options);
  const pidFile = join(options.home, "postgres", "postmaster.pid");
  const text = await readFile(pidFile, "utf8");
  await first.stop("fast");
  await writeFile(pidFile, text.replace(/^\d+/, String(process.pid)));

  const second = await openEmbeddedDatabase(options);
  expect(options.warnings).toEqual([]);
  await second.stop("fast");
});

test.concurrent("services are let in with their password only, and are no superusers", async () => {
  const options = await place();
  const database = await openEmbeddedDatabase(options);
  {
    await using session = await openSession(database.url);
    const { rows } = await session.query("select rolname, rolsuper from pg_roles where rolname = current_user");
    expect(rows).toEqual([{ rolname: "signalbox", rolsuper: false }]);
    const settings = await session.query(
      "select current_setting('fsync') as fsync, current_setting('listen_addresses') as at",
    );
    expect(settings.rows).toEqual([{ fsync: "on", at: "127.0.0.1" }]);
  }
  const wrong = database.url.replace("service-password", "guessed");
  await expect(openSession(wrong)).rejects.toThrow("password authentication failed");
  await database.stop("fast");
});

test.concurrent("an env file of another fleet is told from a wrong guess", async () => {
  const options = await place();
  await (await openEmbeddedDatabase(options)).stop("fast");
  await expect(openEmbeddedDatabase({ ...options, adminPassword: "of-another-home" })).rejects.toThrow(
    `the database in ${options.home}/postgres has another password than ${options.home}/env says`,
  );
});

test.concurrent("data of another major version is not touched", async () => {
  const options = await place();
  await (await openEmbeddedDatabase(options)).stop("fast");
  await writeFile(join(options.home, "postgres", "PG_VERSION"), "16\n");
  await expect(openEmbeddedDatabase(options)).rejects.toThrow("was made by PostgreSQL 16, this release runs 18");
});
