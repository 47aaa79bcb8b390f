import type { Module } from "./parse.ts";
import type { Violation } from "./rooms.ts";
import { isTest } from "./sources.ts";

export const limits = { fileLines: 400, functionLines: 70, functionMedian: 10, functionP90: 35, mainLines: 40 };

export function findLongFiles(modules: Module[]): Violation[] {
  return modules.flatMap(({ path, lines }) => {
    const most = /^services\/[^/]+\/main\.ts$/.test(path) ? limits.mainLines : limits.fileLines;
    return lines > most ? [`${path} has ${lines} lines, ${most} at most`] : [];
  });
}

export function findLongFunctions(modules: Module[]): Violation[] {
  return modules.flatMap(({ path, functions }) =>
    functions
      .filter(({ lines }) => lines > limits.functionLines)
      .map(({ name, line, lines }) => `${path}:${line} ${name} has ${lines} lines, ${limits.functionLines} at most`),
  );
}

/** Lines of the functions of the product, tests aside: whose callbacks are as long as their facts need. */
export function functionQuantile(modules: Module[], quantile: number): number {
  const all = modules
    .filter(({ path }) => !isTest(path))
    .flatMap(({ functions }) => functions.map(({ lines }) => lines));
  const sorted = all.sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * quantile))] ?? 0;
}
