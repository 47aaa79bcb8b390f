import { readFileSync } from "node:fs";
import { compileCheck } from "@signalbox/common/validate.ts";
import { readYaml } from "@signalbox/common/yaml.ts";
import { RuleFile } from "../notify-rules.ts";

const check = compileCheck(RuleFile);

/**
 * Reads the rules at the start. Wrong ones stop it, with file and line: a rule that is spelled wrong and left out would tell the wrong
 * people, or nobody.
 *
 * @throws Error
 */
export function loadRules(path: string): RuleFile {
  const read = readYaml(readFileSync(path, "utf8"));
  if (read.kind === "broken") throw new Error(`${path}:${read.line} ${read.message}`);
  const [problem] = check(read.value) ?? [];
  if (problem) throw new Error(`${path}:${read.lineOf(problem.path)} ${problem.path} ${problem.message}`);
  const rules = read.value as RuleFile;
  const names = rules.rules.map(({ name }) => name);
  const twice = names.findIndex((name, at) => names.indexOf(name) !== at);
  if (twice >= 0) throw new Error(`${path}:${read.lineOf(`/rules/${twice}`)} there are two rules "${names[twice]}"`);
  ensureZone(path, rules);
  return rules;
}

function ensureZone(path: string, { quietHours }: RuleFile): void {
  if (quietHours === undefined) return;
  try {
    new Intl.DateTimeFormat("en-GB", { timeZone: quietHours.timezone });
  } catch {
    throw new Error(`${path} /quietHours/timezone is no time zone such as Europe/Berlin`);
  }
}
