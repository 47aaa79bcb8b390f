import { randomInt } from "node:crypto";
import { allFaults } from "./faults.ts";
import { parseOptions, UsageError } from "./plan.ts";
import { runSuite } from "./suite.ts";

/*
 * `pnpm test:faults`: breaks a real fleet under load in every way that it must survive, and looks whether it kept its promises.
 * The exit code is 1 when one was broken.
 */
async function main(args: readonly string[]): Promise<number> {
  const say = (line: string) => void process.stdout.write(`${line}\n`);
  if (args.includes("--list")) {
    for (const { name, about } of allFaults) say(`${name.padEnd(22)} ${about}`);
    return 0;
  }
  const startedAt = performance.now();
  const options = parseOptions(args, randomInt(1, 1_000_000_000));
  const { violations } = await runSuite(options, (line) => {
    const seconds = ((performance.now() - startedAt) / 1_000).toFixed(1).padStart(7);
    for (const part of line.split("\n")) say(part.startsWith("|") ? part : `${seconds} ${part}`);
  });
  if (violations.length === 0) say(`seed ${options.seed}: every promise was kept`);
  else say(`seed ${options.seed}: ${violations.length} promises were broken`);
  for (const { invariant, what } of violations) say(`${invariant}: ${what}`);
  return violations.length === 0 ? 0 : 1;
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  process.stderr.write(`${error instanceof UsageError ? error.message : (error as Error).stack}\n`);
  process.exitCode = 2;
}
