import { existsSync, readdirSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { compileCheck } from "@signalbox/common/validate.ts";
import { readYaml } from "@signalbox/common/yaml.ts";
import { MonitorDefinition } from "../monitor.ts";
import { findProblems, type Pins, type Problem } from "../monitor-check.ts";

export type MonitorFile = { name: string; definition: MonitorDefinition; path: string };

const check = compileCheck(MonitorDefinition);

/** Everything that is wrong with a definition; empty when it may be used. */
export function checkDefinition(name: string, definition: unknown, pins: Pins): Problem[] {
  const wrong = check(definition);
  return wrong ?? findProblems(name, definition as MonitorDefinition, pins);
}

/**
 * Reads the monitors of a folder, one a file, each named after its file. A wrong one stops the start, with file and line: a monitor that
 * is spelled wrong and left out would watch nothing, and nobody would know.
 *
 * @throws Error that names every problem
 */
export function loadMonitorFiles(folder: string, pins: Pins): MonitorFile[] {
  if (!existsSync(folder)) return [];
  const names = readdirSync(folder).filter((file) => /\.ya?ml$/.test(file));
  const problems: string[] = [];
  const files = names.sort().flatMap((file) => {
    const path = join(folder, file);
    const name = basename(file).replace(/\.ya?ml$/, "");
    const read = readYaml(readFileSync(path, "utf8"));
    if (read.kind === "broken") {
      problems.push(`${path}:${read.line} ${read.message}`);
      return [];
    }
    const found = checkDefinition(name, read.value, pins);
    problems.push(...found.map((problem) => `${path}:${read.lineOf(problem.path)} ${describe(problem)}`));
    return found.length > 0 ? [] : [{ name, definition: read.value as MonitorDefinition, path }];
  });
  if (problems.length > 0) throw new Error(`There are wrong monitors:\n${problems.join("\n")}`);
  return files;
}

function describe({ path, message }: Problem): string {
  return path === "" ? `the monitor ${message}` : `${path.slice(1).replaceAll("/", ".")} ${message}`;
}
