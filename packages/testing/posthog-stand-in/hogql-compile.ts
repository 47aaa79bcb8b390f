import type { EventRow } from "./event-store.ts";
import { compare, functions, isTrue, shift, startOf, type Value } from "./hogql-functions.ts";
import type { Expression } from "./hogql-parse.ts";
import { HogqlError } from "./hogql-tokens.ts";

/** What an expression is worth for one row of events, or for a group of them. */
export type Scope = { row: EventRow | null; totals: readonly Total[] };
export type Compiled = (scope: Scope) => Value;

/** What an aggregate function gathers over the rows of a group. */
export type Total = { add(scope: Scope): void; value(): Value };

export type Compiling = {
  values: Record<string, unknown>;
  nowMs: number;
  /** expressions that a name stands for */
  aliases: ReadonlyMap<string, Expression>;
  /** aggregate functions met so far; each group makes its own totals of them */
  aggregates: (() => Total)[];
};

type Call = Extract<Expression, { kind: "call" }>;

/** @throws HogqlError for a name, a function or a placeholder that is not known */
export function compile(expression: Expression, context: Compiling): Compiled {
  switch (expression.kind) {
    case "value":
      return constant(expression.value);
    case "placeholder":
      return constant(placeholderOf(expression.name, context.values));
    case "field":
      return compileField(expression.path, context);
    case "list": {
      const items = expression.items.map((item) => compile(item, context));
      return (scope) => items.map((item) => item(scope));
    }
    case "call":
      return compileCall(expression, context);
    default:
      throw new HogqlError(expression.kind === "star" ? "Cannot select * here" : "An INTERVAL cannot stand here");
  }
}

function constant(value: Value): Compiled {
  return () => value;
}

function placeholderOf(name: string, values: Record<string, unknown>): Value {
  if (!(name in values)) throw new HogqlError(`Placeholder '${name}' is not available in this context`);
  return values[name] as Value;
}

const fields: Record<string, (row: EventRow) => Value> = {
  timestamp: ({ at }) => new Date(at),
  event: ({ event }) => event,
  person_id: ({ person }) => person,
  distinct_id: ({ person }) => person,
  created_at: ({ arrivesAt }) => new Date(arrivesAt),
};

function compileField(path: readonly string[], context: Compiling): Compiled {
  const [first = "", ...rest] = path;
  if (first === "events" && rest.length > 0) return compileField(rest, context);
  if (first === "properties" && rest.length > 0) return ({ row }) => propertyOf(row, rest);
  const field = rest.length === 0 ? fields[first] : undefined;
  if (field) return ({ row }) => (row === null ? null : field(row));
  const alias = rest.length === 0 ? context.aliases.get(first) : undefined;
  if (alias) return compile(alias, { ...context, aliases: withoutAlias(context.aliases, first) });
  throw new HogqlError(`Unable to resolve field: ${path.join(".")}`);
}

/** A name inside of what it stands for is the field of that name. */
function withoutAlias(aliases: ReadonlyMap<string, Expression>, name: string): Map<string, Expression> {
  return new Map([...aliases].filter(([key]) => key !== name));
}

function propertyOf(row: EventRow | null, path: readonly string[]): Value {
  let value: unknown = row?.properties;
  for (const key of path)
    value = typeof value === "object" && value !== null ? (value as Record<string, unknown>)[key] : undefined;
  return (value ?? null) as Value;
}

function compileCall(call: Call, context: Compiling): Compiled {
  const name = call.name.toLowerCase();
  const gather = aggregateOf(call, context);
  if (gather) {
    const index = context.aggregates.push(gather) - 1;
    return ({ totals }) => totals[index]?.value() ?? null;
  }
  const special = specials[name];
  if (special) return special(call, context);
  const act = functions[name];
  if (!act) throw new HogqlError(`Unsupported function call '${call.name}(...)'`);
  const parameters = call.parameters.map((parameter) => compile(parameter, context));
  const compiled: Compiled = (scope) => act(...parameters.map((parameter) => parameter(scope)));
  return call.parameters.every(isConstant) ? once(compiled) : compiled;
}

/** The same for every row, such as the bounds of a time range. */
function isConstant(expression: Expression): boolean {
  if (expression.kind === "list") return expression.items.every(isConstant);
  if (expression.kind === "call") {
    return expression.name.toLowerCase() in functions && expression.parameters.every(isConstant);
  }
  return expression.kind === "value" || expression.kind === "placeholder";
}

function once(compiled: Compiled): Compiled {
  let known: { value: Value } | null = null;
  return (scope) => {
    known ??= { value: compiled(scope) };
    return known.value;
  };
}

type Special = (call: Call, context: Compiling) => Compiled;

/** Functions that do not first take the worth of everything in their brackets. */
const specials: Record<string, Special> = {
  and: short((parts, scope) => parts.every((part) => isTrue(part(scope)))),
  or: short((parts, scope) => parts.some((part) => isTrue(part(scope)))),
  if: (call, context) => {
    const [condition, yes, no] = compileAll(call, context, 3);
    return (scope) => (isTrue(condition(scope)) ? yes(scope) : no(scope));
  },
  now: (_call, { nowMs }) => constant(new Date(nowMs)),
  tostartofinterval: (call, context) => {
    const [moment, interval] = call.parameters;
    if (!moment || interval?.kind !== "interval") throw new HogqlError("toStartOfInterval expects an INTERVAL");
    const compiled = compile(moment, context);
    return (scope) => startOf(compiled(scope), interval);
  },
  plus: movable(1),
  minus: movable(-1),
};

function short(join: (parts: readonly Compiled[], scope: Scope) => boolean): Special {
  return (call, context) => {
    const parts = call.parameters.map((part) => compile(part, context));
    return (scope) => join(parts, scope);
  };
}

/** A moment plus or minus an INTERVAL; numbers otherwise. */
function movable(sign: 1 | -1): Special {
  return (call, context) => {
    const [left, right] = call.parameters;
    if (right?.kind !== "interval" || !left) {
      const [a, b] = compileAll(call, context, 2);
      const act = functions[sign === 1 ? "plus" : "minus"];
      return (scope) => act?.(a(scope), b(scope)) ?? null;
    }
    const moment = compile(left, context);
    return (scope) => shift(moment(scope), right, sign);
  };
}

function compileAll(call: Call, context: Compiling, count: 2): [Compiled, Compiled];
function compileAll(call: Call, context: Compiling, count: 3): [Compiled, Compiled, Compiled];
function compileAll(call: Call, context: Compiling, count: number): Compiled[] {
  if (call.parameters.length !== count) throw new HogqlError(`Function '${call.name}' expects ${count} arguments`);
  return call.parameters.map((parameter) => compile(parameter, context));
}

type Gather = (value: Value, row: EventRow) => void;
type Aggregate = () => { gather: Gather; value(): Value };

const totalsByName: Record<string, Aggregate> = {
  count: () => {
    let total = 0;
    const gather: Gather = (_value, { count }) => {
      total += count;
    };
    return { gather, value: () => total };
  },
  uniq: () => {
    const seen = new Set<unknown>();
    let others = 0;
    return {
      gather(value, { persons }) {
        if (value === null) others += persons;
        else seen.add(value instanceof Date ? value.getTime() : value);
      },
      value: () => seen.size + others,
    };
  },
  sum: () => {
    let total = 0;
    const gather: Gather = (value, { count }) => {
      total += Number(value ?? 0) * count;
    };
    return { gather, value: () => total };
  },
  avg: () => {
    let [total, weight] = [0, 0];
    return {
      gather(value, { count }) {
        if (value === null) return;
        total += Number(value) * count;
        weight += count;
      },
      value: () => (weight === 0 ? null : total / weight),
    };
  },
  min: () => extreme((order) => order < 0),
  max: () => extreme((order) => order > 0),
  any: () => {
    let first: Value = null;
    const gather: Gather = (value) => {
      first ??= value;
    };
    return { gather, value: () => first };
  },
};

function extreme(isBetter: (order: number) => boolean): ReturnType<Aggregate> {
  let best: Value = null;
  const gather: Gather = (value) => {
    if (value !== null && (best === null || isBetter(compare(value, best) ?? 0))) best = value;
  };
  return { gather, value: () => best };
}

/** `countIf(condition)`, `sumIf(value, condition)`, `count(DISTINCT value)` and so on; null when it is no aggregate. */
function aggregateOf(call: Call, context: Compiling): (() => Total) | null {
  const lower = call.name.toLowerCase();
  const isConditional = lower.endsWith("if") && lower.slice(0, -2) in totalsByName;
  const plain = isConditional ? lower.slice(0, -2) : lower;
  const base = call.isDistinct && plain === "count" ? "uniq" : plain;
  const build = totalsByName[base];
  if (!build) return null;
  const given = call.parameters.filter(({ kind }) => kind !== "star");
  const condition = isConditional ? given.pop() : undefined;
  if (given.length !== 1 && !(base === "count" && given.length === 0)) {
    throw new HogqlError(`Aggregation '${call.name}' expects 1 argument`);
  }
  const inner = { ...context, aggregates: [] };
  const [value, test] = [given[0], condition].map((part) => (part ? compile(part, inner) : null));
  if (inner.aggregates.length > 0) throw new HogqlError(`Aggregation '${call.name}' cannot be nested inside another`);
  return () => toTotal(build(), value ?? null, test ?? null);
}

function toTotal(total: ReturnType<Aggregate>, value: Compiled | null, test: Compiled | null): Total {
  return {
    add(scope) {
      if (scope.row === null || (test && !isTrue(test(scope)))) return;
      total.gather(value ? value(scope) : null, scope.row);
    },
    value: () => total.value(),
  };
}
