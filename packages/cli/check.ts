import { spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { repositoryRoot } from "@signalbox/testing/repository.ts";
import { findText } from "./home.ts";
import { judgeRun, readReport } from "./test-report.ts";

/*
 * The one gate: what a change must pass before it is merged, here and on every machine that checks it. The parts go from
 * quick to slow and the first that fails ends the run. Arguments are handed to vitest, to run some tests only.
 */

type Part = { name: string; command: string[]; env?: Record<string, string>; remedy: string };

const tool = (name: string) => join(repositoryRoot, "node_modules", ".bin", name);
const vitest = [process.execPath, join(repositoryRoot, "node_modules", "vitest", "vitest.mjs"), "run"];

const parts: Part[] = [
  {
    name: "format and lint",
    command: [tool("biome"), "check", "--error-on-warnings", "."],
    remedy: "`npx pnpm format` mends what can be mended by itself",
  },
  { name: "types", command: [tool("tsc"), "--noEmit"], remedy: "correct the types named above" },
  {
    name: "generated files",
    command: [process.execPath, join("packages", "cli", "generate.ts"), "--check"],
    remedy: "run `npx pnpm generate` and commit what it changes",
  },
  {
    name: "layers",
    command: [...vitest, "--reporter=dot", "tests/architecture.test.ts"],
    // Reads files only: no database is started for it.
    env: { SIGNALBOX_TEST_CLUSTER: "none" },
    remedy: "the failing fact above names the file and the rule",
  },
];

async function main(): Promise<number> {
  for (const part of parts) if (!(await pass(part))) return endWith("0 passed, 1 failed", 1);
  return runTests(process.argv.slice(2));
}

/** Shows the output of a part only when it fails. */
async function pass({ name, command, env, remedy }: Part): Promise<boolean> {
  const startedAt = performance.now();
  process.stdout.write(`${name} … `);
  const { code, output } = await run(command, { env, isShown: false });
  const seconds = ((performance.now() - startedAt) / 1_000).toFixed(1);
  process.stdout.write(code === 0 ? `ok (${seconds} s)\n` : `failed\n\n${output}\n${name} failed: ${remedy}\n`);
  return code === 0;
}

/** The exit code is vitest's; the figures are those of its own report, and without a report nothing has passed. */
async function runTests(args: string[]): Promise<number> {
  const folder = await mkdtemp(join(tmpdir(), "signalbox-check-"));
  const report = join(folder, "report.json");
  const reporters = ["--reporter=default", "--reporter=json", `--outputFile.json=${report}`];
  const { code } = await run([...vitest, ...reporters, ...args], { isShown: true });
  const verdict = judgeRun(code, readReport(await findText(report)));
  await rm(folder, { recursive: true, force: true });
  if (verdict.remark !== null) process.stdout.write(`${verdict.remark}\n`);
  return endWith(verdict.line, verdict.exitCode);
}

function endWith(line: string, code: number): number {
  process.stdout.write(`${line}\n`);
  return code;
}

type Run = { code: number; output: string };

function run([program = "", ...args]: string[], options: { env?: Part["env"]; isShown: boolean }): Promise<Run> {
  const { promise, resolve } = Promise.withResolvers<Run>();
  const stdio = options.isShown ? "inherit" : "pipe";
  const env = { ...process.env, ...options.env };
  const child = spawn(program, args, { cwd: repositoryRoot, env, stdio: ["ignore", stdio, stdio] });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding("utf8").on("data", (text: string) => {
      output += text;
    });
  }
  child.once("error", (error) => resolve({ code: 1, output: error.message }));
  child.once("close", (code) => resolve({ code: code ?? 1, output }));
  return promise;
}

process.exitCode = await main();
