import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { repositoryRoot } from "@signalbox/testing/repository.ts";
import { describeMachine, ownVersions } from "./machine.ts";
import type { Measure, MeasureOptions } from "./measure.ts";
import { dashboard } from "./measures/dashboard.ts";
import { detect } from "./measures/detect.ts";
import { fleet } from "./measures/fleet.ts";
import { logs } from "./measures/logs.ts";
import { queue } from "./measures/queue.ts";
import { watch } from "./measures/watch.ts";
import { judge, replaceSection, toSection } from "./report.ts";

/** Every measure, in the order in which they are run. */
const measures: readonly Measure[] = [fleet, queue, logs, detect, watch, dashboard];

const defaults = { rounds: 5, tasks: 5_000 };
const most = { rounds: 20, tasks: 20_000 };

const usage = `pnpm bench [measure…] [options]
pnpm bench detect <folder> [options]

Measures Signalbox on this machine and prints each figure beside its goal. Everything it loads it has started itself, on the
loopback, in a temporary folder; it ends by itself. Let nothing else run meanwhile.

Measures, all of them when none is named:
${measures.map(toHelp).join("\n")}

Options:
  --rounds <n>     how often each figure is taken, 1 to ${most.rounds}; below ${defaults.rounds} it is only a first look   (${defaults.rounds})
  --tasks <n>      tasks of one round under load, 100 to ${most.tasks}   (${defaults.tasks})
  --only <parts>   of a measure with parts these alone, separated by commas
  --long           dashboard: each watch of 60 s instead of 30, and the heap over ten minutes of the first round
  --strict         exit code 1 when a goal is missed   (0: figures of a busy machine are no failure)
  --write          put the figures into docs/benchmarks.md
  --profile <dir>  every process of a measured fleet leaves its CPU profile there; the figures are worse then
  --help           this text`;

function toHelp({ name, summary, parts }: Measure): string {
  const listed = parts ? `\n${"".padEnd(15)}parts: ${parts.join(", ")}` : "";
  return `  ${name.padEnd(12)} ${summary}${listed}`;
}

type Wanted = Pick<MeasureOptions, "rounds" | "tasks" | "profileDir" | "dataFolder" | "only" | "isLong"> & {
  measures: Measure[];
  isStrict: boolean;
  isWritten: boolean;
};

class UsageError extends Error {}

async function main(): Promise<void> {
  const wanted = readArguments();
  if (wanted === null) return;
  const interrupted = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    process.once(signal, () => interrupted.abort(new Error(`stopped by ${signal}`)));
  }
  let missed = 0;
  for (const measure of wanted.measures) missed += await runMeasure(measure, wanted, interrupted.signal);
  if (missed > 0) say(`${missed} goal${missed > 1 ? "s were" : " was"} missed.`);
  if (missed > 0 && wanted.isStrict) process.exitCode = 1;
}

/** How many goals it missed. */
async function runMeasure(measure: Measure, wanted: Wanted, signal: AbortSignal): Promise<number> {
  const [machine, versions, at] = [describeMachine(), ownVersions(), new Date()];
  say(`${measure.name}: ${measure.summary}`);
  const outcome = await measure.run({ ...wanted, signal, say: (line) => say(`  ${line}`) });
  if (outcome.findings.length === 0) return 0;
  const section = toSection({ measure, outcome, machine, versions, at });
  say(`\n${section}`);
  if (wanted.isWritten) await writeSection(measure.name, section);
  return outcome.findings.filter((finding) => judge(finding) === "missed").length;
}

async function writeSection(name: string, section: string): Promise<void> {
  const path = join(repositoryRoot, "docs", "benchmarks.md");
  await mkdir(join(repositoryRoot, "docs"), { recursive: true });
  const document = await readFile(path, "utf8").catch(() => null);
  await writeFile(path, replaceSection(document, name, section));
  say("Written to docs/benchmarks.md");
}

function readArguments(): Wanted | null {
  const { values, positionals } = parseCommandLine();
  const { names, dataFolder } = splitFolder(positionals);
  if (values.help) {
    say(usage);
    return null;
  }
  if (values.only !== undefined && values.write) {
    throw new UsageError("--write takes a whole measure; --only takes parts of one, for a look.");
  }
  const named = names.length === 0 ? [...measures] : names.map(findMeasure);
  return {
    measures: named,
    only: parseParts(values.only, named),
    dataFolder,
    rounds: parseCount(values.rounds, { name: "--rounds", least: 1, most: most.rounds, otherwise: defaults.rounds }),
    tasks: parseCount(values.tasks, { name: "--tasks", least: 100, most: most.tasks, otherwise: defaults.tasks }),
    profileDir: values.profile === undefined ? null : resolve(values.profile),
    isLong: values.long ?? false,
    isStrict: values.strict ?? false,
    isWritten: values.write ?? false,
  };
}

/** What follows `detect`, and is no measure, is the folder of its data. */
function splitFolder(positionals: readonly string[]): { names: string[]; dataFolder: string | null } {
  const at = positionals.indexOf(detect.name) + 1;
  const folder = at > 0 ? positionals[at] : undefined;
  if (folder === undefined || measures.some(({ name }) => name === folder)) {
    return { names: [...positionals], dataFolder: null };
  }
  return { names: positionals.toSpliced(at, 1), dataFolder: resolve(folder) };
}

function parseCommandLine() {
  try {
    return parseArgs({
      allowPositionals: true,
      options: {
        rounds: { type: "string" },
        tasks: { type: "string" },
        profile: { type: "string" },
        only: { type: "string" },
        long: { type: "boolean" },
        strict: { type: "boolean" },
        write: { type: "boolean" },
        help: { type: "boolean", short: "h" },
      },
    });
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

function findMeasure(name: string): Measure {
  const found = measures.find((measure) => measure.name === name);
  if (found) return found;
  throw new UsageError(`There is no measure "${name}"; there are ${measures.map((one) => one.name).join(", ")}.`);
}

function parseParts(text: string | undefined, named: readonly Measure[]): string[] | null {
  if (text === undefined) return null;
  const known = named.flatMap(({ parts = [] }) => parts);
  const wanted = text.split(",");
  const unknown = wanted.find((part) => !known.includes(part));
  if (unknown === undefined) return wanted;
  throw new UsageError(`There is no part "${unknown}"; there are ${known.join(", ") || "none"}.`);
}

function parseCount(
  text: string | undefined,
  { name, least, most, otherwise }: { name: string; least: number; most: number; otherwise: number },
): number {
  if (text === undefined) return otherwise;
  const count = /^\d{1,6}$/.test(text) ? Number(text) : Number.NaN;
  if (count >= least && count <= most) return count;
  throw new UsageError(`${name} is "${text}"; give a whole number from ${least} to ${most}.`);
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

await main().catch((error: unknown) => {
  const isUsage = error instanceof UsageError;
  const text = error instanceof Error ? error.message : String(error);
  process.stderr.write(isUsage ? `${text}\n\n${usage}\n` : `The benchmark ended early: ${text}\n`);
  process.exitCode = isUsage ? 2 : 1;
});
