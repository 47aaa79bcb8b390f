import { compileGlob } from "./webhook-glob.ts";
import { listChangedPaths, type Path, parsePath, readSignal, type Signal } from "./webhook-signal.ts";

export type Scalar = string | number | boolean | null;
export type Operators = {
  not?: Scalar | Scalar[];
  glob?: string;
  anyGlob?: string | string[];
  exists?: boolean;
  contains?: Scalar;
  gt?: number;
  gte?: number;
  lt?: number;
  lte?: number;
};
export type Predicate = Scalar | Scalar[] | Operators;

/** Which deliveries a rule takes: everything that it names must hold. */
export type Conditions = {
  source: string;
  event?: string | string[];
  action?: string | string[];
  repo?: string | string[];
  branch?: string | string[];
  paths?: string | string[];
  when?: Record<string, Predicate>;
};

type Matcher = (signal: Signal) => boolean;

export function compileConditions(wanted: Conditions): Matcher {
  const matchers: Matcher[] = [({ source }) => source === wanted.source];
  const { event, action, repo, branch, paths, when = {} } = wanted;
  if (event !== undefined) matchers.push((signal) => isOneOf(event, signal.event));
  if (action !== undefined) matchers.push((signal) => isOneOf(action, signal.action));
  if (repo !== undefined) matchers.push(matchName(repo, (signal) => signal.repository));
  if (branch !== undefined) matchers.push(matchName(branch, (signal) => signal.branch));
  if (paths !== undefined) {
    const isWanted = compileGlobs(paths);
    matchers.push((signal) => listChangedPaths(signal).some(isWanted));
  }
  for (const [path, predicate] of Object.entries(when)) matchers.push(compilePredicate(path, predicate));
  return (signal) => matchers.every((matches) => matches(signal));
}

function isOneOf(wanted: string | string[], value: string | null): boolean {
  return value !== null && toList(wanted).includes(value);
}

function matchName(globs: string | string[], nameOf: (signal: Signal) => string | null): Matcher {
  const isWanted = compileGlobs(globs);
  return (signal) => {
    const name = nameOf(signal);
    return name !== null && isWanted(name);
  };
}

function compileGlobs(patterns: string | string[]): (name: unknown) => boolean {
  const globs = toList(patterns).map(compileGlob);
  return (name) => typeof name === "string" && globs.some((matches) => matches(name));
}

function toList<T>(value: T | T[]): T[] {
  return Array.isArray(value) ? value : [value];
}

/** A missing path fits nothing but `exists: false`. */
function compilePredicate(pathText: string, predicate: Predicate): Matcher {
  const path: Path = parsePath(pathText) ?? [];
  if (isOperators(predicate) && predicate.exists === false) return (signal) => readSignal(signal, path).length === 0;
  const fits = compileTest(predicate);
  return (signal) => {
    const values = readSignal(signal, path);
    return values.length > 0 && fits(values);
  };
}

export function isOperators(predicate: Predicate): predicate is Operators {
  return typeof predicate === "object" && predicate !== null && !Array.isArray(predicate);
}

/** Judges the values of a path, of which one with `*` has several: one that fits is enough, but `not` means none of them. */
type Test = (values: readonly unknown[]) => boolean;

function compileTest(predicate: Predicate): Test {
  if (!isOperators(predicate)) return equalTo(predicate);
  const tests = Object.entries(predicate).map(([name, argument]) => operators[name as keyof Operators](argument));
  return (values) => tests.every((test) => test(values));
}

function equalTo(wanted: Scalar | Scalar[]): Test {
  const list: unknown[] = toList<Scalar>(wanted);
  return (values) => values.flat().some((value) => list.includes(value));
}

function matchAny(patterns: string | string[]): Test {
  const isWanted = compileGlobs(patterns);
  return (values) => values.flat().some(isWanted);
}

function compare(isSo: (value: number) => boolean): Test {
  return (values) => values.some((value) => typeof value === "number" && isSo(value));
}

/** Arguments are of the types that the schema of the rules file has let pass. */
const operators: Record<keyof Operators, (argument: unknown) => Test> = {
  not: (argument) => {
    const isEqual = equalTo(argument as Scalar | Scalar[]);
    return (values) => !isEqual(values);
  },
  glob: (argument) => matchAny(argument as string),
  anyGlob: (argument) => matchAny(argument as string | string[]),
  exists: () => () => true,
  contains: (argument) => (values) =>
    values.some((value) =>
      typeof value === "string" ? value.includes(String(argument)) : Array.isArray(value) && value.includes(argument),
    ),
  gt: (argument) => compare((value) => value > (argument as number)),
  gte: (argument) => compare((value) => value >= (argument as number)),
  lt: (argument) => compare((value) => value < (argument as number)),
  lte: (argument) => compare((value) => value <= (argument as number)),
};
