import type { EventStore } from "./event-store.ts";
import { type Compiled, type Compiling, compile, type Scope, type Total } from "./hogql-compile.ts";
import { compare, isTrue, toMoment, type Value } from "./hogql-functions.ts";
import { type Expression, parseHogql, type Select } from "./hogql-parse.ts";
import { HogqlError } from "./hogql-tokens.ts";

export type HogqlAnswer = { columns: string[]; types: [string, string][]; results: unknown[][]; hasMore: boolean };

export type HogqlQuestion = {
  text: string;
  values: Record<string, unknown>;
  events: EventStore;
  nowMs: number;
};

/** Without a LIMIT, and with the largest one. */
const rowsByDefault = 100;
const rowsAtMost = 50_000;

/** @throws HogqlError */
export function runHogql({ text, values, events, nowMs }: HogqlQuestion): HogqlAnswer {
  const select = parseHogql(text);
  const aliases = new Map(
    select.columns.flatMap(({ alias, expression }) => (alias === null ? [] : [[alias, expression]])),
  );
  const context: Compiling = { values, nowMs, aliases, aggregates: [] };
  const plan = toPlan(select, context);
  const [from, to] = boundsOf(select.where, context);
  const groups = collect(plan, events.between(from, to, nowMs));
  const rows = order(
    plan,
    groups.filter((scope) => plan.having === null || isTrue(plan.having(scope))),
  );
  return cut(
    select,
    rows.map((scope) => plan.columns.map((column) => column(scope))),
  );
}

type Plan = {
  columns: Compiled[];
  where: Compiled | null;
  groupBy: Compiled[];
  having: Compiled | null;
  orderBy: { compiled: Compiled; isDescending: boolean }[];
  aggregates: (() => Total)[];
};

function toPlan(select: Select, context: Compiling): Plan {
  const where = select.where ? compile(select.where, { ...context, aggregates: [] }) : null;
  const inner = { ...context, aggregates: [] };
  const groupBy = select.groupBy.map((one) => compile(one, inner));
  if (inner.aggregates.length > 0) throw new HogqlError("Aggregations cannot stand in GROUP BY");
  return {
    columns: select.columns.map(({ expression }) => compile(expression, context)),
    where,
    groupBy,
    having: select.having ? compile(select.having, context) : null,
    orderBy: select.orderBy.map(({ expression, isDescending }) => ({
      compiled: compile(expression, context),
      isDescending,
    })),
    aggregates: context.aggregates,
  };
}

/** Without GROUP BY and without aggregates each row is itself; with aggregates alone everything is one group, even of nothing. */
function collect(plan: Plan, rows: Iterable<NonNullable<Scope["row"]>>): Scope[] {
  const isGrouped = plan.groupBy.length > 0 || plan.aggregates.length > 0;
  const groups = new Map<string, { row: Scope["row"]; totals: Total[] }>();
  const plain: Scope[] = [];
  for (const row of rows) {
    const scope = { row, totals: [] };
    if (plan.where && !isTrue(plan.where(scope))) continue;
    if (!isGrouped) plain.push(scope);
    else addTo(groups, plan, scope);
  }
  if (!isGrouped) return plain;
  if (groups.size === 0 && plan.groupBy.length === 0)
    return [{ row: null, totals: plan.aggregates.map((build) => build()) }];
  return [...groups.values()];
}

function addTo(groups: Map<string, { row: Scope["row"]; totals: Total[] }>, plan: Plan, scope: Scope): void {
  const key = JSON.stringify(plan.groupBy.map((one) => one(scope)));
  let group = groups.get(key);
  if (!group) {
    group = { row: scope.row, totals: plan.aggregates.map((build) => build()) };
    groups.set(key, group);
  }
  for (const total of group.totals) total.add(scope);
}

function order({ orderBy }: Plan, scopes: Scope[]): Scope[] {
  if (orderBy.length === 0) return scopes;
  const keyed = scopes.map((scope) => ({ scope, keys: orderBy.map(({ compiled }) => compiled(scope)) }));
  return keyed.sort((a, b) => compareKeys(a.keys, b.keys, orderBy)).map(({ scope }) => scope);
}

function compareKeys(a: Value[], b: Value[], orderBy: Plan["orderBy"]): number {
  for (const [index, { isDescending }] of orderBy.entries()) {
    const found = compare(a[index] ?? null, b[index] ?? null) ?? 0;
    if (found !== 0) return isDescending ? -found : found;
  }
  return 0;
}

function cut(select: Select, rows: Value[][]): HogqlAnswer {
  const limit = Math.min(select.limit ?? rowsByDefault, rowsAtMost);
  const columns = select.columns.map(({ alias, text }) => alias ?? text);
  const shown = rows.slice(select.offset, select.offset + limit);
  const [first = []] = shown;
  return {
    columns,
    types: columns.map((column, index) => [column, typeOf(first[index] ?? null)]),
    results: shown.map((row) =>
      row.map((value) => (value instanceof Date ? value.toISOString().replace(".000Z", "Z") : value)),
    ),
    hasMore: rows.length > select.offset + limit,
  };
}

function typeOf(value: Value): string {
  if (value instanceof Date) return "DateTime";
  if (typeof value === "number") return Number.isInteger(value) ? "UInt64" : "Float64";
  return typeof value === "boolean" ? "Bool" : "String";
}

/**
 * The time range of a query, so that only its rows are looked at. PostHog answers a query without one slowly or not at all; here
 * it is a mistake.
 */
function boundsOf(where: Expression | null, context: Compiling): [number, number] {
  const bounds = where ? toConditions(where).flatMap((one) => toBound(one, context)) : [];
  const from = Math.max(...bounds.filter(({ isLower }) => isLower).map(({ at }) => at));
  const to = Math.min(...bounds.filter(({ isLower }) => !isLower).map(({ at }) => at + 1));
  if (from !== Number.NEGATIVE_INFINITY) return [from, to];
  throw new HogqlError("This query has no lower bound of its timestamp; it would read everything.");
}

/** What must all hold. */
function toConditions(expression: Expression): Expression[] {
  if (expression.kind !== "call" || expression.name !== "and") return [expression];
  return expression.parameters.flatMap(toConditions);
}

function toBound(expression: Expression, context: Compiling): { at: number; isLower: boolean }[] {
  if (expression.kind !== "call" || !/^(?:greater|less)/.test(expression.name)) return [];
  const [left, right] = expression.parameters;
  if (left?.kind !== "field" || left.path.at(-1) !== "timestamp" || !right || right.kind === "field") return [];
  const at = toMoment(compile(right, { ...context, aggregates: [] })({ row: null, totals: [] }));
  return at === null ? [] : [{ at: at.getTime(), isLower: expression.name.startsWith("greater") }];
}
