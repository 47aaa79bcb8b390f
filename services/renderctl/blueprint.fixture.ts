import { compileCheck } from "@signalbox/common/validate.ts";
import { readYaml } from "@signalbox/common/yaml.ts";
import type { TSchema } from "typebox";
import type { Blueprint } from "./blueprint.ts";
import { type CheckValue, type ParsedBlueprint, parseBlueprint } from "./blueprint-parse.ts";

const compiled = new Map<TSchema, ReturnType<typeof compileCheck>>();

const checkValue: CheckValue = (schema, value) => {
  const check = compiled.get(schema) ?? compileCheck(schema);
  compiled.set(schema, check);
  return check(value);
};

function parseText(text: string): ParsedBlueprint {
  return parseBlueprint(readYaml(text), checkValue);
}

export function blueprintOf(text: string): Blueprint {
  const parsed = parseText(text);
  if (parsed.kind === "invalid") throw new Error(JSON.stringify(parsed.problems, null, 2));
  return parsed.blueprint;
}

/** `line message` of everything that is wrong. */
export function problemsOf(text: string): string[] {
  const parsed = parseText(text);
  return parsed.kind === "invalid" ? parsed.problems.map(({ line, message }) => `${line} ${message}`) : [];
}
