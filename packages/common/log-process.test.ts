import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";

async function tempDir() {
  const dir = await mkdtemp(join(tmpdir(), "signalbox-log-"));
  return { dir, [Symbol.asyncDispose]: () => rm(dir, { recursive: true, force: true }) };
}

/** Runs a process that has a log whose service is away, under limits of the shell. */
async function run(spoolDir: string, program: string, limits = "true") {
  const script = `
    import { eventually } from "@signalbox/testing/eventually.ts";
    import { buildLog } from "@signalbox/common/log.ts";
    const { log, close, dropped, queued, spooled } = buildLog({
      service: "a", level: "info", format: "json", print: () => undefined, pace: { patienceMs: 20, queueRows: 1_000 },
      delivery: { url: "http://127.0.0.1:9", internalKey: "key", spoolDir: ${JSON.stringify(spoolDir)} },
    });
    ${program}`;
  const shell = `${limits} && exec "$0" --input-type=module --eval "$1"`;
  const child = spawn("sh", ["-c", shell, process.execPath, script], { stdio: ["ignore", "pipe", "pipe"] });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding("utf8").on("data", (text) => (output += text));
  const [code] = await once(child, "close");
  return { code, output };
}

async function spooledNumbers(dir: string): Promise<number[]> {
  const files = (await readdir(dir)).sort();
  const texts = await Promise.all(files.map((file) => readFile(join(dir, file), "utf8")));
  return texts
    .join("")
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line).data.n);
}

const upTo = (count: number) => Array.from({ length: count }, (_, n) => n);

test.concurrent("a process that just exits leaves its lines on disk", async () => {
  await using temp = await tempDir();
  const { code } = await run(temp.dir, "for (let n = 0; n < 700; n++) log.info({ n }, 'x'); process.exit(3);");
  expect(code).toBe(3);
  expect(await spooledNumbers(temp.dir)).toEqual(upTo(700));
});

test.concurrent("so does one that nothing keeps alive any more, and one that fails", async () => {
  for (const [end, exit] of [
    ["", 0],
    ["throw new Error('broken');", 1],
  ] as const) {
    await using temp = await tempDir();
    const { code } = await run(temp.dir, `for (let n = 0; n < 20; n++) log.info({ n }, 'x'); ${end}`);
    expect(code).toBe(exit);
    expect(await spooledNumbers(temp.dir)).toEqual(upTo(20));
  }
});

test.concurrent("when files may not grow (EFBIG) the service lives, and every line is on disk or counted", async () => {
  await using temp = await tempDir();
  const { code, output } = await run(
    temp.dir,
    `for (let n = 0; n < 3_000; n++) {
       log.info({ n, text: "x".repeat(200) }, "x");
       if (n % 500 === 499) await eventually(() => queued() === 0);
     }
     await close();
     console.log(JSON.stringify({ dropped: dropped(), spooled: spooled() }));`,
    "ulimit -f 128",
  );
  expect(code).toBe(0);
  const { dropped, spooled } = JSON.parse(/\{.*\}/.exec(output)?.[0] ?? "{}");
  const kept = await spooledNumbers(temp.dir);
  expect(kept).toHaveLength(spooled);
  expect((await readdir(temp.dir)).length).toBeGreaterThan(3);
  // Reports of the drops are lines too.
  expect(kept.filter((n) => n !== undefined).length + dropped).toBeGreaterThanOrEqual(3_000);
});
