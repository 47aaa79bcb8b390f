import { mkdir, stat, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:net";
import { join } from "node:path";
import { emptyDatabase } from "@signalbox/testing/database.ts";
import { claimPortRange } from "@signalbox/testing/free-port.ts";
import { startProcess } from "@signalbox/testing/service-process.ts";
import { openSession } from "@signalbox/testing/session.ts";
import { isRoot } from "@signalbox/testing/system-user.ts";
import { expect, test } from "vitest";
import { temporaryFolder } from "./fixtures/fleet-fixture.ts";

/** Runs `start` until it ends by itself; its exit code and what it said on stderr, or its help. */
async function startRefused(
  env: Record<string, string>,
  args: string[] = [],
): Promise<{ code: number | null; said: string }> {
  const home = env.SIGNALBOX_HOME ?? join(await temporaryFolder(), "home");
  const range = await claimPortRange();
  const portBase = env.SIGNALBOX_PORT_BASE ?? String(range.base);
  await using run = startProcess({
    main: "packages/cli/start.ts",
    args,
    env: { SIGNALBOX_ENV_FILE: "/dev/null", ...env, SIGNALBOX_HOME: home, SIGNALBOX_PORT_BASE: portBase },
  });
  const { code } = await run.exited;
  range.release();
  const said = run
    .output()
    .split("\n")
    .filter((line) => line !== "" && !line.startsWith("Signalbox is starting in"));
  return { code, said: said.join("\n") };
}

async function listenOn(port: number): Promise<Server & AsyncDisposable> {
  // It reads, so that it notices when the other side closes, and never answers.
  const server = createServer((socket) => socket.resume());
  await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
  return server;
}

test.concurrent.each([
  ["nonsense", 'SIGNALBOX_PORT_BASE is "nonsense"; set it to a whole number from 1024 to 65435, for example 4000'],
  ["65500", 'SIGNALBOX_PORT_BASE is "65500"; set it to a whole number from 1024 to 65435, for example 4000'],
])("a port base of %s is refused", async (base, message) => {
  expect(await startRefused({ SIGNALBOX_PORT_BASE: base })).toEqual({
    code: 1,
    said: `Signalbox cannot start: ${message}`,
  });
});

test.concurrent("a busy port is named with the service that needs it", async () => {
  const { base, release } = await claimPortRange();
  await using _busy = await listenOn(base + 1);
  expect(await startRefused({ SIGNALBOX_PORT_BASE: String(base) })).toEqual({
    code: 1,
    said:
      `Signalbox cannot start: port ${base + 1}, which logging needs, is in use by another program; ` +
      "stop that program, or set SIGNALBOX_PORT_BASE to move the whole fleet, for example SIGNALBOX_PORT_BASE=14000",
  });
  release();
});

test.concurrent.each([
  ["not a url", "DATABASE_URL cannot be read; write it as postgres://user:password@host:5432/database"],
  ["mysql://user:hunter2@host/db", "DATABASE_URL cannot be read"],
  [
    "postgres://user:hunter2@127.0.0.1:1/db",
    "cannot use the database of DATABASE_URL at 127.0.0.1:1/db: nothing listens there",
  ],
  ["postgres://user:hunter2@no-such-host.invalid/db", "at no-such-host.invalid/db: there is no such host"],
])("a DATABASE_URL of %s is one sentence without its password", async (url, message) => {
  const { code, said } = await startRefused({ DATABASE_URL: url });
  expect(code).toBe(1);
  expect(said).toContain(message);
  expect(said.split("\n")).toHaveLength(1);
  expect(said).not.toContain("hunter2");
});

test.concurrent.each([
  ["can only be read", "alter database :db set default_transaction_read_only = on", "name the one that can be written"],
  ["its user cannot change", "revoke create on schema public from public, pg_database_owner", "make it the owner"],
  ["is somebody else's", "create table tasks (id int)", "give Signalbox an empty one of its own"],
])("a database that %s is one sentence with what to do", async (_what, statement, remedy) => {
  const url = await emptyDatabase();
  await using session = await openSession(url);
  await session.query(statement.replace(":db", new URL(url).pathname.slice(1)));
  const { code, said } = await startRefused({ DATABASE_URL: url });
  expect([code, said]).toEqual([1, expect.stringMatching(`^  database .*\nSignalbox cannot start: .*${remedy}$`)]);
});

test.concurrent("a database that never answers is told after seconds", async () => {
  await using silent = await listenOn(0);
  const { port } = silent.address() as { port: number };
  const { code, said } = await startRefused({ DATABASE_URL: `postgres://user:hunter2@127.0.0.1:${port}/db` });
  expect([code, said]).toEqual([1, expect.stringContaining("it does not answer")]);
});

test.concurrent("a home that is a file is refused", async () => {
  const folder = await temporaryFolder();
  await writeFile(join(folder, "home"), "");
  const { code, said } = await startRefused({ SIGNALBOX_HOME: join(folder, "home") });
  expect([code, said]).toEqual([1, expect.stringContaining(`the data folder ${folder}/home is not a folder`)]);
});

test.runIf(isRoot())("a folder that the database's user cannot enter is named, and stays as it is", async () => {
  const folder = await temporaryFolder();
  const closed = join(folder, "closed");
  await mkdir(closed, { mode: 0o700 });
  const { code, said } = await startRefused({ SIGNALBOX_HOME: join(closed, "home") });
  expect(code).toBe(1);
  expect(said).toContain(
    `runs as the user "postgres", who cannot enter the folder ${closed} on the way to ${closed}/home`,
  );
  expect(said.split("\n")).toHaveLength(1);
});

test.concurrent("an unknown flag is a usage error", async () => {
  const { code, said } = await startRefused({}, ["--wacth"]);
  expect([code, said.split("\n")[0]]).toEqual([2, expect.stringContaining("Unknown option '--wacth'")]);
});

test.concurrent("help names every setting of the fleet itself", async () => {
  const { code, said } = await startRefused({}, ["--help"]);
  expect(code).toBe(0);
  for (const key of ["SIGNALBOX_HOME", "SIGNALBOX_PORT_BASE", "SIGNALBOX_ORCHESTRATORS", "DATABASE_URL"]) {
    expect(said).toContain(key);
  }
});

test.concurrent("a Ctrl-C while it starts ends with exit code 0 and leaves no database running", async () => {
  const home = join(await temporaryFolder(), "home");
  const range = await claimPortRange();
  await using run = startProcess({
    main: "packages/cli/start.ts",
    env: { SIGNALBOX_ENV_FILE: "/dev/null", SIGNALBOX_HOME: home, SIGNALBOX_PORT_BASE: String(range.base) },
  });
  await run.says(/PostgreSQL 18 in/);
  expect(await run.stop("SIGINT")).toEqual({ code: 0, signal: null });
  expect(run.output()).toContain("Stopped");
  await expect(stat(join(home, "postgres", "postmaster.pid"))).rejects.toThrow("ENOENT");
  range.release();
});
