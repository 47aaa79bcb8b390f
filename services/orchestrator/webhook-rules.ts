/*
 * The rules that make tasks of webhooks, as they stand in infra/webhook-rules.yaml. The file is judged as a whole before
 * anything of it is used: what it does not know it refuses, and it says on which line, because a condition that is spelled
 * wrong and silently left out would take every delivery.
 */
import { createHash } from "node:crypto";
import { CreateTask } from "@signalbox/common/contracts/task.ts";
import { type Static, Type } from "typebox";
import { compileConditions, isOperators, type Predicate } from "./webhook-match.ts";
import { parsePath, type Signal } from "./webhook-signal.ts";
import { compileTemplate, MissingValueError, type Template, TemplateError, toText } from "./webhook-template.ts";

const closed = { additionalProperties: false } as const;
const Word = Type.String({ minLength: 1, maxLength: 200 });
const Glob = Type.String({ minLength: 1, maxLength: 200 });
const oneOrMany = <T extends typeof Word>(item: T) =>
  Type.Union([item, Type.Array(item, { minItems: 1, maxItems: 100 })]);
const Scalar = Type.Union([Type.String({ maxLength: 1_000 }), Type.Number(), Type.Boolean(), Type.Null()]);
const Scalars = Type.Union([Scalar, Type.Array(Scalar, { minItems: 1, maxItems: 100 })]);

const Operators = Type.Object(
  {
    not: Type.Optional(Scalars),
    glob: Type.Optional(Glob),
    anyGlob: Type.Optional(oneOrMany(Glob)),
    exists: Type.Optional(Type.Boolean()),
    contains: Type.Optional(Scalar),
    gt: Type.Optional(Type.Number()),
    gte: Type.Optional(Type.Number()),
    lt: Type.Optional(Type.Number()),
    lte: Type.Optional(Type.Number()),
  },
  { ...closed, minProperties: 1 },
);

/** What no template fills is within the limits of a task; the rest is judged when it is filled, as a call of `POST /task` would be. */
const { type, priority, maxAttempts, timeoutMs, approval } = CreateTask.properties;
const Filled = Type.String({ maxLength: 1_000, pattern: "\\{\\{" });
const Text = Type.String({ minLength: 1, maxLength: 2_000 });

const RuleTask = Type.Object(
  {
    type,
    payload: Type.Optional(Type.Unknown()),
    dedupe: Type.Optional(Text),
    concurrencyKey: Type.Optional(Text),
    userKey: Type.Optional(Text),
    correlationId: Type.Optional(Text),
    priority: Type.Optional(Type.Union([priority, Filled])),
    maxAttempts,
    timeoutMs,
    approval,
    raw: Type.Optional(Type.Boolean()),
  },
  closed,
);

const FileRule = Type.Object(
  {
    name: Word,
    source: Word,
    event: Type.Optional(oneOrMany(Word)),
    action: Type.Optional(oneOrMany(Word)),
    repo: Type.Optional(oneOrMany(Glob)),
    branch: Type.Optional(oneOrMany(Glob)),
    paths: Type.Optional(oneOrMany(Glob)),
    when: Type.Optional(Type.Record(Type.String(), Type.Union([Scalars, Operators]))),
    task: RuleTask,
  },
  closed,
);

/** The file as YAML reads it. */
export const RulesFile = Type.Object(
  { version: Type.Literal(1), rules: Type.Array(FileRule, { maxItems: 500 }) },
  closed,
);
type FileRule = Static<typeof FileRule>;

export type Draft =
  /** `task` is not judged yet: senders wrote what the template took from them */
  | { kind: "task"; task: Record<string, unknown>; dedupe: string | null; wantsRaw: boolean }
  | { kind: "failed"; reason: string };

export type Rule = { name: string; matches: (signal: Signal) => boolean; draft: (signal: Signal) => Draft };

export type RuleBook = { rules: Rule[]; hash: string };

export type RulesProblem = { line: number; message: string };
export type ParsedRules = { kind: "rules"; book: RuleBook } | { kind: "invalid"; problems: RulesProblem[] };

type Problem = { path: string; message: string };

/** The text as YAML reads it: the values, and on which line each stands. */
type Yaml =
  | { kind: "yaml"; value: unknown; lineOf(pointer: string): number }
  | { kind: "broken"; line: number; message: string };

/**
 * @param text what is hashed, so that a delivery can say which rules it met
 * @param read the same text as YAML
 * @param check judges by the schema `RulesFile`
 */
export function parseRules(text: string, read: Yaml, check: (value: unknown) => Problem[] | null): ParsedRules {
  if (read.kind === "broken") return { kind: "invalid", problems: [{ line: read.line, message: read.message }] };
  const wrong = check(read.value) ?? [];
  const file = read.value as Static<typeof RulesFile>;
  const compiled = wrong.length > 0 ? { rules: [], problems: wrong } : compileRules(file.rules);
  if (compiled.problems.length === 0) {
    const hash = createHash("sha256").update(text).digest("hex");
    return { kind: "rules", book: { rules: compiled.rules, hash } };
  }
  const problems = compiled.problems.map(({ path, message }) => ({
    line: read.lineOf(path),
    message: `${describe(read.value, path)} ${message}`,
  }));
  return { kind: "invalid", problems: problems.sort((a, b) => a.line - b.line) };
}

/** The place for a person: the rule's name instead of its number. */
function describe(value: unknown, path: string): string {
  const [, index, rest = ""] = /^\/rules\/(\d+)(?:\/(.*))?$/.exec(path) ?? [];
  if (index === undefined) return path === "" ? "the file" : path.slice(1).replaceAll("/", ".");
  const rule = (value as { rules?: { name?: unknown }[] }).rules?.[Number(index)];
  const name = typeof rule?.name === "string" ? `rule ${JSON.stringify(rule.name)}` : `rule ${Number(index) + 1}`;
  return rest === "" ? name : `${name}: ${rest.replaceAll("/", ".").replaceAll("~1", "/").replaceAll("~0", "~")}`;
}

function compileRules(rules: readonly FileRule[]): { rules: Rule[]; problems: Problem[] } {
  const problems = rules.flatMap((rule, index) => findProblems(rule, { index, rules }));
  const compiled = rules.flatMap((rule, index) => {
    try {
      return [compileRule(rule)];
    } catch (error) {
      if (!(error instanceof TemplateError)) throw error;
      problems.push({ path: `/rules/${index}/task${error.pointer}`, message: error.message });
      return [];
    }
  });
  return { rules: compiled, problems };
}

function findProblems(rule: FileRule, { index, rules }: { index: number; rules: readonly FileRule[] }): Problem[] {
  const isNamedTwice = rules.findIndex(({ name }) => name === rule.name) !== index;
  const conditions = Object.entries(rule.when ?? {}).flatMap(([key, predicate]) => {
    const message = judgeCondition(key, predicate);
    const path = `/rules/${index}/when/${key.replaceAll("~", "~0").replaceAll("/", "~1")}`;
    return message === null ? [] : [{ path, message }];
  });
  return [
    ...(isNamedTwice ? [{ path: `/rules/${index}/name`, message: "is the name of another rule above" }] : []),
    ...conditions,
  ];
}

function judgeCondition(key: string, predicate: Predicate): string | null {
  if (parsePath(key) === null) return "is no path";
  const isContradiction = isOperators(predicate) && predicate.exists === false && Object.keys(predicate).length > 1;
  return isContradiction ? "asks something of a value that must not be there" : null;
}

/** @throws TemplateError */
function compileRule({ name, task, ...conditions }: FileRule): Rule {
  const { type, dedupe, raw, ...fields } = task;
  const fill = compileTemplate(fields);
  const fillDedupe = dedupe === undefined ? null : compileTemplate(dedupe, "/dedupe");
  return {
    name,
    matches: compileConditions(conditions),
    draft: (signal) => toDraft(signal, { type, fill, fillDedupe, wantsRaw: raw === true }),
  };
}

type Filling = { type: string; fill: Template; fillDedupe: Template | null; wantsRaw: boolean };

function toDraft(signal: Signal, { type, fill, fillDedupe, wantsRaw }: Filling): Draft {
  try {
    const task = { type, ...(fill(signal) as Record<string, unknown>) };
    const dedupe = fillDedupe === null ? null : toDedupe(fillDedupe(signal));
    return { kind: "task", task: withTextKeys(task), dedupe, wantsRaw };
  } catch (error) {
    if (error instanceof MissingValueError) return { kind: "failed", reason: error.message };
    throw error;
  }
}

/** Null: there is nothing to compare, and deliveries without it are not the same. */
function toDedupe(value: unknown): string | null {
  const text = toText(value);
  return text === "" || text === "[]" ? null : text;
}

const textKeys = ["concurrencyKey", "userKey", "correlationId"];

/** A key that is one template keeps its type, and many ids are numbers. */
function withTextKeys(task: Record<string, unknown>): Record<string, unknown> {
  const numbers = textKeys.filter((key) => typeof task[key] === "number");
  return { ...task, ...Object.fromEntries(numbers.map((key) => [key, String(task[key])])) };
}
