import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { temporaryFolder } from "./fixtures/fleet-fixture.ts";
import { acquireFleetLock } from "./fleet-lock.ts";

test.concurrent("a home belongs to one supervisor until it lets go", async () => {
  const home = await temporaryFolder();
  const lock = await acquireFleetLock(home);
  await expect(acquireFleetLock(home)).rejects.toThrow(
    `the data folder ${home} is in use by another fleet (process ${process.pid}); stop that one first, or set SIGNALBOX_HOME`,
  );
  await lock.release();
  expect((await acquireFleetLock(home)).wasAbandoned).toBe(false);
});

test.concurrent("the lock of a dead supervisor is taken over", async () => {
  const home = await temporaryFolder();
  const dead = spawn(process.execPath, ["-e", ""]);
  const { pid } = dead;
  await once(dead, "exit");
  await writeFile(join(home, "lock-1"), JSON.stringify({ pid, identity: "earlier" }));
  expect((await acquireFleetLock(home)).wasAbandoned).toBe(true);
});

test.concurrent("a process that only has the dead supervisor's id does not hold its lock", async () => {
  const home = await temporaryFolder();
  await writeFile(join(home, "lock-1"), JSON.stringify({ pid: process.ppid, identity: "an earlier process" }));
  expect((await acquireFleetLock(home)).wasAbandoned).toBe(true);
});

test.concurrent("a lock that cannot be read holds nobody up", async () => {
  const home = await temporaryFolder();
  await writeFile(join(home, "lock-1"), '{"pid":');
  expect((await acquireFleetLock(home)).wasAbandoned).toBe(true);
});

test.concurrent("of twenty that start at once on a dead lock exactly one gets the home", async () => {
  const home = await temporaryFolder();
  await writeFile(join(home, "lock-1"), JSON.stringify({ pid: 2 ** 22 + 1, identity: "gone" }));
  const results = await Promise.allSettled(Array.from({ length: 20 }, () => acquireFleetLock(home)));
  expect(results.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
  expect(await readdir(home)).toEqual(["lock-2"]);
});
