import { mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { Spool } from "./spool.ts";

/** A pid that no process has: Linux gives at most 4,194,304. */
const deadPid = 99_999_999;

async function tempDir() {
  const dir = await mkdtemp(join(tmpdir(), "signalbox-spool-"));
  return { dir, [Symbol.asyncDispose]: () => rm(dir, { recursive: true, force: true }) };
}

async function drain(spool: Spool): Promise<string[]> {
  const all: string[] = [];
  for (let segment = await spool.oldest(); segment; segment = await spool.oldest()) {
    all.push(...segment.lines);
    await segment.remove();
  }
  return all;
}

const numbered = (from: number, count: number) => Array.from({ length: count }, (_, at) => `{"n":${from + at}}`);

test.concurrent("lines come back in order, over many segments, and leave no file", async () => {
  await using temp = await tempDir();
  await using spool = new Spool({ dir: join(temp.dir, "made", "for-it"), service: "a", segmentBytes: 100 });
  for (let from = 0; from < 100; from += 10) expect(await spool.append(numbered(from, 10))).toBe(10);
  expect(spool.rows).toBe(100);
  expect(await drain(spool)).toEqual(numbered(0, 100));
  expect([spool.rows, spool.bytes]).toEqual([0, 0]);
  expect(await readdir(join(temp.dir, "made", "for-it"))).toEqual([]);
});

test.concurrent("only the owner may read it", async () => {
  await using temp = await tempDir();
  await using spool = new Spool({ dir: join(temp.dir, "new"), service: "a" });
  await spool.append(["x"]);
  const [file = ""] = await readdir(join(temp.dir, "new"));
  expect((await stat(join(temp.dir, "new"))).mode & 0o777).toBe(0o700);
  expect((await stat(join(temp.dir, "new", file))).mode & 0o777).toBe(0o600);
});

test.concurrent("what a dead process left is taken over before the own lines, oldest process first", async () => {
  await using temp = await tempDir();
  await writeFile(join(temp.dir, `a.2000.${deadPid}.100001.ndjson`), "c\n");
  await writeFile(join(temp.dir, `a.2000.${deadPid}.100000.ndjson`), "b\n");
  await writeFile(join(temp.dir, `a.900.${deadPid}.100000.ndjson`), "a1\na2\n");
  await writeFile(join(temp.dir, `a-b.900.${deadPid}.100000.ndjson`), "another service\n");
  await using spool = new Spool({ dir: temp.dir, service: "a" });
  await spool.append(["own"]);
  await spool.adopt();
  expect(spool.rows).toBe(5);
  expect(await drain(spool)).toEqual(["a1", "a2", "b", "c", "own"]);
  expect(await readdir(temp.dir)).toEqual([`a-b.900.${deadPid}.100000.ndjson`]);
});

test.concurrent("what a living process holds is left alone", async () => {
  await using temp = await tempDir();
  // The parent of this test's process lives.
  await writeFile(join(temp.dir, `a.1000.${process.ppid}.100000.ndjson`), "theirs\n");
  await using neighbour = new Spool({ dir: temp.dir, service: "a" });
  await neighbour.append(["neighbour"]);
  await using spool = new Spool({ dir: temp.dir, service: "a" });
  await spool.adopt();
  expect(spool.rows).toBe(0);

  await neighbour.close();
  await spool.adopt();
  expect(await drain(spool)).toEqual(["neighbour"]);
});

test.concurrent("two that take over at once share nothing and lose nothing", async () => {
  await using temp = await tempDir();
  for (let at = 0; at < 40; at++)
    await writeFile(join(temp.dir, `a.1000.${deadPid}.${100_000 + at}.ndjson`), `${at}\n`);
  const both = [1, 2].map(() => new Spool({ dir: temp.dir, service: "a" }));
  await Promise.all(both.map((spool) => spool.adopt()));
  const found = (await Promise.all(both.map(drain))).flat();
  expect(found.map(Number).sort((a, b) => a - b)).toEqual(Array.from({ length: 40 }, (_, at) => at));
  await Promise.all(both.map((spool) => spool.close()));
});

test.concurrent("a line torn by a crash is not read as a line", async () => {
  await using temp = await tempDir();
  await writeFile(join(temp.dir, `a.1000.${deadPid}.100000.ndjson`), '{"n":1}\n{"n":2}\n{"n"');
  await using spool = new Spool({ dir: temp.dir, service: "a" });
  await spool.adopt();
  expect(spool.rows).toBe(2);
  expect(await drain(spool)).toEqual(numbered(1, 2));
});

test.concurrent("it keeps no more than its size", async () => {
  await using temp = await tempDir();
  await using spool = new Spool({ dir: temp.dir, service: "a", maxBytes: 50 });
  expect(await spool.append(numbered(0, 10))).toBe(6);
  expect(await spool.append(numbered(6, 1))).toBe(0);
  expect(spool.appendNow(numbered(6, 1))).toBe(0);
  expect(await drain(spool)).toEqual(numbered(0, 6));
  expect(await spool.append(numbered(6, 1))).toBe(1);
});

async function fullDisk(dir: string) {
  const spool = new Spool({ dir, service: "a", startedAt: 1_000 });
  // Every write to it fails with ENOSPC.
  await symlink("/dev/full", join(dir, `a.1000.${process.pid}.100000.ndjson`));
  return spool;
}

test("a full disk keeps nothing, throws nothing, and the spool goes on when there is room", async () => {
  await using temp = await tempDir();
  await using spool = await fullDisk(temp.dir);
  expect(await spool.append(["lost"])).toBe(0);
  expect(spool.rows).toBe(0);
  expect(await spool.append(["kept"])).toBe(1);
  expect(await drain(spool)).toEqual(["kept"]);
});

test("a full disk in the last moment of a process throws nothing", async () => {
  await using temp = await tempDir();
  await using spool = await fullDisk(temp.dir);
  expect(spool.appendNow(["lost"])).toBe(0);
});

test.concurrent("a folder that cannot be one keeps nothing", async () => {
  await using spool = new Spool({ dir: "/dev/null/spool", service: "a" });
  await spool.adopt();
  expect(await spool.append(["x"])).toBe(0);
  expect(spool.appendNow(["x"])).toBe(0);
  expect(await spool.oldest()).toBeNull();
});

test.concurrent("a segment that somebody deleted is told as lost", async () => {
  await using temp = await tempDir();
  await using spool = new Spool({ dir: temp.dir, service: "a" });
  await spool.append(numbered(0, 3));
  for (const file of await readdir(temp.dir)) await rm(join(temp.dir, file));
  expect(await spool.oldest()).toMatchObject({ lines: [], lost: 3 });
});

test.concurrent("the last lines go to a file of their own", async () => {
  await using temp = await tempDir();
  await using spool = new Spool({ dir: temp.dir, service: "a" });
  await spool.append(["first"]);
  expect(spool.appendNow(["last"])).toBe(1);
  const files = (await readdir(temp.dir)).sort();
  expect(await Promise.all(files.map((file) => readFile(join(temp.dir, file), "utf8")))).toEqual(["first\n", "last\n"]);
});
