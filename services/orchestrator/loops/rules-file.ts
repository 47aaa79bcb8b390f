import { readFileSync } from "node:fs";
import { relative } from "node:path";
import { fileURLToPath } from "node:url";
import { ConfigError } from "@signalbox/common/settings.ts";
import { compileCheck } from "@signalbox/common/validate.ts";
import { readYaml } from "@signalbox/common/yaml.ts";
import { parseRules, type RuleBook, RulesFile } from "../webhook-rules.ts";

/** The rules that are shipped; a deployment changes them there, or names a file of its own. */
const shipped = fileURLToPath(new URL("../../../infra/webhook-rules.yaml", import.meta.url));

const maxProblems = 20;

/**
 * Reads the rules once, before anything is started: with wrong rules nothing must run.
 *
 * @throws ConfigError naming file and line of everything that is wrong
 */
export function loadRules(path: string | undefined): RuleBook {
  const file = path ?? shipped;
  const name = path ?? (relative(process.cwd(), shipped) || shipped);
  const text = readText(file, name);
  const parsed = parseRules(text, readYaml(text), compileCheck(RulesFile));
  if (parsed.kind === "rules") return parsed.book;
  const problems = parsed.problems
    .slice(0, maxProblems)
    .map(({ line, message }) => ({ key: "WEBHOOK_RULES_FILE", message: `${name}:${line}: ${message}` }));
  throw new ConfigError("orchestrator", problems);
}

function readText(file: string, name: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    const code = error instanceof Error && "code" in error ? String(error.code) : "unknown";
    throw new ConfigError("orchestrator", [
      { key: "WEBHOOK_RULES_FILE", message: `names ${name}, which cannot be read (${code})` },
    ]);
  }
}
