import { chmod, cp, mkdir, mkdtemp, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { expect, test } from "vitest";
import { type Binaries, findBinaries, reachableBinaries } from "./postgres-binaries.ts";
import { findClosedFolder, type SystemUser } from "./system-user.ts";

async function temporaryFolder() {
  const path = await mkdtemp(join(tmpdir(), "signalbox-binaries-"));
  await chmod(path, 0o755);
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
}

/** Somebody who owns nothing here. */
const stranger: SystemUser = { name: "stranger", uid: 65_533, gid: 65_533 };

test.concurrent("programs in a folder that the user may not enter are copied, once, and their folder stays closed", async () => {
  await using folder = await temporaryFolder();
  const closed = join(folder.path, "closed");
  await mkdir(closed, { mode: 0o700 });
  const original = findBinaries();
  await cp(dirname(dirname(original.postgres)), join(closed, "native"), { recursive: true, verbatimSymlinks: true });
  const program = (name: string) => join(closed, "native", "bin", name);
  const found: Binaries = { version: 18, initdb: program("initdb"), postgres: program("postgres") };

  const copies = join(folder.path, "copies");
  await mkdir(copies);
  const reached = await reachableBinaries(found, stranger, copies);
  expect(await findClosedFolder(dirname(reached.postgres), stranger)).toBeNull();
  expect((await stat(reached.postgres)).mode & 0o777).toBe(0o755);
  expect((await stat(closed)).mode & 0o777).toBe(0o700);
  const made = (await stat(reached.postgres)).mtimeMs;
  expect(await reachableBinaries(found, stranger, copies)).toEqual(reached);
  expect((await stat(reached.postgres)).mtimeMs).toBe(made);
});

test.concurrent("an ordinary user runs the programs where they are", async () => {
  const found = findBinaries();
  expect(await reachableBinaries(found, null, "/nowhere")).toEqual(found);
});

test.concurrent("the nearest closed folder is named, and an owner may enter what is closed to others", async () => {
  await using folder = await temporaryFolder();
  const inner = join(folder.path, "outer", "inner");
  await mkdir(inner, { recursive: true, mode: 0o755 });
  await chmod(join(folder.path, "outer"), 0o750);
  expect(await findClosedFolder(inner, stranger)).toBe(join(folder.path, "outer"));
  const { uid, gid } = await stat(inner);
  expect(await findClosedFolder(inner, { name: "owner", uid, gid })).toBeNull();
  expect(await findClosedFolder(inner, null)).toBeNull();
});
